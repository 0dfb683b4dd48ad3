from __future__ import annotations

import tracemalloc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.storage.compact_map import CompactMap

NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(NUMBERS | st.integers(0, 9).map(lambda part: part << 20), NUMBERS), max_size=3000))
def test_it_is_a_dict_whose_first_value_stays(pairs: list[tuple[int, int]]) -> None:
    mapped, expected = CompactMap(), dict[int, int]()
    for key, value in pairs:
        assert mapped.setdefault(key, value) == expected.setdefault(key or 1, value)
    assert len(mapped) == len(expected)
    for key, value in expected.items():
        assert key in mapped
        assert mapped.get(key) == value
    assert (mapped.get(7 << 40), 7 << 40 in mapped) == (expected.get(7 << 40), 7 << 40 in expected)


@given(st.lists(st.tuples(st.integers(0, 40).map(lambda part: part << 20), st.integers(-99, 99)), max_size=3000))
def test_amounts_are_added_up(pairs: list[tuple[int, int]]) -> None:
    mapped, expected = CompactMap(), Counter[int]()
    for key, amount in pairs:
        mapped.add(key, amount)
        expected[key] += amount
    assert len(mapped) == len(expected)
    assert all(mapped.get(key) == amount for key, amount in expected.items())


def test_a_hundred_thousand_entries_take_less_than_fifty_bytes_each() -> None:
    tracemalloc.start()
    mapped = CompactMap()
    for number in range(100_000):
        mapped.setdefault(hash(f"shoes/{number}.jpg"), number)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(mapped) == 100_000
    assert kept < 5_000_000
