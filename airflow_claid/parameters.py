"""Parameters as DAG authors write them: literal or templated, and numbers that templates turned into text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow.sdk import ObjectStoragePath

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.lists import flat
from airflow_claid.client.models.base import UNKNOWN
from airflow_claid.client.text import shortened
from airflow_claid.client.values import plain, written_out
from airflow_claid.version_compat import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

_Init = TypeVar("_Init", bound=Callable[..., None])

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", "none", ""}
_LONGEST = 10 * 365 * 24 * 3600
"""Seconds: ten years. A time without an end would fail only after credits are spent."""


@contextmanager
def refusing_at_once() -> Iterator[None]:
    """Fail a DAG's parsing, or a task without a retry, on a parameter that no retry can fix."""
    try:
        yield
    except ClaidValidationError as error:
        raise AirflowFailException(str(error)) from None


def is_literal(value: object) -> bool:
    """Whether a value is known when the DAG is parsed: no template, no upstream task's result."""
    if value is None or isinstance(value, (bool, int, float)):
        return True
    if isinstance(value, str):
        return not any(mark in value for mark in _TEMPLATE_MARKS)
    if isinstance(value, (ObjectStoragePath, os.PathLike)):
        return is_literal(str(value))
    if isinstance(value, Mapping):
        return all(is_literal(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(is_literal(item) for item in value)
    return False


def given(operator: BaseOperator, names: Iterable[str]) -> dict[str, Any]:
    """Return the named parameters of an operator, as they are when the task runs."""
    return {name: getattr(operator, name) for name in names}


def known(operator: BaseOperator, names: Iterable[str]) -> dict[str, Any]:
    """Return the same when the DAG is parsed: ``UNKNOWN`` where a template or an upstream task tells the value."""
    return {name: value if is_literal(value) else UNKNOWN for name, value in given(operator, names).items()}


def optional(value: Any) -> Any:
    """Return ``None`` for what a template rendered to nothing."""
    return None if isinstance(value, str) and value.strip() in ("", "None") else value


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are set."""
    return {name: value for name, value in values.items() if value is not None}


def none_means_default(init: _Init) -> _Init:
    """Make ``None`` stand for a parameter's default, as in rows of ``expand_kwargs`` that leave a cell empty."""
    defaults = {
        name: parameter.default
        for name, parameter in signature(init).parameters.items()
        if parameter.default not in (None, Parameter.empty)
    }

    @wraps(init)
    def with_defaults(self: Any, *args: Any, **kwargs: Any) -> None:
        given = {name: value for name, value in kwargs.items() if value is not None or name not in defaults}
        init(self, *args, **given)

    return cast("_Init", with_defaults)


def number(value: object) -> Any:
    """Turn a number that a template rendered to text, or that a warehouse typed, back into one of Python's.

    The rest is left to the check.
    """
    if not isinstance(value, str):
        return _plain_or_as_it_is(value)
    for kind in (int, float):
        try:
            return kind(value.strip())
        except ValueError:
            continue
    return value


def _plain_or_as_it_is(value: object) -> object:
    try:
        return plain(value)
    except ValueError:
        return value


def mapping(value: object, name: str, example: str) -> Mapping[str, Any]:
    """Check a parameter that is a dict, or a dict that a template rendered to text, as JSON or as Python writes it.

    :param example: shown in the error.
    :raises ClaidValidationError: if it is neither.
    """
    written = written_out(value) if isinstance(value, str) else value
    if not isinstance(written, Mapping) or not all(isinstance(key, str) for key in written):
        raise ClaidValidationError(f"{name}={shortened(value)} must be a dict such as {example}")
    return written


def format_or_options(value: object, name: str = "output_format") -> Any:
    """Return a format's name, or its dict of options, also where a template rendered the dict to text.

    :raises ClaidValidationError: if a text begins like a dict and is none.
    """
    if isinstance(value, str) and value.strip().startswith("{") and is_literal(value):
        return mapping(value, name, "{'type': 'jpeg', 'quality': 90}")
    return optional(value)


def metadata_of(value: object) -> Mapping[str, Any] | None:
    """Return a picture's metadata; ``None`` for none.

    :raises ClaidValidationError: if it is no dict.
    """
    metadata = optional(value)
    return mapping(metadata, "metadata", "{'dpi': 300, 'color_space': 'CMYK'}") if metadata else None


def sides_as_numbers(operations: object) -> dict[str, Any]:
    """Turn a width or height in pixels that a template rendered to text back into a number."""
    asked = mapping(operations, "operations", "{'resizing': {'width': 800}}")
    resizing = asked.get("resizing")
    if not isinstance(resizing, Mapping):
        return dict(asked)
    sides = {name: number(resizing[name]) for name in ("width", "height") if name in resizing}
    if isinstance(fit := resizing.get("fit"), str) and fit.strip().startswith("{"):
        sides["fit"] = mapping(fit, "operations.resizing.fit", "{'crop': 'smart'}")
    return {**asked, "resizing": {**resizing, **sides}}


def truth(value: object, name: str) -> bool:
    """Turn a rendered ``True`` or ``False`` back into one.

    :raises ClaidValidationError: if it is neither.
    """
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ClaidValidationError(f"{name}={value!r} must be true or false")


def choice(value: object, name: str, choices: tuple[str, ...]) -> str:
    """Check a parameter that is one of a few words.

    :raises ClaidValidationError: naming the words.
    """
    if value in choices:
        return str(value)
    raise ClaidValidationError(f"{name}={value!r} must be one of {', '.join(choices)}")


def ceiling(value: object, name: str) -> float | None:
    """Check a parameter that is a number of credits, or ``None`` for no limit.

    :raises ClaidValidationError: if it is neither.
    """
    return None if value is None or value in ("", "None") else _not_negative(value, name, "credits")


def seconds(value: object, name: str) -> float:
    """Check a parameter that is a time.

    :raises ClaidValidationError: if it is none.
    """
    return _not_negative(value, name, "seconds", _LONGEST)


def _not_negative(value: object, name: str, unit: str, most: float = float("inf")) -> float:
    amount = number(value)
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount <= most:
        limit = "" if most == float("inf") else f", up to {most}"
        raise ClaidValidationError(f"{name}={value!r} must be a number of {unit}, 0 or more{limit}")
    return float(amount)


def paths(value: object, name: str) -> list[str]:
    """Return a list of paths from one path, a list, the results of a mapped task, or text that a template rendered.

    :raises ClaidValidationError: if it is none of these.
    """
    addresses = paths_and_others(value)
    if not all(isinstance(path, str) and path for path in addresses):
        raise ClaidValidationError(f"{name}={shortened(value)} must be one path or a list of paths")
    return [str(path) for path in addresses]


def paths_and_others(value: object) -> list[object]:
    """Return what :func:`paths` returns, together with what is among them and is no path."""
    return [_as_address(path) for path in flat(_rendered_list(value) if isinstance(value, str) else value)]


def _as_address(path: object) -> object:
    """Return the address of an ``ObjectStoragePath``, or of a local path of Python's."""
    if isinstance(path, ObjectStoragePath):
        return str(path)
    if isinstance(path, os.PathLike):
        return f"file://{path}" if str(path).startswith("/") else str(path)
    return path


def _rendered_list(text: str) -> object:
    """Read a list that a template rendered to text, as JSON or as Python writes it; else return the text."""
    return written_out(text) if text.strip().startswith("[") else text.strip()
