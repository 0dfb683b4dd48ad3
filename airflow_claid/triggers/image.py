"""The trigger that waits for pictures."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_claid.triggers.threads import in_thread
from airflow_claid.waiting.arrivals import Arrivals
from airflow_claid.waiting.pictures import Decision, Outcome, Poll, Watch, decide

_SHORTEST_INTERVAL = 0.1


class ClaidImageTrigger(BaseTrigger):
    """Waits until good images are at a place. Only looks; pays nothing.

    Fires once, with ``{"status": …, "message": …, "paths": […]}``; the statuses are those of
    :class:`~airflow_claid.waiting.pictures.Outcome`, less ``"wait"``.

    :param output: see :class:`~airflow_claid.sensors.image.ClaidImageSensor`; so are ``number_of_images``,
        ``recursive`` and ``claid_conn_id``.
    :param poke_interval: seconds between two looks, give or take a fifth, so that many triggers do not look at once.
    :param deadline: when the wait is over, in seconds since 1970 (UTC), so that a restart grants no new time. A last
        look is taken then.
    """

    def __init__(
        self,
        *,
        output: str,
        deadline: float,
        number_of_images: int = 1,
        recursive: bool = False,
        poke_interval: float = 60.0,
        claid_conn_id: str = "claid_default",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.output = output
        self.deadline = deadline
        self.number_of_images = number_of_images
        self.recursive = recursive
        self.poke_interval = poke_interval
        self.claid_conn_id = claid_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what makes this trigger anew after a restart; connections are read again, not kept."""
        return (
            "airflow_claid.triggers.image.ClaidImageTrigger",
            {
                "output": self.output,
                "deadline": self.deadline,
                "number_of_images": self.number_of_images,
                "recursive": self.recursive,
                "poke_interval": self.poke_interval,
                "claid_conn_id": self.claid_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the wait ends, then tell how."""
        watch = Watch(self.output, self.number_of_images, self.recursive)
        arrivals = Arrivals(watch, self.claid_conn_id)
        last = Decision(Outcome.WAIT, "")
        while last.outcome is Outcome.WAIT:
            await asyncio.sleep(self._pause())
            seen = await _seen_by(arrivals)
            said, overdue = last.message, time.time() >= self.deadline
            last = decide(watch, seen, failures=last.failures, overdue=overdue)
            if last.message != said:
                self.log.info("%s", last.message)
        event = {"status": last.outcome.value, "message": last.message, "paths": list(last.paths)}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    def _pause(self) -> float:
        """Seconds until the next look: the interval with jitter, but not past the deadline."""
        jittered = max(self.poke_interval, _SHORTEST_INTERVAL) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads looks
        return max(0.0, min(jittered, self.deadline - time.time()))


async def _seen_by(arrivals: Arrivals) -> Poll | Exception:
    try:
        return await in_thread("look", arrivals.look)
    except Exception as error:  # noqa: BLE001 - each storage fails in a way of its own; decide() counts them
        return error
