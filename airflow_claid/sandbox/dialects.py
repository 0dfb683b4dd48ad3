"""Dialects: how the sandbox's answers differ from the contract."""

from __future__ import annotations

import base64
import codecs
import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from airflow_claid.sandbox.answer_paths import parts_of
from airflow_claid.sandbox.conditions import DOWNLOAD, Rules, check_operation

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Kind = Literal["text", "integer", "float", "list", "object"]
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH_HEADERS = {"content-length", "transfer-encoding"}


def _operation(name: str | None) -> str | None:
    check_operation(name)
    return name


def _path(path: str) -> str:
    parts_of(path)
    return path


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _charset(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ValueError(f"{name!r} is not a charset that Python knows, such as utf-16") from error
    return name


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


def _one_line(text: str) -> str:
    if re.search(r"[\r\n\0]", text) or any(ord(letter) > 255 for letter in text):
        raise ValueError(f"{text!r} holds a letter beyond Latin-1, or a line break")
    return text


def _headers(headers: dict[str, str | None]) -> dict[str, str | None]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if value is not None:
            _one_line(value)
    return headers


AnswerPath = Annotated[str, AfterValidator(_path)]
Informational = Annotated[int, Field(ge=100, le=199)]


class Dialect(BaseModel):
    """One way in which answers differ from the contract.

    It changes what is said, not what is done: the request has been carried out and charged, or refused, as without it.
    Paths are dotted: ``data.input``, ``data.output.0.tmp_url``; ``*`` stands for all items of a list, and the empty
    path for the whole answer. What a path does not find stays as it is.

    Which answers:

    :param operation: operation id, such as ``generate_image``; ``download`` for temporary addresses; None (default)
        for every operation, but not for downloads.
    :param prompt: only requests whose prompt contains this text, in any case; without a prompt, whose body does; for
        downloads, whose path does.
    :param of_status: only answers with this status; by default those of 200 to 299.
    :param count: how many answers; by default all.
    :param probability: chance (0 to 1) of each answer; by default all.
    :param seed: makes the chance repeatable; 0 by default.

    The body, changed in this order:

    :param body_text: text in place of the body.
    :param body_json: JSON in place of the body; null is ``body_text="null"``.
    :param body_base64: bytes in place of the body, in base64.
    :param links: what becomes of each link to the sandbox: a text in which ``{link}`` stands for the link, ``{base}``
        for its base address and ``{path}`` for the rest; such as ``https://cdn.example.com{path}`` for another host.
    :param move: path to path: moves or renames a field. The new path may have as many ``*`` as the old one.
    :param cast: path to type: ``text``, ``integer`` (of a number), ``float``, ``list`` (with the value in it),
        ``object`` (with the value as ``value``).
    :param values: path to value, null or of any type; adds what is not there.
    :param without: path, or list of paths, left out.
    :param nesting: adds a field ``nested`` with so many lists in each other.
    :param charset: encodes the body, such as ``utf-16`` or ``utf-8-sig`` (with a byte order mark).
    :param compress: ``gzip``: compresses the body and says so in ``Content-Encoding``.

    The rest of the answer:

    :param status: another status, from 200. A redirect is a status and a header ``Location``.
    :param reason: text behind the status, in place of ``OK``. The connection is closed.
    :param headers: headers added or replaced, also ``Date`` and ``x-request-id``; null removes one. With a
        ``Content-Length`` or ``Transfer-Encoding``, the answer is sent exactly as told, right or wrong, and the
        connection is closed.
    :param informational: statuses (100 to 199) of informational answers sent before it on the same connection.
    :param late: answers with a gateway's 504 first; from then on each answer on this connection arrives as the answer
        to the request after its own.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    operation: Annotated[str | None, AfterValidator(_operation)] = None
    prompt: str | None = None
    of_status: int | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: int = 0

    body_text: str | None = None
    body_json: Any = None
    body_base64: Annotated[str, AfterValidator(_base64)] | None = None
    links: str | None = None
    move: dict[AnswerPath, AnswerPath] = {}
    cast: dict[AnswerPath, Kind] = {}
    values: dict[AnswerPath, Any] = {}
    without: Annotated[tuple[AnswerPath, ...], BeforeValidator(_as_list)] = ()
    nesting: Annotated[int, Field(ge=1)] | None = None
    charset: Annotated[str, AfterValidator(_charset)] | None = None
    compress: Literal["gzip"] | None = None

    status: Annotated[int, Field(ge=200, le=999)] | None = None
    reason: Annotated[str, AfterValidator(_one_line)] | None = None
    headers: Annotated[dict[str, str | None], AfterValidator(_headers)] = {}
    informational: Annotated[tuple[Informational, ...], BeforeValidator(_as_list)] = ()
    late: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Dialect:
        bodies = [self.body_text is not None, self.body_json is not None, self.body_base64 is not None]
        if sum(bodies) > 1:
            raise ValueError("Give one of body_text, body_json and body_base64.")
        if self.operation == DOWNLOAD and self.changes_json:
            raise ValueError(
                "A download is no JSON: links, move, cast, values, without and nesting do not apply to it."
            )
        for old, new in self.move.items():
            if parts_of(new).count("*") > parts_of(old).count("*"):
                raise ValueError(f"move: {new!r} has more '*' than {old!r}.")
        if self.late and self.is_raw:
            raise ValueError("A late answer has no reason, Content-Length or Transfer-Encoding of its own.")
        if not self.changes_anything:
            raise ValueError("The dialect changes nothing; see the fields after 'seed'.")
        return self

    @property
    def changes_json(self) -> bool:
        """Whether it changes the JSON of a body."""
        return bool(self.links is not None or self.move or self.cast or self.values or self.without or self.nesting)

    @property
    def is_raw(self) -> bool:
        """Whether no web server would send the answer, so that its bytes are written to the connection."""
        return self.tells_length or self.reason is not None or (self.status or 0) > 599

    @property
    def tells_length(self) -> bool:
        """Whether it says how long the body is, or that it comes in chunks."""
        return bool(_LENGTH_HEADERS & {name.lower() for name in self.headers})

    @property
    def changes_anything(self) -> bool:
        """Whether it says at least one change."""
        conditions = {"operation", "prompt", "of_status", "count", "probability", "seed"}
        fields = type(self).model_fields
        return any(getattr(self, name) != fields[name].default for name in fields.keys() - conditions)

    @property
    def limit(self) -> int | None:
        """How many answers it changes; None for all."""
        return self.count

    def concerns(self, status: int) -> bool:
        """Return whether it changes answers with this status."""
        return 200 <= status < 300 if self.of_status is None else status == self.of_status


class Dialects(Rules[Dialect]):
    """All active dialects. Every method may be called from any thread."""

    def __init__(self, first: tuple[Dialect, ...] = ()) -> None:
        super().__init__()
        self._first = first
        self.reset()

    def reset(self) -> None:
        """Restore the dialects of the start."""
        self.remove()
        for dialect in self._first:
            self.add(dialect)

    def to_json(self) -> list[dict[str, Any]]:
        """Return each active dialect with its number, how many answers it changed and how many it still will."""
        return [{**dialect.model_dump(exclude_defaults=True), **record} for dialect, record in self.active()]

    def of(self, operation: str, subject: str, status: int) -> dict[int, Dialect]:
        """Return the dialects of this answer by number, and count each of them."""
        with self._lock:
            return {
                active.number: active.rule
                for active in self._active.values()
                if active.rule.concerns(status) and active.strike(operation, subject)
            }


def read_dialects(file: str) -> list[Dialect]:
    """Read dialects from a file: a JSON list of objects, or TOML with a table ``[[dialect]]`` for each.

    Raises ``ValueError`` with the file, the number of the dialect and its wrong field.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
        listed = tomllib.loads(text)["dialect"] if file.endswith(".toml") else json.loads(text)
    except KeyError as error:
        raise ValueError(f"{file} has no table [[dialect]].") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    if not isinstance(listed, list):
        raise ValueError(f"{file} is not a list of dialects.")
    return [_checked(given, f"{file}, dialect {number}") for number, given in enumerate(listed, 1)]


def _checked(given: Any, where: str) -> Dialect:
    try:
        return Dialect.model_validate(given)
    except ValidationError as error:
        problems = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}".removeprefix(": ")
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ValueError(f"{where}: {'; '.join(problems)}") from error
