"""``claid manifest``: what batches have done, and what is left to be tried again."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_claid.cli.addresses import file_address
from airflow_claid.cli.command import Command, ExitCode, Group, argument
from airflow_claid.cli.output import Column, Output

if TYPE_CHECKING:
    from airflow_claid.manifests import ManifestRow, Product

_STATUSES = ("done", "blocked", "failed", "invalid", "duplicate", "skipped", "gone", "rejected")
_IN_DOUBT = "in-doubt"
_RETRIED = ("failed", "blocked", _IN_DOUBT)
_NOT_WELL = {"blocked", "failed", "invalid", "missing"}
_MOST_ERRORS = 20
_ERROR_CHARACTERS = 200

_ROWS = (
    Column("ROW", "row", is_number=True),
    Column("STATUS", "status"),
    Column("NAME", "name"),
    Column("CREDITS", "credits", is_number=True),
    Column("IN DOUBT", "credits_in_doubt", is_number=True),
    Column("ITEM", lambda row: (row["prompt"] or row["input"] or "-")[:60]),
    Column("ERROR", lambda row: row["error"] or row["reason"] or (row["paths"] or ["-"])[0]),
)
_ERRORS = (
    Column("ROWS", "rows", is_number=True),
    Column("FIRST", "first_row", is_number=True),
    Column("ERROR", "error"),
)
_PRODUCTS = (
    Column("NAME", "name"),
    Column("STATUS", "status"),
    Column("CREDITS", "credits", is_number=True),
    Column("IN DOUBT", "credits_in_doubt", is_number=True),
    Column("STEPS", lambda row: len(row["steps"]), is_number=True),
    Column("PATHS", "paths"),
)


class _Summary:
    """Counts the rows of a manifest; memory does not grow with them."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._statuses: Counter[str] = Counter()
        self._errors: dict[str, dict[str, Any]] = {}
        self._images = 0
        self._credits = self._in_doubt = 0.0
        self._rows_in_doubt = 0

    def counting(self, rows: Iterable[ManifestRow]) -> Iterator[ManifestRow]:
        """Yield rows, and count them."""
        for row in rows:
            self._statuses[row.status] += 1
            self._images += len(row.paths)
            self._credits += row.credits
            self._in_doubt += row.credits_in_doubt
            self._rows_in_doubt += bool(row.credits_in_doubt)
            if row.error is not None:
                self._take_error(row.error[:_ERROR_CHARACTERS], row.row)
            yield row

    def _take_error(self, error: str, row: int) -> None:
        if error not in self._errors and len(self._errors) >= _MOST_ERRORS:
            error = "others"
        one = self._errors.setdefault(error, {"rows": 0, "first_row": row, "error": error})
        self._errors[error] = {**one, "rows": one["rows"] + 1}

    def facts(self) -> dict[str, Any]:
        """Return what was counted."""
        return {
            "manifest": self._address,
            "rows": self._statuses.total(),
            **{status: self._statuses[status] for status in (*_STATUSES[:-1], *self._others())},
            "images": self._images,
            "credits": self._credits,
            "credits_in_doubt": self._in_doubt,
            "rows_in_doubt": self._rows_in_doubt,
            "errors": sorted(self._errors.values(), key=lambda one: -one["rows"]),
        }

    def _others(self) -> list[str]:
        return sorted(self._statuses.keys() - {*_STATUSES[:-1]})

    @property
    def code(self) -> ExitCode:
        """Whether each item is as it should be."""
        problems = self._rows_in_doubt or any(self._statuses[status] for status in _NOT_WELL)
        return ExitCode.PROBLEM if problems else ExitCode.OK


def _show(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.manifests import read_manifest

    address = file_address(arguments.manifest)
    summary = _Summary(address)
    rows = summary.counting(read_manifest(address))
    if arguments.status:
        output.rows((_facts(row) for row in rows if _is_wanted(row, arguments.status)), _ROWS)
        return summary.code
    for _ in rows:
        pass
    facts = summary.facts()
    if output.as_json:
        output.facts(facts)
    else:
        errors = facts.pop("errors")
        output.facts({name: value for name, value in facts.items() if value or name == "rows"})
        if errors:
            output.text("\n")
            output.rows(errors, _ERRORS)
    return summary.code


def _is_wanted(row: ManifestRow, statuses: Iterable[str]) -> bool:
    return row.status in statuses or (_IN_DOUBT in statuses and bool(row.credits_in_doubt))


def _facts(row: ManifestRow) -> dict[str, Any]:
    from airflow_claid.storage.signed_links import shown_in

    facts = ("row", "status", "name", "prompt", "input", "credits", "credits_in_doubt", "error", "reason")
    paths: list[str] = shown_in(row.paths)
    return {**{name: getattr(row, name) for name in facts}, "paths": paths}


def _join(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.manifests import join_manifests

    statuses: Counter[str] = Counter()

    def products() -> Iterator[dict[str, Any]]:
        for product in join_manifests(*map(file_address, arguments.manifests)):
            statuses[product.status] += 1
            if not arguments.status or product.status in arguments.status:
                yield _product(product)

    output.rows(products(), _PRODUCTS)
    return ExitCode.PROBLEM if statuses.keys() & _NOT_WELL else ExitCode.OK


def _product(product: Product) -> dict[str, Any]:
    from airflow_claid.storage.signed_links import shown_in

    return {
        "name": product.name,
        "prompt": product.prompt,
        "status": product.status,
        "credits": product.credits,
        "credits_in_doubt": product.credits_in_doubt,
        "paths": shown_in(product.paths),
        "steps": [
            {"manifest": step.manifest, "credits": step.credits, "paths": shown_in(step.paths)}
            for step in product.steps
        ],
    }


def _retry_list(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.batch.retry_list import write_retry_list

    items = None if arguments.items is None else file_address(arguments.items)
    statuses = arguments.status or _RETRIED
    manifest, target = file_address(arguments.manifest), file_address(arguments.to)
    address, count = write_retry_list(manifest, target, statuses, items)
    output.facts({"file": address, "rows": count})
    return ExitCode.OK


_MANIFEST = argument("manifest", metavar="MANIFEST", help="the XCom 'manifest' of a batch: an address or a path")

COMMAND = Group(
    "manifest",
    "what batches have done, and what is left to be tried again",
    (
        Command(
            "show",
            "count the rows of a manifest, or list those with a status",
            _show,
            (
                _MANIFEST,
                argument(
                    "--status",
                    action="append",
                    choices=(*_STATUSES, _IN_DOUBT),
                    help="list the rows with this status, repeatable",
                ),
            ),
        ),
        Command(
            "join",
            "list the products of a chain of batches, such as generate, upscale, resize",
            _join,
            (
                argument("manifests", nargs="+", metavar="MANIFEST", help="of the batches, in any order"),
                argument(
                    "--status",
                    action="append",
                    choices=(*_STATUSES, "missing"),
                    help="only products with this status, repeatable",
                ),
            ),
        ),
        Command(
            "retry-list",
            "write the items that failed, were blocked or are in doubt, as a file that a batch takes",
            _retry_list,
            (
                _MANIFEST,
                argument("--to", required=True, metavar="FILE", help="a .csv or .jsonl file"),
                argument(
                    "--items",
                    metavar="FILE",
                    help="the file that the batch has read: its rows are copied with all columns",
                ),
                argument(
                    "--status",
                    action="append",
                    choices=(*_STATUSES, _IN_DOUBT),
                    help=f"which items, repeatable (default: {', '.join(_RETRIED)})",
                ),
            ),
        ),
    ),
)
