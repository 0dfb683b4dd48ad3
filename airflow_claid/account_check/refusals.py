"""Assumptions about how Claid refuses a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_claid.account_check.assumption import Assumption, Finding, Group, differs, not_tried, verdict
from airflow_claid.account_check.evidence import Evidence, Exchange, Step

_ENVELOPE = "`error_code`, `error_type`, `error_message`"


def _envelope_problems(answer: Exchange) -> list[str]:
    """Return what an error lacks of Claid's documented form."""
    if not isinstance(answer.body, Mapping):
        return [f"its body is {answer.kind}" if answer.kind != "json" else "its body is no object"]
    if not isinstance(answer.body.get("error_message"), str):
        return [f"it has no error_message (its fields: {', '.join(map(str, answer.body)) or 'none'})"]
    texts = ("error_code", "error_type")
    return [f"{name} is no text" for name in texts if not isinstance(answer.body.get(name), str)]


def _refusal(
    step: str, status: int, problems: Callable[[Exchange], list[str]], others: tuple[int, ...] = ()
) -> Callable[[Evidence], Finding]:
    """Return an examination of a refusal.

    :param status: which one the docs name.
    :param problems: what its body lacks.
    :param others: further statuses as good.
    """

    def examine(evidence: Evidence) -> Finding:
        answer = evidence.last(step)
        if answer is None or answer.status == 403 or (answer.status == 401 and step != Step.WRONG_KEY):
            return not_tried("Claid was not asked, or refused the key")
        found = [] if answer.status in (status, *others) else [f"it answered {answer.status}"]
        if answer.status < 400:
            return differs("; ".join(found))
        return verdict([*found, *problems(answer)], f"{answer.status}, {_told(answer.body)}")

    return examine


def _told(body: Any) -> str:
    if isinstance(body, Mapping) and body.get("error_code") is not None:
        return f"error {body.get('error_code')}, type {body.get('error_type')}"
    return "in FastAPI's form" if isinstance(body, Mapping) and isinstance(body.get("detail"), list) else "as expected"


def _details(answer: Exchange) -> list[str]:
    problems = _envelope_problems(answer)
    if problems and isinstance(answer.body, Mapping) and isinstance(answer.body.get("detail"), list):
        return []
    if not problems and not isinstance(answer.body.get("error_details"), Mapping):
        return ["it has no error_details"]
    return problems


def _of_fastapi(answer: Exchange) -> list[str]:
    if isinstance(answer.body, Mapping) and isinstance(answer.body.get("detail"), list):
        return []
    return _envelope_problems(answer)


GROUP = Group(
    "Refusals",
    (
        Assumption(
            name="refusal-key",
            says=f"A key that Claid does not know is answered 401, with {_ENVELOPE}.",
            source="docs.claid.ai: error 111",
            tried="a poll with a key that was made up",
            cure="Nothing: any text of an error is shown. If the status is not 401, a wrong key may look like another "
            "fault.",
            examine=_refusal(Step.WRONG_KEY, 401, _envelope_problems),
        ),
        Assumption(
            name="refusal-no-job",
            says=f"A job that does not exist is answered 404, with {_ENVELOPE}.",
            source="docs.claid.ai",
            tried="job 0 is polled",
            cure="Nothing: a sensor and a wait tell the status, whatever it is.",
            examine=_refusal(Step.NO_JOB, 404, _envelope_problems),
        ),
        Assumption(
            name="refusal-bad-id",
            says="An id that is no number is answered 422, in FastAPI's form or Claid's.",
            source="the contract: `HTTPValidationError`",
            tried="a job with such an id is polled",
            cure="Nothing: every 4xx is a refusal that costs nothing.",
            examine=_refusal(Step.BAD_ID, 422, _of_fastapi, others=(404,)),
        ),
        Assumption(
            name="refusal-invalid",
            says="A request that breaks the contract is answered 422, with `error_details` by field.",
            source="docs.claid.ai: error 9000; 400 has been seen, too",
            tried="an edit without an input, which cannot be charged",
            cure="Nothing: 400 and 422 are both refusals that cost nothing.",
            examine=_refusal(Step.EMPTY_EDIT, 422, _details),
        ),
    ),
)
