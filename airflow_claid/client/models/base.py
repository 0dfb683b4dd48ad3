"""The base of all requests and answers: typed values that are checked against Claid's contract."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, TypeVar
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.client.text import shortened

log: logging.Logger = logging.getLogger(__name__)

_Model = TypeVar("_Model", bound=BaseModel)
_Open = TypeVar("_Open", bound="OpenModel")
_Output = TypeVar("_Output", bound="OutputModel")


class _Unknown(Enum):
    UNKNOWN = "(known when the task runs)"

    def __repr__(self) -> str:
        return self.value


UNKNOWN: Final = _Unknown.UNKNOWN
"""Marks a value that is known only later, so that :func:`check_known` skips it."""

_ADDRESS_MAX_CHARACTERS = 4096
_URI_CHARACTERS = "%/:?#[]@!$&'()*+,;="
_STORAGE_CHARACTERS = "%/:@!$&'()*+,;="
"""Without ``?`` and ``#``: a ``storage://`` address has neither query nor fragment, so they belong to a name."""

_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SIMILAR = 0.7
"""From this ratio on, an unknown name is taken for a misspelt one (``resize``, ``widht``)."""


class RequestModel(BaseModel):
    """Part of a request: nothing that the contract does not name, no silent conversion, never changed."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON body: what was set, and nothing that was not."""
        return self.model_dump(mode="json", exclude_none=True)


class AnswerModel(BaseModel):
    """Part of an answer: what we read of it. Claid may add more; what does not fit a field is dropped."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _drop_what_does_not_fit(
        cls, value: object, check_type: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        """Return a field's default instead of a value of another type; only a field without default is demanded."""
        try:
            return check_type(value)
        except ValidationError:
            field = cls.model_fields[info.field_name or ""]
            if field.is_required():
                raise
            log.debug("%s.%s is a %s, which does not fit: it is dropped", cls.__name__, info.field_name, type(value))
            return field.get_default(call_default_factory=True)


def wrong(problem: str) -> PydanticCustomError:
    """Make the error by which a check refuses a value; ``problem`` says what is wrong and the remedy."""
    return PydanticCustomError("claid", "{problem}", {"problem": problem})


def _whole_number(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class OpenModel(RequestModel):
    """Part of a request that may hold what Claid knows and we do not yet: it is sent as it is, with a warning.

    A name that looks like a misspelt one of ours is refused all the same.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _sends_what_it_does_not_know(self: _Open) -> _Open:
        unknown = self.model_extra or {}
        problems = {name: self._problem_with(name, value) for name, value in unknown.items()}
        refused = [
            InitErrorDetails(type=wrong(problem), loc=(name,), input=unknown[name])
            for name, problem in problems.items()
            if problem
        ]
        if refused:
            raise ValidationError.from_exception_data(type(self).__name__, refused)
        if unknown:
            log.warning("Claid's contract, as we know it, has no %s here; it is sent all the same", ", ".join(unknown))
        return self

    @classmethod
    def _problem_with(cls, name: str, value: object) -> str | None:
        """Say why an unknown name cannot be sent; ``None`` where it can."""
        similar = get_close_matches(name, cls.model_fields, n=1, cutoff=_SIMILAR)
        if similar:
            return f"is not a parameter of Claid: use {similar[0]!r}"
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError):
            return "is no JSON: use texts, numbers, true, false, lists and objects"
        return None


def doubted(what: str) -> None:
    """Warn of what Claid's own pages disagree on. It is sent: a request that Claid refuses costs nothing."""
    log.warning("%s: Claid's pages disagree on whether this is allowed. It is sent; a refusal costs nothing", what)


Integer = Annotated[int, BeforeValidator(_whole_number)]
"""JSON's integer: ``2`` and ``2.0``, never ``True`` or ``"2"``."""


def encoded(address: str) -> str:
    """Return an address as it is sent: what no URI may hold is encoded, what is encoded stays so."""
    in_storage = address.startswith("storage://")
    return quote(_NO_ESCAPE.sub("%25", address), safe=_STORAGE_CHARACTERS if in_storage else _URI_CHARACTERS)


def _address(value: str) -> str:
    if "://" not in value:
        raise wrong("must be an address such as https://… or storage://NAME/PATH")
    sent = encoded(value)
    if len(sent) > _ADDRESS_MAX_CHARACTERS:
        raise wrong(f"has {len(sent)} characters as it is sent, encoded; Claid takes {_ADDRESS_MAX_CHARACTERS}")
    return sent


Address = Annotated[str, Field(min_length=1, max_length=_ADDRESS_MAX_CHARACTERS), AfterValidator(_address)]
"""A URI that Claid can read or write, ``https://…`` or ``storage://NAME/PATH``; what no URI may hold is encoded."""


def _if_known(value: object, check_type: ValidatorFunctionWrapHandler) -> object:
    return value if value is UNKNOWN else check_type(value)


IfKnown: WrapValidator = WrapValidator(_if_known)
"""Skips ``UNKNOWN`` in a field, so that rules about several fields are checked all the same."""


class OutputModel(RequestModel):
    """How and where to write what is made."""

    destination: Address | None = None

    def written_to(self: _Output, destination: str | None) -> _Output:
        """Return the same output at another destination.

        :raises ClaidValidationError: if Claid cannot take the destination.
        """
        return checked(type(self), {**dict(self), "destination": destination}, {"destination": "output.destination"})


def checked(model: type[_Model], values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> _Model:
    """Build a request, and say in one sentence what is wrong with it where it cannot be built.

    :param model: what to build.
    :param values: its fields.
    :param names: what the caller calls a field that Claid calls otherwise, by the dotted path in the request
        (``{"input": "prompt"}``).
    :raises ClaidValidationError: naming each wrong parameter, its value and the remedy.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refusal(error.errors(), values, names or {}) from None


def check_known(model: type[BaseModel], values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
    """Check the values of a request that are known; those that are ``UNKNOWN`` are skipped.

    Takes and raises what :func:`checked` does.
    """
    try:
        model.model_validate(values)
    except ValidationError as error:
        errors = [one for one in error.errors() if one["input"] is not UNKNOWN]
        if errors:
            raise _refusal(errors, values, names or {}) from None


def _refusal(errors: list[ErrorDetails], values: Mapping[str, Any], names: Mapping[str, str]) -> ClaidValidationError:
    """Make the error that names each wrong parameter, its value and the remedy."""
    details = _by_parameter(errors, values, names)
    problems = "; ".join(f"{name}: {' or '.join(messages)}" for name, messages in details.items())
    return ClaidValidationError(f"{problems}", details=details)


def _by_parameter(
    errors: list[ErrorDetails], values: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, list[str]]:
    """Group the errors by parameter: the members of a union each complain of the same one."""
    grouped: dict[str, list[str]] = {}
    for error in [error for error in errors if not _of_another_member(error)] or errors:
        path = _path(error, values)
        name = names.get(path, path)
        shown = "" if error["type"] == "missing" else f"={shortened(error['input'])}"
        messages = grouped.setdefault(f"{name}{shown}", [])
        message = "is not a parameter of Claid" if error["type"] == "extra_forbidden" else error["msg"]
        if message not in messages:
            messages.append(message)
    return grouped


def _of_another_member(error: ErrorDetails) -> bool:
    """Whether a member of a union complains that the value is for another member: a name, or an object."""
    if isinstance(error["input"], dict):
        return error["type"] in {"literal_error", "string_type", "int_type", "bool_type"}
    return error["type"].startswith(("model_", "dict_"))


def _path(error: ErrorDetails, values: Any) -> str:
    """Where in the values an error lies: pydantic's own path less its names for the members of unions."""
    *steps, last = error["loc"]
    path: list[str] = []
    for step in steps:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(str(step))
    if error["type"] == "missing" or isinstance(last, int) or (isinstance(values, Mapping) and last in values):
        path.append(str(last))
    return ".".join(path)
