from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def short_pauses() -> None:
    """Keep the pauses as they are: they are what is tested here."""
