"""The contract's operations, each described once: its address, scope, body, price and work."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox.operations import creating, editing, generating, storing
from airflow_claid.sandbox.pipeline import Operation

ALL: tuple[Operation[Any], ...] = (
    *generating.OPERATIONS,
    *editing.OPERATIONS,
    *creating.OPERATIONS,
    *storing.OPERATIONS,
)
