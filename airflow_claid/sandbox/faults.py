"""Faults on demand: which one strikes a request, how often, and answers held until they are released."""

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
_CHARGED_UNLESS_TOLD = {"empty", "truncated", "hold"}
_LENGTHS = {"hold": 600.0, "slow": 2.0, "latency": 2.0}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    :param kind: for operations: ``latency``, ``429``, ``500``, ``502`` (with an HTML body), ``empty`` (an empty 200),
        ``truncated`` (half of the JSON), ``cut`` (the connection ends without a byte), ``hold`` (the answer waits for
        a release), ``job_error`` and ``job_stuck`` (a submitted job ends in ``ERROR``, or never ends), ``job_status``
        (a submitted job takes ``status``).
        For downloads: ``redirect``, ``truncated``, ``html``, ``huge``, ``slow``, ``expired``, ``cut``.
    :param operation: the contract's operation id, such as ``generate_image``; ``download`` for temporary addresses;
        None (default) for every operation, but not for downloads.
    :param prompt: strikes only requests with this text (in any case) in their prompt; where there is none, in their
        body; for downloads, in the path.
    :param count: strikes so many times; without it once, or for ever if there is a ``probability``.
    :param probability: strikes with this chance (0 to 1); always by default.
    :param seed: makes the chance repeatable; 0 by default.
    :param charged: whether the request has been charged, and its pictures made, when the fault strikes. Without it,
        what is usual for the kind: true for ``empty``, ``truncated`` and ``hold``; else false. Never true for ``429``.
    :param seconds: length of a latency, a slow download (2 by default), or the longest time of a hold (600). For
        ``job_stuck`` and ``job_status``: after so long the job goes on; without it, never.
    :param status: for ``job_status``: any word, such as ``PAUSED``, or one that the contract does not have. The job
        takes it as soon as it has been accepted; ``DONE`` (without a result), ``ERROR`` and ``CANCELLED`` are final.
    :param location: where a redirect leads.
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
        known = DOWNLOAD_KINDS if self.operation == DOWNLOAD else KINDS
        if self.kind not in known:
            raise ValueError(f"Fault kind {self.kind!r} is none of {', '.join(known)}.")
        if (self.kind == "job_status") != bool(self.status):
            raise ValueError("The fault 'job_status', and no other, has a status.")
        if self.kind == "429" and self.charged:
            raise ValueError("A 429 is never charged.")
        if self.kind in _CHARGED_UNLESS_TOLD and self.charged is False and self.operation != DOWNLOAD:
            raise ValueError(f"The fault {self.kind!r} strikes after charging; it cannot be charged=False.")

    @property
    def after_charge(self) -> bool:
        """Whether it strikes after charging."""
        return self.kind in _CHARGED_UNLESS_TOLD if self.charged is None else self.charged

    @property
    def halt(self) -> str | None:
        """The status at which it halts a job."""
        return "PROCESSING" if self.kind == "job_stuck" else self.status

    @property
    def wait(self) -> float:
        """Seconds that it lasts."""
        if self.seconds is not None:
            return self.seconds
        return _LENGTHS.get(self.kind, 0.0)


class _Standing:
    """A fault with what is left of it."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.left = fault.count
        if fault.count is None and fault.probability is None:
            self.left = 1
        self.struck = 0
        self._chance = random.Random(fault.seed)  # noqa: S311 - repeatable on purpose

    def strikes(self, operation: str, subject: str) -> bool:
        fault = self.fault
        if self.left == 0 or (operation == DOWNLOAD) != (fault.operation == DOWNLOAD):
            return False
        if fault.operation not in (None, operation):
            return False
        if fault.kind.startswith("job_") and not operation.startswith("submit_"):
            return False
        if fault.prompt is not None and fault.prompt.lower() not in subject.lower():
            return False
        if fault.probability is not None and self._chance.random() >= fault.probability:
            return False
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """All faults that stand, and the answers held by them. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standing: dict[int, _Standing] = {}
        self._held: dict[int, Callable[[], None]] = {}
        self._last = 0

    def add(self, fault: Fault) -> int:
        """Let a fault stand; return its number."""
        with self._lock:
            self._last += 1
            self._standing[self._last] = _Standing(self._last, fault)
            return self._last

    def remove(self, number: int | None = None) -> None:
        """Take back one fault, or all of them."""
        with self._lock:
            if number is None:
                self._standing.clear()
            else:
                self._standing.pop(number, None)

    def listed(self) -> list[dict[str, Any]]:
        """Return every fault with its number, what is left of it and how often it struck."""
        with self._lock:
            return [
                {**asdict(one.fault), "number": one.number, "left": one.left, "struck": one.struck}
                for one in self._standing.values()
            ]

    def draw(self, operation: str, subject: str) -> list[Fault]:
        """Return the faults that strike this request, each counted down."""
        with self._lock:
            return [one.fault for one in self._standing.values() if one.strikes(operation, subject)]

    @property
    def held(self) -> int:
        """How many answers are held now."""
        return len(self._held)

    async def hold(self, seconds: float) -> None:
        """Wait for a release, ``seconds`` at most."""
        released, loop = asyncio.Event(), asyncio.get_running_loop()

        def release() -> None:
            loop.call_soon_threadsafe(released.set)

        with self._lock:
            self._last += 1
            number = self._last
            self._held[number] = release
        try:
            await asyncio.wait_for(released.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        finally:
            with self._lock:
                self._held.pop(number, None)

    def release(self) -> int:
        """Let every held answer go; return how many there were."""
        with self._lock:
            held = list(self._held.values())
        for one in held:
            one()
        return len(held)
