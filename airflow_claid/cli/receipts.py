"""``claid receipts``: what was paid for, as the receipts beside the pictures say."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_claid.cli.addresses import folder_address
from airflow_claid.cli.command import CONNECTION, Command, ExitCode, Group, UsageError, argument
from airflow_claid.cli.output import Column, Output

if TYPE_CHECKING:
    from airflow_claid.fulfilment.receipt import Receipt
    from airflow_claid.fulfilment.receipt_folders import FoundReceipt
    from airflow_claid.fulfilment.receipt_sums import Sum

_UNREADABLE = "unreadable"
_STATES = ("intent", "refused", "unread", "submitted", "paid", "failed", "delivered", "blocked", _UNREADABLE)
_SHOWN_CHARACTERS = 60

_LISTED = (
    Column("FINGERPRINT", lambda row: row["fingerprint"][:16]),
    Column("STATE", "state"),
    Column("OPERATION", "operation"),
    Column("CREDITS", "credits", is_number=True),
    Column("IN DOUBT", "credits_in_doubt", is_number=True),
    Column("IMAGES", "images", is_number=True),
    Column("ASKED AT", lambda row: (row.get("asked_at") or "-")[:19]),
    Column("NAME", "name"),
    Column("SUBJECT", lambda row: (row.get("subject") or row.get("problem") or "-")[:_SHOWN_CHARACTERS]),
)
_SUMS = (
    Column("DAY", "day"),
    Column("OPERATION", "operation"),
    Column("RECEIPTS", "receipts", is_number=True),
    Column("IMAGES", "images", is_number=True),
    Column("BLOCKED", "blocked", is_number=True),
    Column("FAILED", "failed", is_number=True),
    Column("CREDITS", "credits", is_number=True),
    Column("OF THESE BLOCKED", "credits_blocked", is_number=True),
    Column("IN DOUBT", "credits_in_doubt", is_number=True),
)


class _Folders:
    """The receipts of folders, each once though a folder is named and lies in another, and what was found of them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self.count = 0
        self.unreadable = 0

    def __iter__(self) -> Iterator[FoundReceipt]:
        from airflow_claid.fulfilment.receipt_folders import stream_receipts

        read: set[str] = set()
        for folder in self._arguments.folder:
            of_this = set()
            address = folder_address(folder, self._arguments)
            for found in stream_receipts(address, recursive=self._arguments.recursive):
                if found.folder in read:
                    continue
                of_this.add(found.folder)
                self.count += 1
                self.unreadable += found.receipt is None
                yield found
            read |= of_this

    def end(self, output: Output) -> ExitCode:
        """Tell what is wrong with what was found."""
        if not self.count:
            output.note(
                "There are no receipts. They are in the folder _claid/ of a task's output; --recursive looks into the "
                "folders in it as well"
            )
        if self.unreadable:
            output.note(f"{self.unreadable} receipts cannot be read: claid receipts list --state {_UNREADABLE}")
        return ExitCode.PROBLEM if self.unreadable or not self.count else ExitCode.OK


def _list(arguments: argparse.Namespace, output: Output) -> ExitCode:
    folders = _Folders(arguments)
    rows = (_facts(found) for found in folders)
    output.rows((row for row in rows if _is_wanted(row, arguments)), _LISTED)
    return folders.end(output)


def _facts(found: FoundReceipt) -> dict[str, Any]:
    from airflow_claid.fulfilment.receipt_facts import brief_facts

    if found.receipt is None:
        facts: dict[str, Any] = {"fingerprint": found.fingerprint, "state": _UNREADABLE, "problem": found.problem}
    else:
        facts = brief_facts(found.receipt)
    return {**facts, "folder": found.folder}


def _is_wanted(row: dict[str, Any], arguments: argparse.Namespace) -> bool:
    in_state = not arguments.state or row["state"] in arguments.state
    return in_state and (not arguments.operation or row.get("operation") in arguments.operation)


def _sum(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.fulfilment.receipt_sums import Sum, sums_of

    folders = _Folders(arguments)
    readable: Iterator[Receipt] = (found.receipt for found in folders if found.receipt is not None)
    sums = sums_of(readable, _timezone(arguments.timezone))
    total = sum(sums.values(), Sum())
    rows = [
        {"day": day and str(day), "operation": operation, **_amounts(one)} for (day, operation), one in sums.items()
    ]
    if output.as_json:
        output.facts({"total": _amounts(total), "by_day": rows, "unreadable": folders.unreadable})
    else:
        output.rows([*rows, {"day": "total", "operation": "", **_amounts(total)}], _SUMS)
    if total.cost.unknown:
        output.note(
            f"Of {total.cost.unknown} requests in doubt, only Claid knows the price: the credits in doubt lack them"
        )
    return folders.end(output)


def _amounts(one: Sum) -> dict[str, Any]:
    facts = asdict(one)
    del facts["cost"], facts["cost_of_blocked"]
    return {
        **facts,
        "credits": one.cost.credits,
        "credits_blocked": one.cost_of_blocked.credits,
        "credits_in_doubt": one.cost.credits_in_doubt,
        "unknown_prices": one.cost.unknown,
    }


def _timezone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise UsageError(f"--timezone {name!r}: there is no such timezone; give one such as Europe/Berlin") from None


def _show(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.fulfilment.receipt_facts import all_facts
    from airflow_claid.fulfilment.receipt_folders import stream_receipts

    beginning = arguments.fingerprint.lower()
    if not re.fullmatch("[0-9a-f]{4,64}", beginning):
        raise UsageError(
            f"{arguments.fingerprint!r} is not the beginning of a fingerprint: give 4 to 64 of its digits, as 'claid "
            "receipts list' shows them"
        )
    folder = folder_address(arguments.folder, arguments)
    found = list(islice(stream_receipts(folder, beginning=beginning), 2))
    if not found:
        raise UsageError(f"{arguments.folder!r} has no receipt that begins with {arguments.fingerprint!r}")
    if len(found) > 1:
        raise UsageError(f"{arguments.fingerprint!r} is the beginning of more than one fingerprint: give more of it")
    if found[0].receipt is None:
        output.note(found[0].problem or "")
        return ExitCode.PROBLEM
    output.facts({**all_facts(found[0].receipt), "folder": found[0].folder})
    return ExitCode.OK


_FOLDERS = (
    argument("folder", nargs="+", metavar="FOLDER", help="a task's output, or its _claid/: an address or a path"),
    argument("--recursive", action="store_true", help="also the receipts of all folders in it"),
    *CONNECTION,
)

COMMAND = Group(
    "receipts",
    "what was paid for, as the receipts beside the pictures say",
    (
        Command(
            "list",
            "list receipts, as many as there are",
            _list,
            (
                *_FOLDERS,
                argument("--state", action="append", choices=_STATES, help="only those in this state, repeatable"),
                argument("--operation", action="append", help="only those of this operation, repeatable"),
            ),
        ),
        Command(
            "show",
            "show one receipt, without signed links",
            _show,
            (
                argument("folder", metavar="FOLDER", help="a task's output, or its _claid/"),
                argument("fingerprint", metavar="FINGERPRINT", help="or its beginning"),
                *CONNECTION,
            ),
        ),
        Command(
            "sum",
            "add up what receipts say was charged, by day and operation",
            _sum,
            (
                *_FOLDERS,
                argument("--timezone", default="UTC", help="in which a day begins (default: %(default)s)"),
            ),
        ),
    ),
)
