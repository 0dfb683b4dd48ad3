"""A result as JSON for the account's owner, and as a report that names nothing of the owner."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from airflow_claid import __version__
from airflow_claid.account_check.assumption import Assumption, Finding, Outcome
from airflow_claid.account_check.check import Result
from airflow_claid.account_check.evidence import Exchange, shape_of
from airflow_claid.client.redaction import redacted

_REPORTED_HEADERS = frozenset(
    {
        *("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy", "ratelimit", "retry-after"),
        *("content-type", "content-encoding", "server"),
    }
)
_PACKAGES = ("apache-airflow", "requests", "urllib3", "pydantic")


def cure_of(assumption: Assumption, finding: Finding) -> str:
    """Return what to do about a finding; empty where there is nothing to do."""
    if finding.outcome in (Outcome.AGREES, Outcome.NOT_TRIED):
        return ""
    return assumption.cure if finding.cure is None else finding.cure


def result_as_json(result: Result) -> dict[str, Any]:
    """Return all findings, with the names of the owner's storages, for the owner."""
    rows = [
        {**_row(assumption, finding), "detail": finding.detail, "setting": finding.setting}
        for _, assumption, finding in result.findings
    ]
    return {**_summary(result), "findings": rows}


def report(result: Result) -> dict[str, Any]:
    """Return what may be sent to the maintainers.

    It has the findings, and of each answer the names and types of its fields, but no value of them: no key, no link, no
    prompt, no name of a storage, a bucket or a folder.
    """
    rows = [_row(assumption, finding) for _, assumption, finding in result.findings]
    found = {
        **_summary(result),
        "versions": _versions(),
        "findings": rows,
        "answers": [_answer(exchange) for exchange in result.evidence.exchanges],
    }
    shown: dict[str, Any] = _without_secrets(found)
    return shown


def _summary(result: Result) -> dict[str, Any]:
    return {
        "airflow_claid": __version__,
        **{outcome.value.replace(" ", "_"): result.number(outcome) for outcome in Outcome},
        "credits": result.spent,
        "credits_in_doubt": result.in_doubt,
        "exit_status": result.exit_status,
    }


def _row(assumption: Assumption, finding: Finding) -> dict[str, Any]:
    return {
        "name": assumption.name,
        "assumed": assumption.says,
        "found": finding.outcome.value,
        "seen": finding.seen,
        "cure": cure_of(assumption, finding),
    }


def _answer(exchange: Exchange) -> dict[str, Any]:
    return {
        "step": exchange.step,
        "operation": exchange.operation,
        "status": exchange.status,
        "seconds": exchange.seconds,
        "headers": {name: value for name, value in exchange.headers.items() if name in _REPORTED_HEADERS},
        "kind": exchange.kind,
        "shape": shape_of(exchange.body),
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _without_secrets(value: Any) -> Any:
    """Return a value without secrets, and without the queries and logins of links, whatever a finding says."""
    if isinstance(value, dict):
        return {name: _without_secrets(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part) for part in value]
    return redacted(value) if isinstance(value, str) else value


def report_as_text(result: Result) -> str:
    """Return the report as JSON, one field a line."""
    return json.dumps(report(result), ensure_ascii=False, indent=1) + "\n"
