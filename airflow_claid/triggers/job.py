"""The trigger that waits for jobs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_claid.client import ClaidValidationError, Job, JobKind
from airflow_claid.client.text import listed
from airflow_claid.fulfilment.progress import Progress
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.triggers.base import ClaidTrigger, poll_in_thread
from airflow_claid.waiting.decision import WaitState
from airflow_claid.waiting.jobs import JobDecision, decide, goes_on, job_ids, job_kind, pause

if TYPE_CHECKING:
    from airflow_claid.client import ClaidClient

_CLIENT_LIFE = 300.0
"""Seconds after which a connection is read anew, in case somebody changed it."""

_clients: dict[str, tuple[ClaidClient, float]] = {}
_clients_lock = threading.Lock()


class ClaidJobTrigger(ClaidTrigger):
    """Waits until jobs have ended. Only asks for them (GET); pays nothing, so it may run twice or start anew.

    Fires once, with ``{"status": …, "message": …, "jobs": {ID: STATUS}}``; the statuses are those of
    :class:`~airflow_claid.waiting.decision.WaitState`, less ``"wait"``. ``"ended"`` tells nothing of success: who gets
    the event polls the jobs, and so sees what a worker that waits would see. All jobs are waited for, also where one
    has failed, or cannot be polled until somebody changes something (``"refused"``).

    :param kind: of the jobs: ``"edit"``, ``"batch_edit"``, ``"ai_edit"``, ``"fashion_model"`` or ``"video"``.
    :param job_id: Claid's number, or a list, as numbers or (after a template) as text.
    :param deadline: when the wait is over, in seconds since 1970 (UTC), so that a restart grants no new time;
        ``None`` leaves that to Airflow's own timeout of the deferral.
    :param deadlines: when the wait for single jobs is over, by id as text; ``deadline`` goes for the others. A job
        whose time is over ends the wait for no other.
    :param poll_interval: the longest time, in seconds, between two polls; the first ones come sooner.
    :param claid_conn_id: the Airflow connection to Claid.
    :param credits: what the jobs cost as far as is known, to tell whoever kills the task.
    """

    clock = staticmethod(time.monotonic)
    """By which it says how far it has come."""

    def __init__(
        self,
        *,
        kind: str,
        job_id: Sequence[int | str] | int | str,
        deadline: float | None = None,
        deadlines: Mapping[str, float] | None = None,
        poll_interval: float = 10.0,
        claid_conn_id: str = ClaidHook.default_conn_name,
        credits: float | None = None,  # noqa: A002 - Claid's own word
    ) -> None:
        super().__init__(deadline)
        self.kind = kind
        self.job_id = job_id
        self.deadlines: dict[str, float] = dict(deadlines or {})
        self.poll_interval = poll_interval
        self.claid_conn_id = claid_conn_id
        self.credits = credits

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger anew after a restart; the connection is read again, not kept."""
        return (
            "airflow_claid.triggers.job.ClaidJobTrigger",
            {
                "kind": self.kind,
                "job_id": self.job_id,
                "deadline": self.deadline,
                "deadlines": self.deadlines,
                "poll_interval": self.poll_interval,
                "claid_conn_id": self.claid_conn_id,
                "credits": self.credits,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll the jobs until the wait ends, then tell how."""
        try:
            kind = job_kind(self.kind, "kind")
            pending = {job_id: JobDecision(WaitState.WAIT, "") for job_id in job_ids(self.job_id, "job_id")}
        except ClaidValidationError as error:
            yield self._event(WaitState.REFUSED, str(error), {})
            return
        over: dict[int | str, JobDecision] = {}
        progress, number, polls = Progress(self.clock), len(pending), 0
        while pending:
            await asyncio.sleep(pause(polls, self.poll_interval, min(map(self._seconds_left, pending))))
            polls += 1
            overdue = {job_id for job_id in pending if self._seconds_left(job_id) <= 0}
            jobs = await asyncio.gather(*(self._poll(kind, job_id) for job_id in pending))
            for (job_id, former), job in zip(list(pending.items()), jobs, strict=True):
                name = f"Job {job_id} ({self.kind})"
                decision = decide(name, job, failures=former.failures, overdue=job_id in overdue)
                pending[job_id] = decision
                if decision.message != former.message:
                    self.log.info("%s", decision.message)
                if decision.final or decision.state is WaitState.TIMED_OUT:
                    over[job_id] = pending.pop(job_id)
            stopped = next((decision for decision in pending.values() if decision.state is not WaitState.WAIT), None)
            if stopped is not None:
                yield self._event(stopped.state, stopped.message, {**over, **pending})
                return
            if progress.is_due():
                self.log.info("%s of %s jobs have ended, or had their time", f"{len(over):,}", f"{number:,}")
        yield self._end_of(over)

    def _end_of(self, over: dict[int | str, JobDecision]) -> TriggerEvent:
        """Return the event of a wait in which every job has ended, or had its time."""
        states = {decision.state for decision in over.values()}
        last = (WaitState.TIMED_OUT, WaitState.REFUSED, WaitState.ENDED)
        state = next(state for state in last if state in states)
        messages = [decision.message for decision in over.values() if decision.state is state]
        return self._event(state, listed(messages, "; "), over)

    def _seconds_left(self, job_id: int | str) -> float:
        """Seconds until the wait for a job is over."""
        deadline = self.deadlines.get(str(job_id))
        return self.seconds_left if deadline is None else max(0.0, deadline - time.time())

    async def on_kill(self) -> None:
        """Tell what goes on, where a person kills or clears the task (Airflow 3.3+)."""
        self.log.warning("%s", goes_on(self.job_id, self.credits))

    async def _poll(self, kind: JobKind, job_id: int | str) -> Job | Exception:
        room = f"job-{kind.value}-{self.claid_conn_id}"
        return await poll_in_thread(room, lambda: _client(self.claid_conn_id).get_job(kind, job_id))

    @staticmethod
    def _event(state: WaitState, message: str, decisions: dict[int | str, JobDecision]) -> TriggerEvent:
        jobs = {str(job_id): decision.job.status if decision.job else None for job_id, decision in decisions.items()}
        return TriggerEvent({"status": state.value, "message": message, "jobs": jobs})  # type: ignore[no-untyped-call]


def _client(claid_conn_id: str) -> ClaidClient:
    """Return the client of a connection, one for all triggers of the process."""
    with _clients_lock:
        client, made_at = _clients.get(claid_conn_id, (None, 0.0))
        if client is None or time.monotonic() - made_at > _CLIENT_LIFE:
            client = ClaidHook(claid_conn_id).client
            _clients[claid_conn_id] = (client, time.monotonic())
    return client
