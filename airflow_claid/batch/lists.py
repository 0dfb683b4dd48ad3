"""Lists of items as Airflow hands them on: literal, results of one task, of a mapped one, rows of a query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened

_ADDRESS = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*://.", re.IGNORECASE)


def items_of(given: Iterable[object], *, positions: bool, kind: ItemKind) -> Iterator[object]:
    """Yield the items of a list one after the other.

    The results of a mapped task may be one or a list each. A list or tuple in a list is a row of a query: its values
    have no names. One of a single value is that value; one of several is an item only if their positions are known.

    :param positions: whether it is known which position means what; such an item is then yielded as a tuple.
    :param kind: what the items are about, for errors.
    :raises ClaidValidationError: if there is a row of several values, and their positions are not known.
    """
    for result in given:
        if isinstance(result, list) and _is_lazy(given):
            yield from _each(result, positions, kind)
        else:
            yield from _each([result], positions, kind)


def is_address(item: object) -> bool:
    """Tell whether an item is the address of a file or a folder, and not, as a link may be, a part of a text."""
    return isinstance(item, (str, ObjectStoragePath)) and bool(_ADDRESS.match(str(item)))


def _each(items: Iterable[object], positions: bool, kind: ItemKind) -> Iterator[object]:
    for item in items:
        if _is_lazy(item):
            yield from items_of(item, positions=positions, kind=kind)
        elif hasattr(item, "_asdict"):
            yield item._asdict()
        elif not isinstance(item, (list, tuple)):
            yield item
        elif all(isinstance(one, Mapping) for one in item):
            yield from item
        elif len(item) == 1:
            yield from _each(item, positions, kind)
        elif positions:
            yield tuple(item)
        else:
            raise ClaidValidationError(
                f"{kind.parameter} holds {shortened(item)}, a row of values without names: make objects of the rows "
                f"({{{kind.subject!r}: …, 'name': …}}), or say by position which value is which "
                f"(columns={{{kind.subject!r}: 1, 'name': 0}}); for the results of several tasks use "
                "first.output.concat(second.output)"
            )


def _is_lazy(value: object) -> TypeGuard[Sequence[object]]:
    """Whether it is what Airflow gives for the results of a mapped task, which only behaves like a list."""
    return (
        hasattr(value, "__getitem__")
        and hasattr(value, "__len__")
        and not isinstance(value, (str, bytes, bytearray, memoryview, Mapping, list, tuple))
        and isinstance(value, Sequence)
    )
