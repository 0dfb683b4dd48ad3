"""What was asked, by which key, and what it cost: also when the answer never arrived."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any


@dataclass(slots=True)
class Entry:
    """One request to ``/v1``.

    :param sequence: 1 for the first request of this sandbox's life.
    :param time: when it came, ISO 8601 in UTC.
    :param request_id: the ``x-request-id`` of the answer.
    :param operation: the contract's operation id, such as ``generate_image``.
    :param key: label of the key that paid; never the key itself. None if none was recognised.
    :param prompt: the whole prompt, where the operation has one.
    :param request: the body, with secrets and long texts shortened.
    :param number_of_images: pictures asked for (0 for operations that make none).
    :param credits: credits charged.
    :param status: HTTP status of the answer that was sent or would have been; None while it is worked on.
    :param delivered: whether the whole answer was handed to a client that was still there. None while it is worked on.
    :param fault: the kinds of the faults injected into this answer.
    :param pictures: addresses of the pictures made: ``tmp_url`` or ``object_uri``.
    """

    sequence: int
    time: str
    request_id: str
    operation: str
    key: str | None = None
    prompt: str | None = None
    request: Any = None
    number_of_images: int = 0
    credits: float = 0.0
    status: int | None = None
    delivered: bool | None = None
    fault: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as ``GET /sandbox/ledger`` shows it."""
        return asdict(self)


class Ledger:
    """All requests of one life, oldest first."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._count = 0

    def open(self, request_id: str, operation: str) -> Entry:
        """Write down that a request has come."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        with self._lock:
            self._count += 1
            entry = Entry(self._count, now, request_id, operation)
            self._entries.append(entry)
        return entry

    def entries(self, operation: str | None = None, since: int = 0, last: int | None = None) -> list[Entry]:
        """Return entries after the sequence number ``since``, of one operation or all; only the ``last`` if given."""
        with self._lock:
            found = [
                entry for entry in self._entries if entry.sequence > since and operation in (None, entry.operation)
            ]
        return found if last is None else found[max(0, len(found) - last) :]

    def entry(self, sequence: int) -> Entry | None:
        """Return the entry with a sequence number, if there is one."""
        with self._lock:
            return self._entries[sequence - 1] if 0 < sequence <= len(self._entries) else None

    def charged(self) -> float:
        """Return the credits charged so far."""
        with self._lock:
            return sum(entry.credits for entry in self._entries)

    @property
    def count(self) -> int:
        """How many requests there were."""
        return self._count

    def reset(self) -> None:
        """Forget everything; sequence numbers start at 1 again."""
        with self._lock:
            self._entries.clear()
            self._count = 0


def shortened(value: Any, longest: int = 200) -> Any:
    """Copy a JSON value with long texts shortened and secrets left out, for the ledger."""
    if isinstance(value, dict):
        return {
            name: "…" if "secret" in name or name == "access_key" else shortened(item, longest)
            for name, item in list(value.items())[:50]
        }
    if isinstance(value, list):
        return [shortened(item, longest) for item in value[:50]]
    if isinstance(value, str) and len(value) > longest:
        return value[:longest] + "…"
    return value
