"""Faults on demand: which of them strike a request, how often, and which answers are held until a release."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from airflow_claid.sandbox.conditions import DOWNLOAD, Rules, check_operation

Kind = Literal[
    "latency",
    "429",
    "500",
    "502",
    "empty",
    "truncated",
    "slow",
    "huge",
    "cut",
    "hold",
    "job_error",
    "job_stuck",
    "job_status",
]
DownloadKind = Literal["truncated", "huge", "slow", "expired", "cut"]
KINDS: tuple[str, ...] = get_args(Kind)
DOWNLOAD_KINDS: tuple[str, ...] = get_args(DownloadKind)
_CHARGED_BY_DEFAULT = {"empty", "truncated", "slow", "huge", "hold"}
_DEFAULT_SECONDS = {"hold": 600.0, "slow": 2.0, "latency": 2.0}


@dataclass(frozen=True)
class Fault:
    """A fault to inject into answers or downloads: something breaks. An answer that only differs is a dialect.

    :param kind: for operations: ``latency``, ``429``, ``500``, ``502`` (with an HTML body), ``empty`` (an empty 200),
        ``truncated`` (half of the JSON), ``slow`` (piece by piece), ``huge`` (with 8 GiB of blanks), ``cut`` (the
        connection ends without a byte), ``hold`` (the answer waits for a release), ``job_error`` and
        ``job_stuck`` (a submitted job ends in ``ERROR``, or never ends), ``job_status`` (a submitted job takes
        ``status``).
        For downloads: ``truncated``, ``huge``, ``slow``, ``expired``, ``cut``.
    :param operation: the contract's operation id, such as ``generate_image``; ``download`` for temporary addresses;
        None (default) for every operation, but not for downloads.
    :param prompt: strikes only requests whose prompt contains this text, in any case; without a prompt, whose body
        does; for downloads, whose path does.
    :param count: number of times that it strikes; by default once, or without limit if there is a ``probability``.
    :param probability: chance (0 to 1) that it strikes a request; always by default.
    :param seed: seed of the chance, which makes it repeatable; 0 by default.
    :param charged: whether the request is charged, and its pictures made, before the fault strikes. By default true
        for ``empty``, ``truncated``, ``slow``, ``huge`` and ``hold``, else false. Never true for ``429``.
    :param seconds: length of a latency or of a slow answer or download (2 by default), or of a hold at most (600). For
        ``job_stuck`` and ``job_status``: time after which the job continues; without it, never.
    :param status: for ``job_status``: any word, such as ``PAUSED``, or one that the contract does not have. The job
        takes it right after it has been accepted; ``DONE`` (without a result), ``ERROR`` and ``CANCELLED`` are final.
    """

    kind: str
    operation: str | None = None
    prompt: str | None = None
    count: int | None = None
    probability: float | None = None
    seed: int = 0
    charged: bool | None = None
    seconds: float | None = None
    status: str | None = None

    def __post_init__(self) -> None:
        check_operation(self.operation)
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
    def limit(self) -> int | None:
        """How often it strikes; None for without limit."""
        return 1 if self.count is None and self.probability is None else self.count

    def fits(self, operation: str) -> bool:
        """Return whether it can strike this operation: faults of jobs strike only what submits one."""
        return not self.kind.startswith("job_") or operation.startswith("submit_")

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


class Faults(Rules[Fault]):
    """All active faults, and the answers that they hold. Every method may be called from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[int, Callable[[], None]] = {}

    def to_json(self) -> list[dict[str, Any]]:
        """Return each active fault with its number, how often it struck and how often it still can."""
        return [{**asdict(fault), **record} for fault, record in self.active()]

    def strike(self, operation: str, subject: str) -> list[Fault]:
        """Return the faults that strike this request, and count each of them."""
        with self._lock:
            return [
                active.rule
                for active in self._active.values()
                if active.rule.fits(operation) and active.strike(operation, subject)
            ]

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
