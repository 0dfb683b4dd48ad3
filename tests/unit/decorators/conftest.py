from __future__ import annotations

from tests.unit.operators.conftest import new_try

__all__ = ["new_try"]
