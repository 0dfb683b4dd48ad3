"""How a job is begun, worked on and read; the same for all five kinds."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

from fastapi.responses import JSONResponse

from airflow_claid.sandbox.errors import Refused
from airflow_claid.sandbox.jobs import Job
from airflow_claid.sandbox.pipeline import JSON, Call, Operation

log = logging.getLogger("airflow_claid.sandbox")
LATER_STATES = (("WAITING", 0.15), ("PROCESSING", 0.3))
"""What follows ``ACCEPTED``, each after this part of a job's seconds."""
FAILURE = "Internal error while processing the image."
Work = Coroutine[Any, Any, JSON | list[JSON]]


def start_job(
    call: Call[Any], path: str, work: Work, errors: list[JSON] | None = None, *, status: str = "ACCEPTED"
) -> JSON:
    """Accept a job and let it be worked on; return the answer to its submission.

    The submission is charged; a job that ends in ``ERROR`` stays charged, the careful reading of an undocumented point.

    :param path: address of the job below ``/v1``, without its id.
    :param work: makes the result.
    :param errors: a list that ``work`` adds to, shown as the job's errors.
    :param status: status in the answer to the submission.
    """
    job = call.service.jobs.open(call.entry.operation, path, call.raw, call.key.label)
    job.status = status
    job.begun = call.service.clock()
    if errors is not None:
        job.errors = errors
    call.service.in_background(_run(call, job, work))
    return answer_of(call, job)


async def _run(call: Call[Any], job: Job, work: Work) -> None:
    try:
        if await _halted(call, job):
            return
        await _pass_states(call, job)
        if any(fault.kind == "job_error" for fault in call.faults):
            job.fail(FAILURE)
        else:
            job.finish(await work)
    except Refused as refused:
        details = "; ".join(f"{name}: {', '.join(said)}" for name, said in refused.details.items())
        job.fail(details or refused.message)
    except Exception:
        log.exception("The sandbox itself failed in job %s", job.id)
        job.fail("Internal error.")
    finally:
        work.close()
        if job.ended:
            _tell(call, job)


async def _halted(call: Call[Any], job: Job) -> bool:
    """Put a job into the statuses of its faults, one after the other; return whether it stays there."""
    clock = call.service.clock
    for fault in call.faults:
        if fault.halt is None:
            continue
        if fault.halt == "ERROR":
            job.fail(FAILURE)
        job.status = fault.halt
        if job.ended or fault.seconds is None:
            return True
        job.begun += fault.seconds
        await clock.until(job.begun)
        job.status = "PROCESSING"
    return False


async def _pass_states(call: Call[Any], job: Job) -> None:
    """Spread what is left of a job's states over its seconds."""
    clock, seconds = call.service.clock, call.service.settings.job_seconds
    for status, part in LATER_STATES if job.status == "ACCEPTED" else ():
        await clock.until(job.begun + seconds * part)
        job.status = status
    await clock.until(job.begun + seconds)


def _tell(call: Call[Any], job: Job) -> None:
    """Post the answer of a job that has ended, the same bytes that reading it gives, to the webhook."""
    settings = call.service.settings
    if settings.webhook_url:
        body = bytes(JSONResponse(answer_of(call, job)).body)
        call.service.webhooks.send(settings.webhook_url, settings.webhook_secret, job.id, body)


def answer_of(call: Call[Any], job: Job) -> JSON:
    """Return the body that tells of a job."""
    return {"data": job.to_json(call.service.base_url)}


def job_reader(name: str, kind: str, path: str, scope: str) -> Operation[None]:
    """Describe the operation that reads jobs of one kind. Reading counts for the general quota."""

    async def read(call: Call[None]) -> JSON:
        return answer_of(call, call.service.jobs.get(kind, call.number))

    return Operation(name, "GET", f"{path}/{{number}}", scope, read, quota="image")
