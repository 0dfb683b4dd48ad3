"""The contract's operations, each described once: its address, scope, body, price and work."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox.operations import creation, edit, generate, storage
from airflow_claid.sandbox.pipeline import Operation

ALL: tuple[Operation[Any], ...] = (
    *generate.OPERATIONS,
    *edit.OPERATIONS,
    *creation.OPERATIONS,
    *storage.OPERATIONS,
)
