"""An account that differs: each difference is named, with the setting that cures it, or that none is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_claid.account_check.assumption import Outcome
from airflow_claid.account_check.check import GROUPS
from airflow_claid.account_check.evidence import Evidence, Exchange, Step
from airflow_claid.account_check.report import cure_of, report_as_text
from airflow_claid.sandbox import Sandbox
from tests.support.account_differences import COPES, DIFFERENCES
from tests.unit.account_check.conftest import Check

QUICK = "6000/60,100/1"
"""A quota at which a check takes no time; that it is not the documented one is a note."""

COPED = [
    name
    for name, one in DIFFERENCES.items()
    if one.cure == COPES and "spend" in one.check and "generation-read" not in one.named
]
"""Differences of what is paid that need no setting."""


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_named_with_its_cure(name: str, check: Check, account: Sandbox) -> None:
    difference = DIFFERENCES[name]
    account.change(quota=QUICK)
    difference.arrange(account)
    result = check(**difference.check)
    differing = {one.name: (one, finding) for _, one, finding in result.findings if finding.outcome is Outcome.DIFFERS}
    for assumption, seen in difference.named.items():
        assert assumption in differing
        assert seen in differing[assumption][1].seen
    assert differing.keys() == difference.named.keys()
    first = differing[next(iter(difference.named))]
    assert difference.cure in cure_of(*first)
    assert difference.setting in first[1].setting
    assert result.exit_status == 1


@pytest.mark.parametrize("name", COPED)
def test_where_nothing_is_to_be_set_the_pictures_arrive(name: str, check: Check, account: Sandbox) -> None:
    account.change(quota=QUICK)
    DIFFERENCES[name].arrange(account)
    result = check(**DIFFERENCES[name].check)
    assert result.finding("generation-read").outcome is result.finding("edit-read").outcome is Outcome.AGREES
    assert account.charged() == 2


def test_the_setting_cures_it_and_nothing_is_paid_again(check: Check, account: Sandbox) -> None:
    """The sandbox is ``localhost`` as well, which is not on the list of hosts."""
    account.change(quota=QUICK)
    port = account.url.rpartition(":")[2]
    account.dialect(operation="generate_image", links=f"http://localhost:{port}{{path}}")
    first = check(spend=2)
    assert first.finding("links-hosts").seen == "links are on localhost"
    assert first.finding("generation-read").outcome is Outcome.DIFFERS
    assert account.charged() == 1
    second = check(spend=2, extra={"download_hosts": f"http://localhost:{port}"})
    assert second.finding("links-hosts").outcome is second.finding("edit-read").outcome is Outcome.AGREES
    assert account.charged() == 2


@pytest.mark.parametrize("name", ["signed links", "a storage that tells its secret", "a storage that is not mapped"])
def test_a_report_holds_nothing_of_the_owner(name: str, check: Check, account: Sandbox) -> None:
    account.change(quota=QUICK)
    DIFFERENCES[name].arrange(account)
    text = report_as_text(check(**DIFFERENCES[name].check))
    for private in ("shop", "spring", account.api_key, "very-secret", "/tmp/", "the-secret-of", "red apple"):
        assert private not in text


def test_another_quota_is_a_note_because_the_headers_are_followed(check: Check, account: Sandbox) -> None:
    account.change(quota="300/60,10/1")
    result = check()
    assert result.finding("quota-policies").outcome is Outcome.NOTE
    assert result.finding("quota-policies").seen == "the account may send 300 in 60 s, 10 in 1 s"
    assert result.exit_status == 0


def test_a_job_that_takes_long_and_a_path_that_is_not_decoded_are_named() -> None:
    """No sandbox does either."""
    answer = Exchange(Step.EDIT, "get_edit", 200, {}, "json", {"data": {"status": "DONE"}}, 0.1, "2026-11-26T12:00:00")
    stored = {"data": {"output": [{"object_key": "a%20b/c.png"}]}}
    evidence = Evidence(job_timeout=600, exchanges=[answer])
    evidence.exchanges.append(replace(answer, step=Step.GENERATION, operation="generate_image", body=stored))
    evidence.paid = {
        Step.EDIT: {"seconds": 400.0},
        Step.GENERATION: {"storage": "shop", "is_mapped": True, "number_found": 1, "found_at": "as sent"},
    }
    found = {one.name: one.examine(evidence) for group in GROUPS for one in group.assumptions}
    assert found["edit-seconds"].outcome is Outcome.DIFFERS
    assert found["edit-seconds"].seen == "it took 400.0 s of the 600 s that it may take"
    assert found["stored-blanks"].outcome is Outcome.DIFFERS
    assert found["stored-blanks"].seen == "%20 stayed as it was sent"


def test_every_assumption_can_be_seen_to_differ() -> None:
    """No row of the table is a mere decoration: something in the tests makes it differ."""
    elsewhere = {"reached", "key", "scope-editing", "scope-storage"}
    notes = {"scope-video", "quota-policies", "edit-result-url", "storages-all-mapped"}
    named = {name for one in DIFFERENCES.values() for name in one.named}
    known = {one.name for group in GROUPS for one in group.assumptions}
    assert known - named == elsewhere | notes | {"edit-seconds", "stored-blanks"}
