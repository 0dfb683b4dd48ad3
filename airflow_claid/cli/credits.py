"""``claid credits``: what tasks have spent."""

from __future__ import annotations

import argparse
from typing import Any

from airflow_claid.cli.command import Command, ExitCode, UsageError, argument
from airflow_claid.cli.output import Column, Output

_BY = ("day", "dag", "task", "operation")
_NUMBERS = (
    Column("CHARGED", "credits", is_number=True),
    Column("REUSED", "reused", is_number=True),
    Column("IN DOUBT", "in_doubt", is_number=True),
    Column("PICTURES", "pictures", is_number=True),
    Column("BLOCKED", lambda row: _percent(row["blocked_share"]), is_number=True),
    Column("429S", "rate_limited", is_number=True),
)
_ARGUMENTS = (
    argument("--from", dest="first", metavar="DAY", help="first day, of UTC (default: 13 days before the last)"),
    argument("--to", dest="last", metavar="DAY", help="last day (default: today)"),
    argument("--by", default=",".join(_BY), help="what the rows are by: some of day,dag,task,operation (default: all)"),
    argument("--dag", metavar="DAG_ID", help="only this DAG"),
    argument(
        "--receipts",
        metavar="OUTPUT",
        action="append",
        default=[],
        help="also read the receipts in this output, for task instances that have reported nothing; may be repeated",
    ),
)


def _show(arguments: argparse.Namespace, output: Output) -> ExitCode:
    import os

    # Else Airflow would not look into its own database for connections.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow_claid.bill import bill

    by = tuple(name.strip() for name in arguments.by.split(",") if name.strip())
    if not by or not set(by) <= set(_BY):
        raise UsageError(f"--by {arguments.by}: name one or more of {', '.join(_BY)}, separated by commas")
    made = bill(arguments.first, arguments.last, by=by, dag=arguments.dag, receipts=arguments.receipts)
    told = made.to_json()
    if output.as_json:
        output.facts(told)
        return ExitCode.OK
    columns = [Column(name.upper(), name) for name in made.by]
    last: dict[str, Any] = dict.fromkeys(made.by, "") | {made.by[0]: "all"} | told["total"]
    output.rows([*told["rows"], last], [*columns, *_NUMBERS])
    output.note(f"{made.first} to {made.last}; task instances that reported: {made.task_instances:,}")
    if made.of_receipts or made.unanswered:
        output.note(
            f"Counted by their receipts alone: {made.of_receipts:,}; requests of these without an answer: "
            f"{made.unanswered:,}"
        )
    return ExitCode.OK


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


COMMAND = Command("credits", "add up what tasks have spent", _show, _ARGUMENTS)
