from __future__ import annotations

import pytest

from airflow_claid.client.text import counted


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 credits"), (1, "1 credit"), (1.0, "1 credit"), (0.5, "0.5 credits"), (1002.5, "1,002.5 credits"),
     (1234567, "1,234,567 credits"), (120, "120 credits")],
)  # fmt: skip
def test_a_number_is_written_as_people_read_it(number: float, told: str) -> None:
    assert counted(number, "credit") == told
