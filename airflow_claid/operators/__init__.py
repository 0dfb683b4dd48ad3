"""Operators for Claid.

A DAG file that is parsed imports the operators that it uses, and no others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from airflow_claid.operators.review import ImageReviewOperator
    from airflow_claid.operators.scene import BackgroundGenerationOperator
    from airflow_claid.operators.scene_batch import BackgroundGenerationBatchOperator
    from airflow_claid.operators.storage import ConnectStorageOperator, DisconnectStorageOperator
    from airflow_claid.operators.video import ImageToVideoOperator
    from airflow_claid.operators.video_batch import ImageToVideoBatchOperator

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

_MODULES = {
    "BackgroundGenerationBatchOperator": "scene_batch",
    "BackgroundGenerationOperator": "scene",
    "ConnectStorageOperator": "storage",
    "DisconnectStorageOperator": "storage",
    "FashionModelBatchOperator": "fashion_batch",
    "FashionModelOperator": "fashion",
    "ImageAIEditBatchOperator": "ai_edit_batch",
    "ImageAIEditOperator": "ai_edit",
    "ImageEditBatchOperator": "edit_batch",
    "ImageEditOperator": "edit",
    "ImageFolderEditOperator": "batch_edit",
    "ImageGenerationBatchOperator": "generate_batch",
    "ImageGenerationOperator": "generate",
    "ImageResizeBatchOperator": "edit_batch",
    "ImageResizeOperator": "edit",
    "ImageReviewOperator": "review",
    "ImageToVideoBatchOperator": "video_batch",
    "ImageToVideoOperator": "video",
    "ImageUpscaleBatchOperator": "edit_batch",
    "ImageUpscaleOperator": "edit",
    "estimate": "bases.batch",
}


def __getattr__(name: str) -> Any:
    """Import an operator on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
