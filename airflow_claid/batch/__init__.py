"""Batches of very many orders: items in, a manifest out."""

from __future__ import annotations

from airflow_claid.batch.rows import Row, read_rows

__all__ = ["Row", "read_rows"]
