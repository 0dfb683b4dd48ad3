"""Operators for Claid."""

from __future__ import annotations

from airflow_claid.operators.edit import ImageEditOperator, ImageResizeOperator, ImageUpscaleOperator
from airflow_claid.operators.generate import ImageGenerationOperator
from airflow_claid.operators.storage import ConnectStorageOperator, DisconnectStorageOperator

__all__ = [
    "ConnectStorageOperator",
    "DisconnectStorageOperator",
    "ImageEditOperator",
    "ImageGenerationOperator",
    "ImageResizeOperator",
    "ImageUpscaleOperator",
]
