"""Values and the contract's schemas."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

CONTRACT_FILE = Path(__file__).parents[1] / "contract" / "openapi.yaml"


@cache
def contract() -> Any:
    """Claid's contract, read by the loader in C: the one in Python takes seconds for it."""
    return yaml.load(CONTRACT_FILE.read_text(encoding="utf-8"), yaml.CSafeLoader)


def without_unknown(value: Any, schema: dict[str, Any]) -> Any:
    """Return a value without the names that its schema (one without references) does not have."""
    if "anyOf" in schema:
        forms = [(without_unknown(value, member), member) for member in schema["anyOf"]]
        return next((form for form, member in forms if Draft202012Validator(member).is_valid(form)), value)
    if isinstance(value, dict) and schema.get("type") == "object":
        names = schema.get("properties", {})
        return {name: without_unknown(item, names[name]) for name, item in value.items() if name in names}
    return value


def resolved(part: Any, schemas: dict[str, Any]) -> Any:
    """Return a schema without references."""
    if isinstance(part, list):
        return [resolved(item, schemas) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return resolved(schemas[part["$ref"].rpartition("/")[2]], schemas)
    return {name: resolved(item, schemas) for name, item in part.items()}
