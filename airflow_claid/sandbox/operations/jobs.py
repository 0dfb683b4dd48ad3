"""Start, run and read a job; the same for all kinds."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

from fastapi.responses import JSONResponse

from airflow_claid.sandbox.errors import Refused
from airflow_claid.sandbox.jobs import Job
from airflow_claid.sandbox.pipeline import JSON, Call, Operation

log = logging.getLogger("airflow_claid.sandbox")
LATER_STATUSES = (("WAITING", 0.15), ("PROCESSING", 0.3))
"""The statuses after ``ACCEPTED``, each with the share of a job's seconds after which it begins."""
FAILURE = "Internal error while processing the image."
Work = Coroutine[Any, Any, JSON | list[JSON]]


def start_job(
    call: Call[Any], path: str, work: Work, errors: list[JSON] | None = None, *, status: str = "ACCEPTED"
) -> JSON:
    """Accept a job and start it; return the answer to its submission.

    The submission is charged. A job that ends in ``ERROR`` stays charged: Claid does not document this case, and this
    is the cautious assumption.

    :param path: address of the job below ``/v1``, without its id.
    :param work: returns the job's result.
    :param errors: list to which ``work`` adds the job's errors.
    :param status: status in the answer to the submission.
    """
    job = call.service.jobs.open(call.entry.operation, path, call.raw, call.key.label)
    job.status = status
    job.started_at = call.service.clock()
    if errors is not None:
        job.errors = errors
    call.service.in_background(_run(call, job, work))
    return answer_of(call, job)


async def _run(call: Call[Any], job: Job, work: Work) -> None:
    try:
        if await _halted(call, job):
            return
        await _pass_statuses(call, job)
        if any(fault.kind == "job_error" for fault in call.faults):
            job.fail(FAILURE)
        else:
            job.finish(await work)
    except Refused as refused:
        details = "; ".join(f"{name}: {', '.join(messages)}" for name, messages in refused.details.items())
        job.fail(details or refused.message)
    except Exception:
        log.exception("The sandbox itself failed in job %s", job.id)
        job.fail("Internal error.")
    finally:
        work.close()
        if job.ended:
            _post_to_webhook(call, job)


async def _halted(call: Call[Any], job: Job) -> bool:
    """Take the statuses that the job's faults demand, one by one; return whether the job stays in the last."""
    clock = call.service.clock
    for fault in call.faults:
        if fault.halting_status is None:
            continue
        if fault.halting_status == "ERROR":
            job.fail(FAILURE)
        job.status = fault.halting_status
        if job.ended or fault.seconds is None:
            return True
        job.started_at += fault.seconds
        await clock.until(job.started_at)
        job.status = "PROCESSING"
    return False


async def _pass_statuses(call: Call[Any], job: Job) -> None:
    """Take the remaining statuses, spread over the job's seconds."""
    clock, seconds = call.service.clock, call.service.settings.job_seconds
    for status, share in LATER_STATUSES if job.status == "ACCEPTED" else ():
        await clock.until(job.started_at + seconds * share)
        job.status = status
    await clock.until(job.started_at + seconds)


def _post_to_webhook(call: Call[Any], job: Job) -> None:
    """Post the answer of an ended job to the webhook: the same bytes as the answer to a GET."""
    settings = call.service.settings
    if settings.webhook_url:
        body = bytes(JSONResponse(answer_of(call, job)).body)
        call.service.webhooks.send(settings.webhook_url, settings.webhook_secret, job.id, body)


def answer_of(call: Call[Any], job: Job) -> JSON:
    """Return the body of an answer about a job."""
    return {"data": job.to_json(call.service.base_url)}


def job_reader(name: str, kind: str, path: str, scope: str) -> Operation[None]:
    """Return the operation that reads jobs of one kind. A read counts against the general quota."""

    async def read(call: Call[None]) -> JSON:
        return answer_of(call, call.service.jobs.get(kind, call.number))

    return Operation(name, "GET", f"{path}/{{number}}", scope, read, quota="image")
