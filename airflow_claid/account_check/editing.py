"""Assumptions about an edit, which becomes a job."""

from __future__ import annotations

from typing import Any

from airflow_claid.account_check.answered_pictures import (
    at,
    delivered,
    in_time,
    needs,
    picture_as_asked,
    unlike_the_contract,
)
from airflow_claid.account_check.assumption import Assumption, Finding, Group, agrees, differs, note, verdict
from airflow_claid.account_check.evidence import Evidence, Step
from airflow_claid.client import JobOutcome
from airflow_claid.client.models.jobs import Job, JobKind

WIDTH = 64
_CONTRACT = "the contract: `EditJob`"
_COPES = "Nothing: an id or a link is found wherever it stands, and what does not fit is dropped."


def _submission(evidence: Evidence) -> Any:
    answer = evidence.last(Step.EDIT, "submit_edit")
    return at(answer.body, "data") if answer else None


def _result(evidence: Evidence) -> Any:
    answer = evidence.last(Step.EDIT, "get_edit")
    return at(answer.body, "data") if answer else None


def _job(evidence: Evidence, _: dict[str, Any]) -> Finding:
    answer, data = evidence.last(Step.EDIT, "submit_edit"), _submission(evidence)
    if answer is None:
        return differs("there was no answer")
    if not isinstance(data, dict):
        return differs(f"there is no data (the body is {answer.kind})")
    problems = [] if answer.status == 200 else [f"it was answered {answer.status}"]
    if isinstance(data.get("id"), bool) or not isinstance(data.get("id"), int):
        problems.append(f"data.id is of the type {type(data.get('id')).__name__}")
    problems += [f"data.{name} is missing" for name in ("status", "created_at", "request") if name not in data]
    return verdict(problems, "data.id is a number")


def _statuses(evidence: Evidence, _: dict[str, Any]) -> Finding:
    words = [at(one.body, "data", "status") for one in evidence.all(Step.EDIT)]
    seen = list(dict.fromkeys(str(word)[:40] for word in words if word is not None))
    unknown = [word for word in seen if Job.of(JobKind.EDIT, {"id": 1, "status": word}).outcome is JobOutcome.UNKNOWN]
    return differs(f"its status was {', '.join(unknown)}") if unknown else agrees(", then ".join(seen) or "no status")


def _result_url(evidence: Evidence, _: dict[str, Any]) -> Finding:
    address = at(_submission(evidence), "result_url")
    if not isinstance(address, str):
        return note("there is none")
    return agrees(address.partition("://")[0] + "://…")


def _result_fields(evidence: Evidence, _: dict[str, Any]) -> Finding:
    result = at(_result(evidence), "result")
    if not isinstance(result, dict):
        return differs(f"data.result is of the type {type(result).__name__}")
    missing = [f"data.result.{name} is missing" for name in ("input_object", "output_object") if name not in result]
    return verdict([*missing, *unlike_the_contract([result.get("output_object")])], "as in the contract")


def _seconds(evidence: Evidence, facts: dict[str, Any]) -> Finding:
    return in_time(float(facts.get("seconds", 0.0)), evidence.job_timeout)


GROUP = Group(
    "Edit",
    (
        Assumption(
            name="edit-read",
            says="This version reads the answers about an edit, and opens its picture.",
            source="all that follows",
            tried="the generated picture is made smaller, as a task would",
            cure="No setting: it is paid and kept in the receipt. Send us the report, and upgrade airflow-claid.",
            examine=needs(Step.EDIT, delivered, answer=False),
        ),
        Assumption(
            name="edit-job",
            says="An edit is answered 200 with a job, whose `data.id` is a number.",
            source=_CONTRACT,
            tried="the answer to the submission",
            cure=_COPES,
            examine=needs(Step.EDIT, _job),
        ),
        Assumption(
            name="edit-statuses",
            says="The statuses of a job are those of the contract.",
            source="the contract: `JobStatus`",
            tried="all polls of the job",
            cure="Nothing: a job of an unknown status is waited for, up to `timeout`.",
            examine=needs(Step.EDIT, _statuses),
        ),
        Assumption(
            name="edit-result-url",
            says="A job has a `result_url`; it may be plain `http://`.",
            source="docs.claid.ai, and captured answers",
            tried="the answer to the submission",
            cure="Nothing: it is never followed, so that the key does not go there.",
            examine=needs(Step.EDIT, _result_url),
        ),
        Assumption(
            name="edit-result",
            says="A job that is done has `result.input_object` and `result.output_object`.",
            source=_CONTRACT,
            tried="the last poll of the job",
            cure=_COPES,
            examine=needs(Step.EDIT, _result_fields),
        ),
        Assumption(
            name="edit-picture",
            says=f"`resizing` under `bounds` to a width of {WIDTH} gives a picture that wide, in the format asked for.",
            source="docs.claid.ai",
            tried="the picture is opened",
            cure="Nothing in the connection: look at the picture, and at `operations` of your tasks.",
            examine=needs(Step.EDIT, picture_as_asked(WIDTH, None, "image/png")),
        ),
        Assumption(
            name="edit-seconds",
            says="A job ends within half of a task's default `timeout`.",
            source="our default of an hour; no public figure",
            tried="the seconds from sending to the end",
            cure="Raise `timeout` of the operators; nothing in the connection.",
            examine=needs(Step.EDIT, _seconds),
        ),
    ),
    paid=True,
)
