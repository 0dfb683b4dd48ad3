"""The manifests of a chain of batches, such as generate, upscale, resize: which rows are about one product.

A row that comes from a manifest's picture says so, as ``from``; where a manifest was copied since, and where pictures
were handed on as a list, the input's address tells. Rows are kept in a temporary file, however many there are.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from airflow_claid.batch.manifest_file import ManifestFile
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.signed_links import shown
from airflow_claid.storage.temporary_database import temporary_database

log: logging.Logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE rows (manifest INTEGER, number INTEGER, input TEXT, origin TEXT, origin_number INTEGER, same_as INTEGER,
                   line TEXT, parent INTEGER, parent_number INTEGER, product INTEGER, PRIMARY KEY (manifest, number));
CREATE TABLE paths (path TEXT, manifest INTEGER, number INTEGER);
CREATE TABLE origins (origin TEXT PRIMARY KEY, manifest INTEGER);
"""
_INDEXES = """
CREATE INDEX by_path ON paths (path);
CREATE INDEX by_origin ON rows (origin);
"""
_TAKE = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)"
_COPIED = """
INSERT OR IGNORE INTO origins SELECT origin, paths.manifest FROM rows JOIN paths
ON path = input AND paths.number = origin_number AND paths.manifest <> rows.manifest
WHERE origin IS NOT NULL AND origin NOT IN (SELECT origin FROM origins)
"""
_BY_ORIGIN = """
UPDATE rows SET parent_number = origin_number,
    parent = (SELECT origins.manifest FROM origins WHERE origins.origin = rows.origin)
WHERE origin IN (SELECT origin FROM origins WHERE origins.manifest <> rows.manifest)
"""
_BY_INPUT = """
UPDATE rows SET (parent, parent_number) = (SELECT paths.manifest, paths.number FROM paths
    WHERE path = input AND paths.manifest <> rows.manifest ORDER BY paths.manifest, paths.number LIMIT 1)
WHERE parent IS NULL AND origin IS NULL AND input IS NOT NULL
"""
_MISMATCH = """
SELECT manifest, number, parent, parent_number FROM rows WHERE parent IS NOT NULL AND (
    NOT EXISTS (SELECT 1 FROM rows AS before WHERE before.manifest = rows.parent AND before.number = rows.parent_number)
    OR (input IS NOT NULL AND NOT EXISTS (SELECT 1 FROM paths
        WHERE path = input AND paths.manifest = rows.parent AND paths.number = rows.parent_number))) LIMIT 1
"""
_UNKNOWN = """
SELECT manifest, number, origin FROM rows WHERE parent IS NULL AND origin IS NOT NULL
AND manifest IN (SELECT manifest FROM rows WHERE parent IS NOT NULL) LIMIT 1
"""
_LINKS = "SELECT DISTINCT parent, manifest FROM rows WHERE parent IS NOT NULL"
_FIRST = "UPDATE rows SET product = (? << 40) + number WHERE manifest = ? AND parent IS NULL"
_NEXT = """
UPDATE rows SET product = (SELECT before.product FROM rows AS before
    WHERE before.manifest = rows.parent AND before.number = rows.parent_number)
WHERE manifest = ? AND parent IS NOT NULL
"""
_DUPLICATES = """
UPDATE rows SET product = (SELECT first.product FROM rows AS first
    WHERE first.manifest = rows.manifest AND first.number = rows.same_as)
WHERE manifest = ? AND parent IS NULL AND same_as IS NOT NULL
AND EXISTS (SELECT 1 FROM rows AS first WHERE first.manifest = rows.manifest AND first.number = rows.same_as)
"""
_BY_PRODUCT = "SELECT product, manifest, parent, parent_number, line FROM rows ORDER BY product, manifest, number"


@dataclass(frozen=True)
class ChainRow:
    """A row of one of the manifests.

    :param manifest: position of the manifest, counted in the order in which the batches ran.
    :param step: position of the batch: of several manifests of one step, such as those of shards, it is the same.
    :param row: as the manifest has it.
    :param parent: the manifest's position, and the row, that it comes from; ``None`` for one that comes from none.
    """

    manifest: int
    step: int
    row: dict[str, Any]
    parent: tuple[int, int] | None


class ManifestChain:
    """The manifests of a chain of batches, in the order in which the batches ran.

    :param addresses: of the manifests, in any order.
    :raises ClaidValidationError: if one cannot be used, or has nothing to do with the others.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        given = list(dict.fromkeys(addresses))
        self._database = temporary_database(_SCHEMA)
        try:
            for position, address in enumerate(given):
                self._take(position, address)
            self._database.executescript(_INDEXES)
            self._link(given)
            steps = self._steps(given)
            self._order = sorted(range(len(given)), key=lambda position: (steps[position], position))
            self._step_of = [steps[position] for position in self._order]
            self._assign()
        except BaseException:
            self.close()
            raise
        self.addresses = [given[position] for position in self._order]
        """Of the manifests, in the order in which the batches ran."""
        self.last_step = max(self._step_of, default=0)
        """Position of the last batch."""

    def products(self) -> Iterator[list[ChainRow]]:
        """Yield the rows of each product, in the order of the manifests and of their rows."""
        place = {position: rank for rank, position in enumerate(self._order)}
        with closing(self._database.execute(_BY_PRODUCT)) as records:
            for _, rows in groupby(records, key=itemgetter(0)):
                found = [
                    ChainRow(
                        place[manifest],
                        self._step_of[place[manifest]],
                        json.loads(line),
                        None if parent is None else (place[parent], number),
                    )
                    for _, manifest, parent, number, line in rows
                ]
                yield sorted(found, key=lambda row: row.manifest)

    def close(self) -> None:
        """Remove the temporary file."""
        self._database.close()

    def _take(self, position: int, address: str) -> None:
        self._database.execute("INSERT OR IGNORE INTO origins VALUES (?, ?)", (without_connection(address), position))
        for row in rows_of_manifest(address):
            number, origin, paths = row["row"], row.get("from"), row.get("paths")
            origin = origin if isinstance(origin, dict) else {}
            values = (_plain(row.get("input")), origin.get("manifest"), origin.get("row"), row.get("of"))
            self._database.execute(_TAKE, (position, number, *values, json.dumps(row)))
            made = [(_plain(path), position, number) for path in paths] if isinstance(paths, list) else []
            self._database.executemany("INSERT INTO paths VALUES (?, ?, ?)", made)

    def _link(self, given: Sequence[str]) -> None:
        """Find the row that each row comes from."""
        for query in (_COPIED, _BY_ORIGIN, _BY_INPUT):
            self._database.execute(query)
        mismatch = self._database.execute(_MISMATCH).fetchone()
        if mismatch:
            manifest, number, parent, parent_number = mismatch
            raise ClaidValidationError(
                f"manifests: row {number} of {given[manifest]!r} comes from row {parent_number} of {given[parent]!r}, "
                "which has another picture now: it was written anew since. Run the later batches again, then join"
            )
        unknown = self._database.execute(_UNKNOWN).fetchone()
        if unknown:
            manifest, number, origin = unknown
            raise ClaidValidationError(
                f"manifests: row {number} of {given[manifest]!r} comes from {origin!r}, which is not among those: "
                "give it too"
            )

    def _steps(self, given: Sequence[str]) -> list[int]:
        """Return for each manifest the position of its batch in the chain."""
        links: list[tuple[int, int]] = self._database.execute(_LINKS).fetchall()
        alone = set(range(len(given))) - {position for link in links for position in link}
        if len(given) > 1 and alone:
            raise ClaidValidationError(
                f"manifests: {given[min(alone)]!r} has nothing to do with the others: none of its rows comes from one "
                "of theirs, and none of theirs from one of its own. Give the manifests of one chain of batches"
            )
        _check_one_chain(given, links)
        steps = [0] * len(given)
        for _ in given:
            for before, after in links:
                steps[after] = max(steps[after], steps[before] + 1)
        if any(steps[after] <= steps[before] for before, after in links):
            raise ClaidValidationError(f"manifests: those of {', '.join(map(repr, given))} come from each other")
        return steps

    def _assign(self) -> None:
        """Give each row the number of its product."""
        for rank, position in enumerate(self._order):
            self._database.execute(_FIRST, (rank, position))
            self._database.execute(_NEXT, (position,))
            self._database.execute(_DUPLICATES, (position,))
        self._database.execute("CREATE INDEX by_product ON rows (product, manifest, number)")


def rows_of_manifest(address: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest; those in broken lines are skipped, with a warning.

    The file is read twice: once to its end, so that a damaged one is told before its first row.

    :raises ClaidValidationError: when the first row is asked for, if the file as a whole cannot be used.
    """
    file = ManifestFile(address, "manifest")
    if not file.is_manifest():
        if file.is_empty():
            return
        raise ClaidValidationError(
            f"manifest={address!r} is no manifest of a batch: its lines have no row, fingerprint and status"
        )
    broken = [line for line, row in file.rows() if row is None]
    if broken:
        log.warning("%s: skipped %d broken lines, the first is line %d", address, len(broken), broken[0])
    yield from (row for _, row in file.rows() if row is not None)


def _check_one_chain(given: Sequence[str], links: Sequence[tuple[int, int]]) -> None:
    reached = {0}
    for _ in given:
        reached |= {position for link in links if reached & set(link) for position in link}
    others = [address for position, address in enumerate(given) if position not in reached]
    if others:
        raise ClaidValidationError(
            f"manifests: {others[0]!r} is of another chain of batches than {given[0]!r}: no row leads from one to the "
            "other. Join each chain by itself"
        )


def _plain(address: object) -> str | None:
    """Return an address as rows of different batches have it in common."""
    return without_connection(shown(address)) if isinstance(address, str) else None
