"""Operators for Claid."""

from __future__ import annotations

from airflow_claid.operators.edit import ImageEditOperator, ImageResizeOperator, ImageUpscaleOperator
from airflow_claid.operators.generate import ImageGenerationOperator

__all__ = [
    "ImageEditOperator",
    "ImageGenerationOperator",
    "ImageResizeOperator",
    "ImageUpscaleOperator",
]
