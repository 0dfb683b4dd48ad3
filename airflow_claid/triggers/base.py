"""What the triggers have in common: an absolute end of the wait, and polls in threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from airflow.triggers.base import BaseTrigger

from airflow_claid.triggers.threads import in_thread

_R = TypeVar("_R")


class ClaidTrigger(BaseTrigger):
    """Base of the triggers, which only poll; nothing is ever paid in one.

    :param deadline: when the wait is over, in seconds since 1970 (UTC), so that a restart grants no new time. A last
        poll is made then. ``None`` leaves the end to Airflow's own timeout of the deferral.
    """

    def __init__(self, deadline: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.deadline = deadline

    @property
    def seconds_left(self) -> float:
        """Seconds until the wait is over."""
        return float("inf") if self.deadline is None else max(0.0, self.deadline - time.time())


async def poll_in_thread(room: str, poll: Callable[[], _R]) -> _R | Exception:
    """Poll in one of the few threads of a room; return the error where it fails, for the decision to count."""
    try:
        return await in_thread(room, poll)
    except Exception as error:  # noqa: BLE001 - connections and storages each fail in ways of their own
        return error
