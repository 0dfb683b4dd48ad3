"""Batches of very many orders: items in, a manifest out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_claid.batch.rows import Row, read_rows

__all__ = ["Row", "read_rows"]


def __getattr__(name: str) -> Any:
    """Import what reads rows on first use: a DAG that is parsed reads none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_claid.batch import rows

    return getattr(rows, name)
