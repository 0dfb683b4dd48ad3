"""Assumptions about the way to Claid, the key and its scopes."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

from airflow_claid.account_check.assumption import Assumption, Finding, Group, agrees, differs, not_tried, note
from airflow_claid.account_check.evidence import Evidence, Exchange, Step

_MOST_SECONDS_APART = 60.0
_PROXY_REFUSED = 407
_NO_ANSWER = "Claid did not answer"
_SCOPES_OF_CLAID = "Claid's dashboard"


def is_reached(evidence: Evidence) -> bool:
    """Return whether it was Claid that answered, and not a proxy or another server."""
    answer = evidence.last(Step.NO_JOB)
    return answer is not None and _why_not_claid(answer) is None


def is_known(evidence: Evidence) -> bool:
    """Return whether Claid answered, and knows the key."""
    answer = evidence.last(Step.NO_JOB)
    return is_reached(evidence) and answer is not None and answer.status != 401


def _why_not_claid(answer: Exchange) -> str | None:
    if answer.status == _PROXY_REFUSED:
        return "a proxy asks for user and password (407)"
    if 300 <= answer.status < 400:
        return f"the answer is a redirect ({answer.status})"
    if answer.status >= 500 and answer.kind == "json":
        return f"it answered {answer.status}: it cannot be used at present"
    if answer.kind in ("html", "text"):
        return f"the answer ({answer.status}) is {answer.kind}, as from a proxy, and not Claid's JSON"
    return None


def _reached(evidence: Evidence) -> Finding:
    answer, failure = evidence.last(Step.NO_JOB), evidence.failures.get(Step.NO_JOB, "")
    if answer is None:
        through = " through the proxy that the environment names" if "through the proxy" in failure else ""
        return differs(f"nothing answered{through}", detail=failure)
    problem = _why_not_claid(answer)
    if problem is None:
        return agrees(f"it answered {answer.status} after {answer.seconds:.2f} s")
    target = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
    if target:
        return differs(problem, detail=f"it leads to {target}", cure="Set the host (Base URL) to that address.")
    return differs(problem, detail=failure)


def _key(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.NO_JOB)
    if answer is None or not is_reached(evidence):
        return not_tried(_NO_ANSWER)
    return differs("Claid does not know it (401)") if answer.status == 401 else agrees("Claid knows it")


def _editing(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.NO_JOB)
    if answer is None or not is_known(evidence):
        return not_tried(_NO_ANSWER if not is_reached(evidence) else "Claid does not know the key")
    return differs("Claid refuses it (403)") if answer.status == 403 else agrees("it may")


def _storage(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.STORAGES)
    if answer is None or answer.status >= 500:
        return not_tried("the storages were not listed")
    if answer.status != 403:
        return agrees("it may")
    if evidence.mapping:
        return differs("it may not (403), and the connection maps storages")
    return note("it may not (403)")


def _video(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.NO_VIDEO)
    if answer is None or answer.status >= 500:
        return not_tried("no video was asked for")
    return note("it may not (403)") if answer.status == 403 else agrees("it may")


def _clock(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.NO_JOB)
    if answer is None or not is_reached(evidence):
        return not_tried(_NO_ANSWER)
    try:
        sent = parsedate_to_datetime(answer.headers.get("date", ""))
        apart = (datetime.fromisoformat(answer.received_at) - sent).total_seconds()
    except (TypeError, ValueError):
        return note("the answer does not tell the time")
    if abs(apart) <= _MOST_SECONDS_APART:
        return agrees(f"{abs(apart):.0f} s apart at most")
    return differs(f"this machine is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}")


def _request_ids(evidence: Evidence) -> Finding:
    asked = [one for one in evidence.exchanges if one.step != Step.WRONG_KEY]
    if not asked:
        return not_tried(_NO_ANSWER)
    without = sorted({one.operation for one in asked if not one.headers.get("x-request-id")})
    return differs(f"{', '.join(without)} had none") if without else agrees(f"all {len(asked)} answers have one")


def _content_types(evidence: Evidence) -> Finding:
    answers = [one for one in evidence.exchanges if one.kind != "empty"]
    if not answers or not is_reached(evidence):
        return not_tried(_NO_ANSWER)
    others = sorted({f"{one.operation}: {one.content_type or 'none'}" for one in answers if not _is_json(one)})
    return differs("; ".join(others)) if others else agrees("application/json")


def _is_json(answer: Exchange) -> bool:
    return answer.kind == "json" and answer.content_type == "application/json"


GROUP = Group(
    "Key and way to Claid",
    (
        Assumption(
            name="reached",
            says="Claid answers at the connection's host, without a redirect.",
            source="docs.claid.ai: `https://api.claid.ai/v1/`",
            tried="a job that cannot exist is polled",
            cure="Check the `host` (Base URL), the firewall, and the proxy in `HTTPS_PROXY`: see connection.md, "
            "*Proxies and certificates*.",
            examine=_reached,
        ),
        Assumption(
            name="key",
            says="Claid knows the API key.",
            source="docs.claid.ai: 401 for a key that it does not know",
            tried="the same poll",
            cure="Set `password` (API key) to the key in Claid's dashboard, and `host` to the Claid that knows it.",
            examine=_key,
        ),
        Assumption(
            name="scope-editing",
            says="The key may generate and edit.",
            source=f"{_SCOPES_OF_CLAID}: the scope *Image editing*",
            tried="the same poll: 403 without the scope",
            cure="Give the key the scope *Image editing*, or *Admin*, in Claid's dashboard; if it has one, ask Claid's "
            "support.",
            examine=_editing,
        ),
        Assumption(
            name="scope-storage",
            says="The key may list connected storages.",
            source=f"{_SCOPES_OF_CLAID}: the scope *Storage*",
            tried="the storages are listed: 403 without the scope",
            cure="Give the key the scope *Storage*, or *Admin*, if you use `storage://` paths.",
            examine=_storage,
        ),
        Assumption(
            name="scope-video",
            says="The key may make videos.",
            source=f"{_SCOPES_OF_CLAID}: only *Admin* has it",
            tried="a video that cannot exist is polled",
            cure="Give the key the scope *Admin* if you make videos or scenes.",
            examine=_video,
        ),
        Assumption(
            name="request-id",
            says="Each answer has an `x-request-id`.",
            source="docs.claid.ai",
            tried="all answers of the check",
            cure="Nothing: receipts and errors go without it. Tell Claid's support the time instead.",
            examine=_request_ids,
        ),
        Assumption(
            name="content-type",
            says="Answers are JSON, and say so.",
            source="docs.claid.ai",
            tried="all answers of the check",
            cure="Nothing: the bytes are read, whatever the header says.",
            examine=_content_types,
        ),
        Assumption(
            name="clock",
            says=f"This machine's clock is within {_MOST_SECONDS_APART:.0f} s of Claid's.",
            source="our assumption: links are taken to live 24 hours from the answer",
            tried="the header `Date` of an answer",
            cure="Set this machine's clock by NTP; nothing in the connection.",
            examine=_clock,
        ),
    ),
)
