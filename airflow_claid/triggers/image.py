"""The trigger that waits for pictures."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.triggers.base import ClaidTrigger, poll_in_thread
from airflow_claid.waiting.arrivals import Arrivals
from airflow_claid.waiting.decision import WaitState
from airflow_claid.waiting.pictures import PictureDecision, Watch, decide

_SHORTEST_INTERVAL = 0.1


class ClaidImageTrigger(ClaidTrigger):
    """Waits until usable images are at a place. Only polls; pays nothing.

    Fires once, with ``{"status": …, "message": …, "paths": […]}``; the statuses are those of
    :class:`~airflow_claid.waiting.decision.WaitState`, less ``"wait"``.

    :param output: see :class:`~airflow_claid.sensors.image.ClaidImageSensor`; so are ``number_of_images``,
        ``recursive`` and ``claid_conn_id``.
    :param poke_interval: seconds between two polls, give or take a fifth, so that many triggers do not poll at once.
    :param deadline: when the wait is over, in seconds since 1970 (UTC), so that a restart grants no new time. A last
        poll is made then.
    """

    def __init__(
        self,
        *,
        output: str,
        deadline: float,
        number_of_images: int = 1,
        recursive: bool = False,
        poke_interval: float = 60.0,
        claid_conn_id: str = ClaidHook.default_conn_name,
    ) -> None:
        super().__init__(deadline)
        self.output = output
        self.number_of_images = number_of_images
        self.recursive = recursive
        self.poke_interval = poke_interval
        self.claid_conn_id = claid_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger anew after a restart; connections are read again, not kept."""
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
        arrivals = Arrivals(watch, ClaidHook(self.claid_conn_id))
        decision = PictureDecision(WaitState.WAIT, "")
        while decision.state is WaitState.WAIT:
            await asyncio.sleep(self._pause())
            polled = await poll_in_thread("images", arrivals.poll)
            former, overdue = decision, self.seconds_left <= 0
            decision = decide(watch, polled, failures=former.failures, overdue=overdue)
            if decision.message != former.message:
                self.log.info("%s", decision.message)
        event = {"status": decision.state.value, "message": decision.message, "paths": list(decision.paths)}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    def _pause(self) -> float:
        """Return the seconds until the next poll: the interval with jitter, but not past the deadline."""
        jittered = max(self.poke_interval, _SHORTEST_INTERVAL) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads polls
        return min(jittered, self.seconds_left)
