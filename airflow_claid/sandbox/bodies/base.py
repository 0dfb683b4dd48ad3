"""The base of all bodies: the contract's types of values, as strict as JSON Schema, and the check of a body."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.types import Strict

from airflow_claid.sandbox import errors

_PERCENT = r"%[0-9A-Fa-f]{2}"
_NAME = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|{_PERCENT})*"
_PATH = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|{_PERCENT})*"
_QUERY = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|{_PERCENT})*"
_USER = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|{_PERCENT})*@"
_ABSOLUTE_ADDRESS = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.\-]*:(?://(?:{_USER})?(?:\[[0-9A-Fa-f:.vV]+\]|{_NAME})(?::[0-9]*)?(?:/{_PATH})?|(?!//){_PATH})"
    rf"(?:\?{_QUERY})?(?:#{_QUERY})?"
)


def _whole_number(value: Any) -> Any:
    """Accept 5.0 as the integer 5, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _address(value: Any) -> Any:
    """Refuse text that is not an absolute URI by RFC 3986."""
    if isinstance(value, str) and not _ABSOLUTE_ADDRESS.fullmatch(value):
        raise ValueError("not a valid URI (RFC 3986); encode spaces and other letters with %")
    return value


def _not_null(value: Any) -> Any:
    """Refuse null: a client leaves out a field that it does not set."""
    if value is None:
        raise ValueError("none is not an allowed value")
    return value


class Body(BaseModel):
    """A JSON object: values are not converted, unknown fields are refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class OpenBody(Body):
    """A JSON object that may have fields besides those of the contract."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True, frozen=True)


T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)
Omittable = Annotated[T | None, BeforeValidator(_not_null)]
"""A field that may be left out, and is None then, but may not be null."""

Integer = Annotated[int, Strict(), BeforeValidator(_whole_number)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=4096), BeforeValidator(_address)]
Side = Integer | str
Percentage = Annotated[int, Strict(), Field(ge=0, le=100), BeforeValidator(_whole_number)]
Quality = Annotated[int, Strict(), Field(ge=1, le=100), BeforeValidator(_whole_number)]
Deviation = Annotated[int, Strict(), Field(ge=-100, le=100), BeforeValidator(_whole_number)]
UpToFour = Annotated[int, Strict(), Field(ge=1, le=4), BeforeValidator(_whole_number)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def read_json(raw: bytes | str) -> Any:
    """Parse JSON text, or refuse it with 400."""
    try:
        return json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise errors.bad_body(f"The body is not valid JSON: {error}") from error


def check(model: type[B], value: Any) -> B:
    """Build a body from a JSON value, or refuse it with 422 and a message for each wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details: dict[str, list[str]] = {}
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            path = _path(problem["loc"], value, missing=problem["type"] == "missing") or "__root__"
            message = problem["msg"].removeprefix("Value error, ")
            messages = details.setdefault(path, [])
            if message not in messages:
                messages.append(message)
        raise errors.invalid(details) from error


def _path(location: tuple[int | str, ...], value: Any, *, missing: bool) -> str:
    """Write a location as ``output.format.quality``, without the names of the alternatives that pydantic tried."""
    parts: list[str] = []
    for position, part in enumerate(location):
        in_object = isinstance(value, dict) and part in value
        if in_object or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            value = value[cast(int, part)]
        elif not (missing and position == len(location) - 1):
            continue
        parts.append(str(part))
    return ".".join(parts)
