"""What was seen of an account: its answers, without secrets, and what became of the pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_claid.client import Call
from airflow_claid.client.redaction import HIDDEN, redacted
from airflow_claid.client.session import Received

_KEPT_HEADERS = frozenset(
    {
        *("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy", "ratelimit", "retry-after"),
        *("content-type", "date", "server", "via", "x-request-id", "location", "content-encoding"),
    }
)
_DEEPEST = 12
_MOST_CHARACTERS = 500


class Step:
    """The steps of a check, by which its answers are found."""

    NO_JOB = "a job that cannot exist"
    NO_JOB_AGAIN = "the same job again"
    NO_VIDEO = "a video that cannot exist"
    BAD_ID = "an id that is no number"
    WRONG_KEY = "a key that was made up"
    EMPTY_EDIT = "an edit of nothing"
    STORAGES = "the connected storages"
    STORAGE = "one connected storage"
    GENERATION = "the generation"
    EDIT = "the edit"


@dataclass(frozen=True)
class Exchange:
    """One answer, without secrets.

    :param step: why the request was sent.
    :param operation: the contract's operation id.
    :param status: HTTP status.
    :param headers: those that say something, with names in lower case.
    :param kind: ``json``, ``html``, ``text`` or ``empty``.
    :param body: the JSON; links have no queries. ``None`` where it is none.
    :param seconds: from sending to answer.
    :param received_at: when it came, by this machine's clock, ISO 8601 in UTC.
    """

    step: str
    operation: str
    status: int
    headers: dict[str, str]
    kind: str
    body: Any
    seconds: float
    received_at: str

    @property
    def content_type(self) -> str:
        """The type that the answer names, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class Evidence:
    """What a check has seen; examined by the assumptions.

    :param read_timeout: seconds that the connection gives an answer.
    :param job_timeout: seconds that a task waits for a job by default.
    :param exchanges: all answers, in order.
    :param failures: by step, what the client said of the request that failed.
    :param storages: what was found of each connected storage; see :mod:`.storages`.
    :param mapping: the names of storages that the connection maps.
    :param paid: facts of the paid part, kept for a later check; see :mod:`.paid`.
    :param why_unpaid: why the paid part, or a step of it, was not tried.
    """

    read_timeout: float = 120.0
    job_timeout: float = 3600.0
    exchanges: list[Exchange] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    storages: list[dict[str, Any]] = field(default_factory=list)
    mapping: tuple[str, ...] = ()
    paid: dict[str, Any] = field(default_factory=dict)
    why_unpaid: dict[str, str] = field(default_factory=dict)
    _step: str = ""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note that the answers in the block belong to a step."""
        before, self._step = self._step, name
        try:
            yield
        finally:
            self._step = before

    def record(self, call: Call, received: Received, seconds: float) -> None:
        """Note an answer; a client calls it as its ``on_answer``."""
        body, kind = _read(received.content)
        headers = {name.lower(): redacted(value) for name, value in received.headers.items()}
        self.exchanges.append(
            Exchange(
                step=self._step,
                operation=call.operation,
                status=received.status,
                headers={name: value for name, value in headers.items() if name in _KEPT_HEADERS},
                kind=kind,
                body=body,
                seconds=round(seconds, 3),
                received_at=datetime.now(timezone.utc).isoformat(),
            )
        )

    def all(self, step: str, operation: str | None = None) -> list[Exchange]:
        """Return the answers of a step, or those of one operation in it."""
        return [one for one in self.exchanges if one.step == step and operation in (None, one.operation)]

    def last(self, step: str, operation: str | None = None) -> Exchange | None:
        """Return the last answer of a step; ``None`` if there is none."""
        found = self.all(step, operation)
        return found[-1] if found else None

    def kept(self) -> list[dict[str, Any]]:
        """Return the answers of the paid part as JSON, for a later check that does not pay again."""
        return [asdict(one) for one in self.exchanges if one.step in (Step.GENERATION, Step.EDIT)]

    def restore(self, exchanges: object) -> None:
        """Add the answers that an earlier check kept; what does not fit is left out."""
        for one in exchanges if isinstance(exchanges, list) else []:
            if isinstance(one, Mapping) and one.keys() == Exchange.__dataclass_fields__.keys():
                self.exchanges.append(Exchange(**one))


def shape_of(value: Any, depth: int = _DEEPEST) -> Any:
    """Return the names and types in an answer, without its values; of a list the first item and the number."""
    if depth < 0:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): shape_of(part, depth - 1) for name, part in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0], depth - 1), f"{len(value)} in all"] if value else []
    return {type(None): "null", bool: "bool", int: "int", float: "float", str: "text"}.get(type(value), "?")


def _read(content: bytes) -> tuple[Any, str]:
    """Return the JSON in an answer, without the queries of links, and what kind of body it is."""
    if not content.strip():
        return None, "empty"
    try:
        return _shown(json.loads(content)), "json"
    except (ValueError, RecursionError):
        return None, "html" if b"<html" in content[:1000].lower() else "text"


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            redacted(name): HIDDEN if "secret" in name.lower() and isinstance(part, str) else _shown(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return redacted(value)[:_MOST_CHARACTERS] if isinstance(value, str) else value
