"""Values and the contract's schemas."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator


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
