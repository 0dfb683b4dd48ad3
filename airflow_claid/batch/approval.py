"""The manifest of what a person approved: that of a batch, in which the rows that were rejected are no longer done.

A later batch passes a rejected row over, as it does a blocked one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_claid.batch.manifest import as_line
from airflow_claid.batch.manifest_chain import rows_of_manifest
from airflow_claid.batch.spread import evenly_spread
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.object_storage import write_streamed_beside

REJECTED = "rejected"
"""The status of a row whose pictures a person rejected."""

_DONE = "done"
_SUFFIX = re.compile(r"(\.[a-z]+)?(\.gz)?$", re.IGNORECASE)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rejection:
    """Why pictures may not go on.

    :param reviewer: who rejected them; ``None`` where nobody answered in time.
    :param comment: what the reviewer said.
    """

    reviewer: str | None
    comment: str | None

    @property
    def text(self) -> str:
        """The same in words."""
        who = f"Rejected by {self.reviewer}" if self.reviewer else "Rejected: nobody answered in time"
        return f"{who}: {self.comment}" if self.comment else who

    def row(self, row: Row) -> dict[str, Any]:
        """Return a row of a manifest, rejected: whoever reads its paths gets none."""
        return {
            **row,
            "status": REJECTED,
            "paths": [],
            "checksums": [],
            "bytes": [],
            "rejected_paths": row.get("paths"),
            "reviewer": self.reviewer,
            "comment": self.comment,
        }


def sample_of(manifest: str, number: int) -> list[Row]:
    """Return rows with pictures, spread evenly over the manifest; the same ones as long as the manifest is the same.

    :param number: how many rows, at most.
    :raises ClaidValidationError: if there is no such file, or it is no manifest.
    """
    chosen = evenly_spread(sum(1 for _ in _with_pictures(manifest)), number)
    return [row for position, row in enumerate(_with_pictures(manifest)) if position in chosen]


def approved_address(manifest: str) -> str:
    """Return where the approved manifest is written by default: beside the other."""
    folder, slash, name = manifest.rpartition("/")
    return f"{folder}{slash}{_SUFFIX.sub('', name)}-approved.jsonl"


def write_approved(
    manifest: str, target: str, rejection_of: Callable[[Row], Rejection | None], reviewed: Mapping[int, list[str]]
) -> str:
    """Write the approved manifest, and return its address.

    :param target: its address; where a file cannot be overwritten, the next free name is taken.
    :param rejection_of: returns why a row with pictures may not go on; ``None`` for one that may.
    :param reviewed: the paths that a person has seen, by the number of their row.
    :raises ClaidValidationError: if a row has other pictures than the person has seen.
    """
    missing = dict(reviewed)
    for row in _with_pictures(manifest):
        if missing.get(row["row"]) == row["paths"]:
            del missing[row["row"]]
    if missing:
        raise ClaidValidationError(
            f"input={manifest!r} was written anew since it was reviewed: row {min(missing)} has other pictures now. "
            "Clear the task to have them reviewed"
        )

    def lines() -> Iterator[bytes]:
        for row in rows_of_manifest(manifest):
            rejection = rejection_of(row) if row["status"] == _DONE else None
            yield as_line(rejection.row(row) if rejection else row) + b"\n"

    return write_streamed_beside(target, lines)


def _with_pictures(manifest: str) -> Iterator[Row]:
    return (row for row in rows_of_manifest(manifest) if row["status"] == _DONE and row.get("paths"))
