"""A map of numbers that takes a fraction of the memory of a dict: what a batch keeps of each row for hours."""

from __future__ import annotations

from array import array

_SMALLEST = 1 << 10


class CompactMap:
    """Maps 64-bit integers, such as the hashes of names, to 64-bit integers; 20 to 40 bytes an entry.

    A table with open addressing: of two keys with one place, the second is in the next free one.
    """

    def __init__(self) -> None:
        self._count = 0
        self._allot(_SMALLEST)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return self._keys[self._place(key or 1)] != 0

    def get(self, key: int) -> int | None:
        """Return the value of a key; ``None`` where there is none."""
        place = self._place(key or 1)
        return self._values[place] if self._keys[place] else None

    def setdefault(self, key: int, value: int) -> int:
        """Return the value of a key, which is the one given where there was none."""
        key = key or 1  # a free place has the key 0
        place = self._place(key)
        if self._keys[place]:
            return self._values[place]
        self._keys[place], self._values[place] = key, value
        self._count += 1
        if 5 * self._count > 4 * len(self._keys):
            self._grow()
        return value

    def add(self, key: int, amount: int) -> None:
        """Add to the value of a key, which is 0 where there was none."""
        self.setdefault(key, 0)
        self._values[self._place(key or 1)] += amount

    def _place(self, key: int) -> int:
        """Return the place where a key is, or is to be."""
        keys, mask = self._keys, len(self._keys) - 1
        place = key & mask
        while (there := keys[place]) and there != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._allot(2 * len(keys))
        for key, value in zip(keys, values, strict=True):
            if key:
                place = self._place(key)
                self._keys[place], self._values[place] = key, value

    def _allot(self, places: int) -> None:
        self._keys = array("q", (0,)) * places
        self._values = array("q", (0,)) * places
