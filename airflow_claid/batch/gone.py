"""Items of an earlier batch whose input is there no more: what was paid for them stays, and so do their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from airflow_claid.batch.counts import GONE
from airflow_claid.batch.manifest_index import ManifestIndex

_PAID = ("done", "blocked")


def gone_rows(index: ManifestIndex, listed: Callable[[str], bool | None]) -> Iterator[dict[str, Any]]:
    """Yield the rows of an earlier batch that was paid for their items, and whose inputs are no longer listed.

    They are as they were, with the status ``"gone"`` and, as ``was``, the one that they had.

    :param listed: returns whether an input is there, by its address; ``None`` where that is not known.
    """
    for row in index.former():
        before = back(row) if row["status"] == GONE else row
        address = row.get("input")
        if before["status"] in _PAID and isinstance(address, str) and listed(address) is False:
            yield {**before, "status": GONE, "was": before["status"]}


def back(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of an item that was gone as it was before."""
    before = {name: value for name, value in row.items() if name != "was"}
    return {**before, "status": row.get("was")}
