"""Columns: which of a file's columns, or of an object's fields, say what to generate."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

COLUMNS = ("prompt", "name", "number_of_images", "guidance_scale")
"""What a row may say; only ``prompt`` must be there."""

_SHOWN = 20


class Unusable(Exception):  # noqa: N818 - it never leaves this floor
    """A file, or one object of it, cannot be used; the message is the end of a sentence about it."""


@dataclass
class Columns:
    """Finds our columns under the names that a file, or an item, has for them.

    :param where: what is read, for the log.
    :param renamed: the file's own names of some of our columns.
    """

    where: str
    renamed: Mapping[str, str]
    _noted: bool = False
    _last: tuple[Sequence[str], dict[str, int]] = field(default_factory=lambda: ((), {}))

    def among(self, names: Sequence[str]) -> dict[str, int]:
        """Return the position of each of our columns that is there.

        :raises Unusable: if one is there twice.
        """
        if names == self._last[0]:
            return self._last[1]
        found = {}
        for ours in COLUMNS:
            theirs = self.renamed.get(ours, ours)
            same = [position for position, name in enumerate(names) if name == theirs]
            alike = [position for position, name in enumerate(names) if _folded(name) == _folded(theirs)]
            positions = same or alike
            if len(positions) > 1:
                raise Unusable(f"has the column {theirs!r} {len(positions)} times")
            if positions:
                found[ours] = positions[0]
        self._note([name for position, name in enumerate(names) if position not in found.values()])
        self._last = (names, found)
        return found

    def in_header(self, names: Sequence[str]) -> dict[str, int]:
        """Return the same for a header, in which ``prompt`` and all renamed columns must be.

        :raises Unusable: also if one of them is not.
        """
        found = self.among(names)
        for ours in ("prompt", *self.renamed):
            if ours not in found:
                raise Unusable(self.lacking(ours, names))
        return found

    def lacking(self, ours: str, names: Sequence[str]) -> str:
        """Say that a column is not there, and what to do."""
        shown = ", ".join(repr(name) for name in names[:_SHOWN])
        return (
            f"has no column {self.renamed.get(ours, ours)!r}, only {shown}: rename one, or say which it is with "
            f"columns={{{ours!r}: …}}"
        )

    def _note(self, others: Sequence[str]) -> None:
        if others and not self._noted:
            self._noted = True
            log.info("%s: passing over the columns %s", self.where, ", ".join(map(repr, others[:_SHOWN])))


def _folded(name: str) -> str:
    return name.strip().casefold()
