"""A result as a table for people, as JSON, and as a report that names nothing of the account's owner."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from airflow_claid import __version__
from airflow_claid.account_check.assumption import Assumption, Finding, Outcome
from airflow_claid.account_check.check import GROUPS, Result
from airflow_claid.account_check.evidence import Exchange, shape_of
from airflow_claid.client.redaction import without_logins, without_queries

_STYLES = {
    Outcome.AGREES: "[green]agrees[/green]",
    Outcome.DIFFERS: "[bold red]differs[/bold red]",
    Outcome.NOTE: "[yellow]note[/yellow]",
    Outcome.NOT_TRIED: "[dim]not tried[/dim]",
}
_REPORTED_HEADERS = frozenset(
    {
        *("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy", "ratelimit", "retry-after"),
        *("content-type", "content-encoding", "server"),
    }
)
_PACKAGES = ("apache-airflow", "requests", "urllib3", "pydantic")


def print_result(result: Result, console: Console) -> None:
    """Print the findings, group by group, then what to set."""
    for group in GROUPS:
        table = Table(title=group.title, title_justify="left", title_style="bold", expand=True, pad_edge=False)
        for name, ratio in (("Assumed", 5), ("Found", 2), ("Seen", 5)):
            table.add_column(name, ratio=ratio, overflow="fold")
        for of_group, assumption, finding in result.findings:
            if of_group is group:
                seen = f"{finding.seen} ({finding.detail})" if finding.detail else finding.seen
                table.add_row(escape(assumption.says), _STYLES[finding.outcome], escape(seen))
        console.print(table)
    _print_cures(result, console)
    numbers = ", ".join(f"{result.number(outcome)} {outcome.value}" for outcome in Outcome)
    doubt = f"; perhaps {result.in_doubt:g} more, for a lost answer" if result.in_doubt else ""
    console.print(f"{numbers}. {result.spent:g} credits spent{doubt}.", highlight=False)


def _print_cures(result: Result, console: Console) -> None:
    for _, assumption, finding in result.findings:
        if finding.outcome in (Outcome.DIFFERS, Outcome.NOTE) and (cure := cure_of(assumption, finding)):
            console.print(f"[bold]{assumption.name}[/bold]: {escape(cure)}", highlight=False)
            if finding.setting:
                console.print(f"    {escape(finding.setting)}", highlight=False, soft_wrap=True)


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
    """Return a value without the queries and logins of links, whatever a finding says."""
    if isinstance(value, dict):
        return {name: _without_secrets(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part) for part in value]
    return without_queries(without_logins(value)) if isinstance(value, str) else value


def report_as_text(result: Result) -> str:
    """Return the report as JSON, one field a line."""
    return json.dumps(report(result), ensure_ascii=False, indent=1) + "\n"
