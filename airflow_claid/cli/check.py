"""``claid check``: whether the account answers as this package assumes, and what to set where it does not."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_claid.cli.command import CONNECTION, Command, ExitCode, UsageError, argument
from airflow_claid.cli.connecting import claid_hook
from airflow_claid.cli.output import Column, Output

if TYPE_CHECKING:
    from airflow_claid.account_check.check import Result
    from airflow_claid.fulfilment.budget import Budget
    from airflow_claid.hooks.claid import ClaidHook

_COLUMNS = (Column("FOUND", "found"), Column("ASSUMPTION", "name"), Column("SEEN", "shown"))
_FOLDER = "claid-check"


def _check(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.account_check.check import AccountCheck
    from airflow_claid.account_check.evidence import Evidence
    from airflow_claid.account_check.report import report_as_text

    spend, report = _spend(arguments), _report_file(arguments)
    evidence = Evidence()
    hook = claid_hook(arguments, evidence.record)
    result = AccountCheck(
        client=hook.client,
        storages=hook.storages,
        downloader=hook.downloader,
        evidence=evidence,
        budget=_budget(hook, spend) if spend else None,
        output=arguments.output or f"file://{Path(_FOLDER).absolute()}/",
        storage=arguments.storage,
    ).run()
    _print(result, output)
    if report is not None:
        report.write_text(report_as_text(result), encoding="utf-8")
        output.note(f"The report is in {report}. It holds no key, link, prompt, or name of a storage.")
    return ExitCode(result.exit_status)


def _spend(arguments: argparse.Namespace) -> float:
    spend = float(arguments.spend)
    if not 0 <= spend < math.inf:
        raise UsageError(f"--spend {spend:g} must be a number of credits, 0 or more; both paid requests cost 2")
    if arguments.storage is not None and not spend:
        raise UsageError("--storage tries what Claid writes there, which costs credits: add --spend 2")
    return spend


def _report_file(arguments: argparse.Namespace) -> Path | None:
    if arguments.report is None:
        return None
    file = Path(arguments.report)
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"--report {arguments.report} must name a file in a folder that is there")
    return file


def _budget(hook: ClaidHook, spend: float) -> Budget:
    """Return the budget of a check, which the connection's spend limits hold for, too."""
    from airflow_claid.fulfilment.budget import Budget

    return Budget(spend, spending=hook.spending((), "claid check", lambda *_: None))


def _print(result: Result, output: Output) -> None:
    from airflow_claid.account_check.report import result_as_json

    facts = result_as_json(result)
    if output.as_json:
        output.facts(facts)
        return
    output.rows(({**row, "shown": _shown(row)} for row in facts["findings"]), _COLUMNS)
    output.text("\n".join(_what_to_do(facts["findings"])))
    doubt = f", and perhaps {result.in_doubt:g} more, for a lost answer" if result.in_doubt else ""
    numbers = ", ".join(
        f"{facts[name.replace(' ', '_')]} {name}" for name in ("agrees", "differs", "note", "not tried")
    )
    output.text(f"{numbers}; {result.spent:g} credits spent{doubt}")


def _shown(row: dict[str, Any]) -> str:
    return f"{row['seen']} ({row['detail']})" if row["detail"] else str(row["seen"])


def _what_to_do(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield lines about what differs: what is assumed, what to do, and what to write into the connection's extra."""
    for row in rows:
        if not row["cure"]:
            continue
        yield f"{row['name']} {'is a note' if row['found'] == 'note' else row['found']}. Assumed: {row['assumed']}"
        yield f"    {row['cure']}"
        if row["setting"]:
            yield f"    {row['setting']}"


COMMAND = Command(
    "check",
    "see whether the account answers as this package assumes, and what to set where it does not",
    _check,
    (
        *CONNECTION,
        argument(
            "--spend",
            metavar="CREDITS",
            type=float,
            default=0.0,
            help="spend up to so many credits; 2 pay for a generation and an edit (default: 0, the free part only)",
        ),
        argument("--storage", metavar="NAME", help="have Claid write the pictures to this connected storage"),
        argument(
            "--output",
            metavar="FOLDER",
            help="file:///…/, s3://…/ or gs://…/ for pictures and receipts: a second check with the same folder pays "
            f"nothing (default: {_FOLDER}/ in the working directory)",
        ),
        argument(
            "--report", metavar="FILE", help="write a report without secrets and names, to send to the maintainers"
        ),
    ),
    description="See whether the account answers as this package assumes, and what to set where it does not. "
    "Exit code: 0 all agrees, 1 something differs, 2 wrong arguments, 3 Claid did not answer.",
)
