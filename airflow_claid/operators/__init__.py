"""Operators for Claid."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_claid.operators.ai_edit import ImageAIEditOperator
from airflow_claid.operators.ai_edit_batch import ImageAIEditBatchOperator
from airflow_claid.operators.bases.batch import estimate
from airflow_claid.operators.batch_edit import ImageFolderEditOperator
from airflow_claid.operators.edit import ImageEditOperator, ImageResizeOperator, ImageUpscaleOperator
from airflow_claid.operators.edit_batch import (
    ImageEditBatchOperator,
    ImageResizeBatchOperator,
    ImageUpscaleBatchOperator,
)
from airflow_claid.operators.fashion import FashionModelOperator
from airflow_claid.operators.fashion_batch import FashionModelBatchOperator
from airflow_claid.operators.generate import ImageGenerationOperator
from airflow_claid.operators.generate_batch import ImageGenerationBatchOperator
from airflow_claid.operators.scene import BackgroundGenerationOperator
from airflow_claid.operators.scene_batch import BackgroundGenerationBatchOperator
from airflow_claid.operators.storage import ConnectStorageOperator, DisconnectStorageOperator
from airflow_claid.operators.video import ImageToVideoOperator
from airflow_claid.operators.video_batch import ImageToVideoBatchOperator

if TYPE_CHECKING:
    from airflow_claid.operators.review import ImageReviewOperator

__all__ = [
    "BackgroundGenerationBatchOperator",
    "BackgroundGenerationOperator",
    "ConnectStorageOperator",
    "DisconnectStorageOperator",
    "FashionModelBatchOperator",
    "FashionModelOperator",
    "ImageAIEditBatchOperator",
    "ImageAIEditOperator",
    "ImageEditBatchOperator",
    "ImageEditOperator",
    "ImageFolderEditOperator",
    "ImageGenerationBatchOperator",
    "ImageGenerationOperator",
    "ImageResizeBatchOperator",
    "ImageResizeOperator",
    "ImageReviewOperator",
    "ImageToVideoBatchOperator",
    "ImageToVideoOperator",
    "ImageUpscaleBatchOperator",
    "ImageUpscaleOperator",
    "estimate",
]


def __getattr__(name: str) -> Any:
    """Import what needs another provider only when it is asked for."""
    if name == "ImageReviewOperator":
        return import_module("airflow_claid.operators.review").ImageReviewOperator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
