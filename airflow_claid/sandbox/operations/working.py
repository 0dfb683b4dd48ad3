"""How a job is begun, worked on and read; the same for all five kinds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from airflow_claid.sandbox.errors import Refused
from airflow_claid.sandbox.jobs import Job
from airflow_claid.sandbox.pipeline import JSON, Call, Operation

log = logging.getLogger("airflow_claid.sandbox")
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
    if errors is not None:
        job.errors = errors
    call.service.in_background(_run(call, job, work))
    return {"data": job.to_json(call.service.base_url)}


async def _run(call: Call[Any], job: Job, work: Work) -> None:
    seconds = call.service.settings.job_seconds
    kinds = {fault.kind for fault in call.faults}
    try:
        await asyncio.sleep(seconds * 0.3)
        job.status = "PROCESSING"
        if "job_stuck" in kinds:
            return
        await asyncio.sleep(seconds * 0.7)
        if "job_error" in kinds:
            job.fail("Internal error while processing the image.")
            return
        job.finish(await work)
    except Refused as refused:
        details = "; ".join(f"{name}: {', '.join(said)}" for name, said in refused.details.items())
        job.fail(details or refused.message)
    except Exception:
        log.exception("The sandbox itself failed in job %s", job.id)
        job.fail("Internal error.")
    finally:
        work.close()


def job_reader(name: str, kind: str, path: str, scope: str) -> Operation[None]:
    """Describe the operation that reads jobs of one kind. Reading counts for the general quota."""

    async def read(call: Call[None]) -> JSON:
        return {"data": call.service.jobs.get(kind, call.number).to_json(call.service.base_url)}

    return Operation(name, "GET", f"{path}/{{number}}", scope, read, quota="image")
