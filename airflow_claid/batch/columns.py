"""Columns: which of a file's columns, or of an object's fields, are the ones that a batch asks for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

log: logging.Logger = logging.getLogger(__name__)

_SHOWN = 20

Record = dict[str, object] | str
"""What a row says, by our names of the columns; or, as a text, why it says nothing."""


class Unusable(Exception):  # noqa: N818 - it never leaves this floor
    """A file, or one object of it, cannot be used; the message is the end of a sentence about it."""


@dataclass
class Columns:
    """Finds the wanted columns under the names that a file, or an item, has for them.

    :param where: what is read, for the log.
    :param wanted: our names of the columns; ``None``: all columns, under their own names.
    :param required: the wanted column that must be there, and which a row that is a text alone gives.
    :param renamed: the file's own names of some wanted columns; a number is a position, counted from 0; ``None``
        leaves the column out, even if it is there.
    :param overrides: the wanted columns that replace parameters, for the log.
    :param told: what was logged before, of any file: that is not logged again.
    """

    where: str
    wanted: Sequence[str] | None = None
    required: str | None = None
    renamed: Mapping[str, str | int | None] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    told: set[str] = field(default_factory=set)
    _noted: bool = False
    _last: tuple[Sequence[str], dict[str, int]] = field(default_factory=lambda: ((), {}))

    @property
    def are_positions(self) -> bool:
        """Whether the required column is given by its position, so that rows without names can be read."""
        return isinstance(self.renamed.get(self.required or ""), int)

    def among(self, names: Sequence[str]) -> dict[str, int]:
        """Return the position of each wanted column that is there.

        :raises Unusable: if one is there twice.
        """
        if names == self._last[0]:
            return self._last[1]
        found = {}
        for ours in names if self.wanted is None else self.wanted:
            position = self._position(self.renamed.get(ours, ours), names)
            if position is not None:
                found[ours] = position
        self._note(names, found)
        self._last = (names, found)
        return found

    def in_header(self, names: Sequence[str]) -> dict[str, int]:
        """Return the same for a header, in which the required column and all renamed ones must be.

        :raises Unusable: also if one of them is not.
        """
        found = self.among(names)
        renamed = [ours for ours, theirs in self.renamed.items() if theirs is not None]
        for ours in (*([self.required] if self.required else []), *renamed):
            if ours not in found:
                raise Unusable(self.lacking(ours, names))
        return found

    def by_position(self, cells: Sequence[object]) -> Record:
        """Return what a row without names says, by the positions that were given."""
        positions = {ours: theirs for ours, theirs in self.renamed.items() if isinstance(theirs, int)}
        if max(positions.values(), default=-1) >= len(cells):
            return f"has only {len(cells)} values, and columns={dict(self.renamed)!r}"
        return {ours: cells[position] for ours, position in positions.items()}

    def lacking(self, ours: str, names: Sequence[str]) -> str:
        """Say that a column is not there, and what to do."""
        shown = ", ".join(repr(name) for name in names[:_SHOWN])
        return (
            f"has no column {self.renamed.get(ours, ours)!r}, only {shown}: rename one, or say which it is with "
            f"columns={{{ours!r}: …}}"
        )

    def _position(self, theirs: str | int | None, names: Sequence[str]) -> int | None:
        if theirs is None:
            return None
        if isinstance(theirs, int):
            return theirs if theirs < len(names) else None
        same = [position for position, name in enumerate(names) if name == theirs]
        alike = [position for position, name in enumerate(names) if _folded(name) == _folded(theirs)]
        positions = same or ([] if self.wanted is None else alike)
        if len(positions) > 1:
            raise Unusable(f"has the column {theirs!r} {len(positions)} times")
        return positions[0] if positions else None

    def _note(self, names: Sequence[str], found: Mapping[str, int]) -> None:
        """Log, once, which column is taken for what: a column that is called ``Name`` may be no file name."""
        if self._noted or self.wanted is None:
            return
        self._noted = True
        taken = ", ".join(f"{names[position]!r} as {ours}" for ours, position in found.items())
        others = [name for position, name in enumerate(names) if position not in found.values()]
        unasked = [ours for ours in found if ours != self.required and ours not in self.renamed]
        replacing = [ours for ours in found if ours in self.overrides]
        left_out = next((ours for ours in unasked if ours in replacing), unasked[0] if unasked else None)
        told = "; ".join(
            [
                f"taking {taken or 'no column'}",
                *([f"passing over {', '.join(map(repr, others[:_SHOWN]))}"] if others else []),
                *([f"a row's {', '.join(replacing)} replaces the parameter"] if replacing else []),
            ]
        ) + (f" (columns={{{left_out!r}: None}} would leave {left_out} out)" if left_out else "")
        if told not in self.told:
            self.told.add(told)
            log.info("%s: %s", self.where, told)


def _folded(name: str) -> str:
    return name.strip().casefold()
