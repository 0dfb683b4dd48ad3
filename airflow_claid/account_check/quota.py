"""Assumptions about the quota and its headers."""

from __future__ import annotations

from itertools import pairwise

from airflow_claid.account_check.assumption import Assumption, Finding, Group, agrees, differs, not_tried, note
from airflow_claid.account_check.evidence import Evidence, Exchange, Step
from airflow_claid.client.quota.rate_limits import DEFAULT_POLICIES, Policy, RateLimit

_NOT_ASKED = "Claid was not asked"
_LONG_WINDOW = 10.0
"""Seconds."""


class _Limit:
    """The quota in the headers of one answer."""

    def __init__(self, answer: Exchange) -> None:
        names = {"ratelimit-limit": "RateLimit-Limit", "ratelimit-remaining": "RateLimit-Remaining"}
        names |= {"ratelimit-reset": "RateLimit-Reset"}
        self.read = RateLimit.from_headers(
            {names[name]: value for name, value in answer.headers.items() if name in names}
        )
        self.is_there = "ratelimit-limit" in answer.headers
        self.has_other_form = "ratelimit-policy" in answer.headers or "ratelimit" in answer.headers


def _image_answers(evidence: Evidence) -> list[Exchange]:
    steps = (Step.NO_JOB, Step.NO_JOB_AGAIN, Step.GENERATION, Step.EDIT)
    return [one for one in evidence.exchanges if one.step in steps and one.status not in (401, 403)]


def _headers(evidence: Evidence) -> Finding:
    answers = _image_answers(evidence)
    if not answers:
        return not_tried(_NOT_ASKED)
    limits = [(one, _Limit(one)) for one in answers]
    without = sorted({one.operation for one, limit in limits if not limit.is_there})
    if without:
        form = ", but RateLimit-Policy or RateLimit" if any(limit.has_other_form for _, limit in limits) else ""
        return differs(f"{', '.join(without)} had no RateLimit-Limit{form}")
    unread = next((one for one, limit in limits if not limit.read.policies or limit.read.remaining is None), None)
    if unread is not None:
        return differs(f"{unread.operation} said {unread.headers['ratelimit-limit'][:80]!r}, which cannot be read")
    return agrees(limits[-1][0].headers["ratelimit-limit"][:80])


def _policies(evidence: Evidence) -> Finding:
    policies = next((limit.policies for one in _image_answers(evidence) if (limit := _Limit(one).read).policies), ())
    if not policies:
        return not_tried("no answer named the quota")
    if set(policies) == set(DEFAULT_POLICIES):
        return agrees(_told(policies))
    return note(f"the account may send {_told(policies)}")


def _told(policies: tuple[Policy, ...]) -> str:
    return ", ".join(f"{one.requests} in {one.window:g} s" for one in policies)


def compared_polls(evidence: Evidence) -> Finding | None:
    """Return whether polls count against the quota; ``None`` while the polls do not tell.

    Two polls tell if the same limit is in force in both answers, and its window is long: in a short one, earlier
    requests drop out between the two. As one may drop out of a long window as well, polls that leave the quota as it
    was must be seen twice.
    """
    polls = [*evidence.all(Step.NO_JOB), *evidence.all(Step.NO_JOB_AGAIN)]
    if len(polls) < 2 or any(one.status == 403 for one in polls):
        return not_tried(_NOT_ASKED)
    limits = [_Limit(one).read for one in polls]
    if any(limit.remaining is None for limit in limits):
        return differs("a poll's answer does not name the quota, so polls seem not to count")
    left_as_much = 0
    for before, after in pairwise(limits):
        window = next((one.window for one in after.policies if one.requests == after.in_force), 0.0)
        if window < _LONG_WINDOW or before.in_force != after.in_force:
            continue
        if (after.remaining or 0) < (before.remaining or 0):
            return agrees("of two polls the second left less than the first")
        left_as_much += (after.reset or 0) <= (before.reset or 0) + 1
    if left_as_much > 1:
        return differs("each of several polls left as much as the one before")
    return None


def _polls(evidence: Evidence) -> Finding:
    return compared_polls(evidence) or note("others use the account at the same time: check again later")


def _storage_quota(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.STORAGES)
    if answer is None:
        return not_tried("the storages were not listed")
    limit = _Limit(answer)
    return differs(f"they have: {_told(limit.read.policies) or '?'}") if limit.is_there else agrees("they have none")


GROUP = Group(
    "Quota",
    (
        Assumption(
            name="quota-headers",
            says="Answers about images have `RateLimit-Limit`, `-Remaining` and `-Reset`.",
            source="docs.claid.ai, promised for image answers",
            tried="all answers about images",
            cure="Nothing: Claid's published default is kept to, and a 429 costs nothing and is sent again within "
            "`max_wait`.",
            examine=_headers,
        ),
        Assumption(
            name="quota-policies",
            says="An account may send 120 requests a minute and 4 a second.",
            source="docs.claid.ai; copies of the docs differ",
            tried="the same headers",
            cure="Nothing: the headers are followed. Set `quota_store` so that many workers share it.",
            examine=_policies,
        ),
        Assumption(
            name="polls-count",
            says="Polling a job counts against the quota.",
            source="our reading; not documented",
            tried="the same job is polled twice, and what remains is compared",
            cure="Nothing: polls are paced all the same, and cost only time.",
            examine=_polls,
        ),
        Assumption(
            name="storage-quota",
            says="Operations on storages have no quota.",
            source="docs.claid.ai names none",
            tried="the headers of the list of storages",
            cure="Nothing: a 429 there costs nothing and is sent again within `max_wait`.",
            examine=_storage_quota,
        ),
    ),
)
