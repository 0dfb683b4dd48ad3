"""Operators for Claid."""

from __future__ import annotations

from airflow_claid.operators.ai_edit import ImageAIEditOperator
from airflow_claid.operators.batch_edit import ImageFolderEditOperator
from airflow_claid.operators.edit import ImageEditOperator, ImageResizeOperator, ImageUpscaleOperator
from airflow_claid.operators.fashion import FashionModelOperator
from airflow_claid.operators.generate import ImageGenerationOperator
from airflow_claid.operators.generate_batch import ImageGenerationBatchOperator
from airflow_claid.operators.scene import BackgroundGenerationOperator
from airflow_claid.operators.storage import ConnectStorageOperator, DisconnectStorageOperator
from airflow_claid.operators.video import ImageToVideoOperator

__all__ = [
    "BackgroundGenerationOperator",
    "ConnectStorageOperator",
    "DisconnectStorageOperator",
    "FashionModelOperator",
    "ImageAIEditOperator",
    "ImageEditOperator",
    "ImageFolderEditOperator",
    "ImageGenerationBatchOperator",
    "ImageGenerationOperator",
    "ImageResizeOperator",
    "ImageToVideoOperator",
    "ImageUpscaleOperator",
]
