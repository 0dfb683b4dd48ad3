"""Faults on demand: which of them strike a request, how often, and which answers are held until a release."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "latency", "429", "500", "502", "empty", "truncated", "cut", "hold", "job_error", "job_stuck", "job_status"
]
DownloadKind = Literal["redirect", "truncated", "html", "huge", "slow", "expired", "cut"]
KINDS: tuple[str, ...] = get_args(Kind)
DOWNLOAD_KINDS: tuple[str, ...] = get_args(DownloadKind)
DOWNLOAD = "download"
_CHARGED_BY_DEFAULT = {"empty", "truncated", "hold"}
_DEFAULT_SECONDS = {"hold": 600.0, "slow": 2.0, "latency": 2.0}


@dataclass(frozen=True)
class Fault:
    """A fault to inject into answers or downloads.

    :param kind: for operations: ``latency``, ``429``, ``500``, ``502`` (with an HTML body), ``empty`` (an empty 200),
        ``truncated`` (half of the JSON), ``cut`` (the connection ends without a byte), ``hold`` (the answer waits for
        a release), ``job_error`` and ``job_stuck`` (a submitted job ends in ``ERROR``, or never ends), ``job_status``
        (a submitted job takes ``status``).
        For downloads: ``redirect``, ``truncated``, ``html``, ``huge``, ``slow``, ``expired``, ``cut``.
    :param operation: the contract's operation id, such as ``generate_image``; ``download`` for temporary addresses;
        None (default) for every operation, but not for downloads.
    :param prompt: strikes only requests whose prompt contains this text, in any case; without a prompt, whose body
        does; for downloads, whose path does.
    :param count: number of times that it strikes; by default once, or without limit if there is a ``probability``.
    :param probability: chance (0 to 1) that it strikes a request; always by default.
    :param seed: seed of the chance, which makes it repeatable; 0 by default.
    :param charged: whether the request is charged, and its pictures made, before the fault strikes. By default true
        for ``empty``, ``truncated`` and ``hold``, else false. Never true for ``429``.
    :param seconds: length of a latency or a slow download (2 by default), or of a hold at most (600). For
        ``job_stuck`` and ``job_status``: time after which the job continues; without it, never.
    :param status: for ``job_status``: any word, such as ``PAUSED``, or one that the contract does not have. The job
        takes it right after it has been accepted; ``DONE`` (without a result), ``ERROR`` and ``CANCELLED`` are final.
    :param location: target of a redirect.
    """

    kind: str
    operation: str | None = None
    prompt: str | None = None
    count: int | None = None
    probability: float | None = None
    seed: int = 0
    charged: bool | None = None
    seconds: float | None = None
    location: str | None = None
    status: str | None = None

    def __post_init__(self) -> None:
        kinds = DOWNLOAD_KINDS if self.operation == DOWNLOAD else KINDS
        if self.kind not in kinds:
            raise ValueError(f"Fault kind {self.kind!r} is not one of {', '.join(kinds)}.")
        if (self.kind == "job_status") != bool(self.status):
            raise ValueError("The fault 'job_status', and no other, has a status.")
        if self.kind == "429" and self.charged:
            raise ValueError("A 429 is never charged.")
        if self.kind in _CHARGED_BY_DEFAULT and self.charged is False and self.operation != DOWNLOAD:
            raise ValueError(f"The fault {self.kind!r} strikes after charging; it cannot be charged=False.")

    @property
    def after_charge(self) -> bool:
        """Whether it strikes after the request has been charged."""
        return self.kind in _CHARGED_BY_DEFAULT if self.charged is None else self.charged

    @property
    def halting_status(self) -> str | None:
        """The status in which it stops a job, if it stops one."""
        return "PROCESSING" if self.kind == "job_stuck" else self.status

    @property
    def duration(self) -> float:
        """How long it lasts, in seconds."""
        if self.seconds is not None:
            return self.seconds
        return _DEFAULT_SECONDS.get(self.kind, 0.0)


class _ActiveFault:
    """A fault that may still strike, and how often it has struck."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.left = fault.count
        if fault.count is None and fault.probability is None:
            self.left = 1
        self.struck = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - repeatable on purpose

    def strike(self, operation: str, subject: str) -> bool:
        """Return whether it strikes this request, and count it if it does."""
        fault = self.fault
        if self.left == 0 or (operation == DOWNLOAD) != (fault.operation == DOWNLOAD):
            return False
        if fault.operation not in (None, operation):
            return False
        if fault.kind.startswith("job_") and not operation.startswith("submit_"):
            return False
        if fault.prompt is not None and fault.prompt.lower() not in subject.lower():
            return False
        if fault.probability is not None and self._random.random() >= fault.probability:
            return False
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """All active faults, and the answers that they hold. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[int, _ActiveFault] = {}
        self._held: dict[int, Callable[[], None]] = {}
        self._last_number = 0

    def add(self, fault: Fault) -> int:
        """Add a fault; return its number."""
        with self._lock:
            self._last_number += 1
            self._active[self._last_number] = _ActiveFault(self._last_number, fault)
            return self._last_number

    def remove(self, number: int | None = None) -> None:
        """Remove one fault, or all of them."""
        with self._lock:
            if number is None:
                self._active.clear()
            else:
                self._active.pop(number, None)

    def to_json(self) -> list[dict[str, Any]]:
        """Return each active fault with its number, how often it struck and how often it still can."""
        with self._lock:
            return [
                {**asdict(active.fault), "number": active.number, "left": active.left, "struck": active.struck}
                for active in self._active.values()
            ]

    def strike(self, operation: str, subject: str) -> list[Fault]:
        """Return the faults that strike this request, and count each of them."""
        with self._lock:
            return [active.fault for active in self._active.values() if active.strike(operation, subject)]

    @property
    def held(self) -> int:
        """The number of answers that are held now."""
        return len(self._held)

    async def hold(self, seconds: float) -> None:
        """Wait for a release, at most ``seconds``."""
        released, loop = asyncio.Event(), asyncio.get_running_loop()

        def release() -> None:
            loop.call_soon_threadsafe(released.set)

        with self._lock:
            self._last_number += 1
            number = self._last_number
            self._held[number] = release
        try:
            await asyncio.wait_for(released.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        finally:
            with self._lock:
                self._held.pop(number, None)

    def release(self) -> int:
        """Release all held answers; return how many there were."""
        with self._lock:
            releases = list(self._held.values())
        for release in releases:
            release()
        return len(releases)
