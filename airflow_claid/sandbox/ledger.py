"""What each key requested and what it cost, even if the answer never arrived."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any


@dataclass(slots=True)
class Entry:
    """One request to ``/v1``.

    :param sequence: 1 for the first request since the start or the last reset.
    :param time: when it arrived, ISO 8601 in UTC.
    :param request_id: the ``x-request-id`` of the answer.
    :param operation: the contract's operation id, such as ``generate_image``.
    :param key: label of the key that paid; never the key itself. None without a known key.
    :param prompt: the whole prompt, where the operation has one.
    :param request: the body, with secrets and long texts shortened.
    :param digest: SHA-256 of the whole body, the file of an upload included; None without a body.
    :param number_of_images: pictures requested; 0 for operations that make none.
    :param credits: credits charged.
    :param status: HTTP status of the answer, 0 if a fault cut the connection; None until it is answered.
    :param delivered: whether the whole answer was sent while the client was still connected; None until then.
    :param fault: kinds of the faults that struck this request.
    :param dialects: numbers of the dialects that changed the answer.
    :param pictures: addresses of the pictures made: ``tmp_url`` or ``object_uri``.
    """

    sequence: int
    time: str
    request_id: str
    operation: str
    key: str | None = None
    prompt: str | None = None
    request: Any = None
    digest: str | None = None
    number_of_images: int = 0
    credits: float = 0.0
    status: int | None = None
    delivered: bool | None = None
    fault: list[str] = field(default_factory=list)
    dialects: list[int] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as ``GET /sandbox/ledger`` shows it."""
        return asdict(self)


class Ledger:
    """All requests since the start or the last reset, oldest first."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._count = 0

    def open(self, request_id: str, operation: str) -> Entry:
        """Record that a request has arrived."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        with self._lock:
            self._count += 1
            entry = Entry(self._count, now, request_id, operation)
            self._entries.append(entry)
        return entry

    def entries(self, operation: str | None = None, since: int = 0, last: int | None = None) -> list[Entry]:
        """Return entries after sequence number ``since``, of one operation or of all; at most the ``last`` of them."""
        with self._lock:
            entries = [
                entry for entry in self._entries if entry.sequence > since and operation in (None, entry.operation)
            ]
        return entries if last is None else entries[max(0, len(entries) - last) :]

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
        """The number of requests."""
        return self._count

    def reset(self) -> None:
        """Forget all entries; sequence numbers start at 1 again."""
        with self._lock:
            self._entries.clear()
            self._count = 0


def digest_of(body: Any, upload: bytes = b"") -> str | None:
    """Return the SHA-256 of a request's JSON and of the file that it uploads; None without a body."""
    if body is None:
        return None
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(hashlib.sha256(upload).digest() + text.encode()).hexdigest()


def shortened(value: Any, max_characters: int = 200) -> Any:
    """Copy a JSON value with long texts shortened and secrets left out, for the ledger."""
    if isinstance(value, dict):
        return {
            name: "…" if "secret" in name or name == "access_key" else shortened(item, max_characters)
            for name, item in list(value.items())[:50]
        }
    if isinstance(value, list):
        return [shortened(item, max_characters) for item in value[:50]]
    if isinstance(value, str) and len(value) > max_characters:
        return value[:max_characters] + "…"
    return value
