from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_claid.client.lists import flat


class Lazy:
    """Only behaves like a list, as what Airflow gives for the results of a mapped task."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, position: int) -> Any:
        return self.values[position]


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("a", ["a"]),
        (b"a", [b"a"]),
        (5, [5]),
        (None, [None]),
        ({"prompt": "a"}, [{"prompt": "a"}]),
        ([], []),
        (["a", ["b", ("c", [])]], ["a", "b", "c"]),
        (Lazy("a", Lazy("b"), ["c"]), ["a", "b", "c"]),
    ],
)
def test_the_lists_in_a_list_are_taken_apart_and_nothing_else(value: Any, values: list[Any]) -> None:
    found = flat(value)
    assert isinstance(found, Iterator)
    assert list(found) == values
