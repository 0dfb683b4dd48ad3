"""An account that answers as documented: all agrees, and what is paid is paid once."""

from __future__ import annotations

from airflow_claid.account_check.assumption import Outcome
from airflow_claid.account_check.check import GROUPS
from airflow_claid.sandbox import Sandbox
from tests.unit.account_check.conftest import Check


def test_debug(check: Check, account: Sandbox) -> None:
    for kw in ({}, {"spend": 2}, {"spend": 2}, {"spend": 2, "storage": "shop"}):
        result = check(**kw)
        print(kw, result.exit_status, result.spent, account.charged())
        for group, one, finding in result.findings:
            print("  ", one.name, finding.outcome.value, finding.seen, finding.detail)
    assert 0
