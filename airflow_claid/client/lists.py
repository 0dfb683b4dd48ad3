"""Lists as Airflow hands them on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard


def flat(value: object) -> Iterator[object]:
    """Return the values of a list and of the lists in it, one after the other: a mapped task gives one list of each."""
    if not _is_list(value):
        yield value
        return
    for item in value:
        yield from flat(item)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether it is a list, or what Airflow gives for the results of a mapped task, which only behaves like one."""
    return hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, (str, bytes, Mapping))
