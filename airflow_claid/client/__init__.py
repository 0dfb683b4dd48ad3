"""Claid over HTTP, independent of Airflow."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_claid.client.errors import (
    ClaidAnswerLostError,
    ClaidAnswerUnreadError,
    ClaidAuthenticationError,
    ClaidCreditsError,
    ClaidError,
    ClaidMissingConnectionError,
    ClaidNotSentError,
    ClaidRateLimitError,
    ClaidRequestError,
    ClaidScopeError,
    ClaidServerError,
    ClaidValidationError,
    ClaidWebhookError,
)

if TYPE_CHECKING:
    from airflow_claid.client.account import DEFAULT_BASE_URL
    from airflow_claid.client.answer import Answer
    from airflow_claid.client.call import Call
    from airflow_claid.client.client import ClaidClient
    from airflow_claid.client.models.ai_edit import AIEditRequest
    from airflow_claid.client.models.batch_edit import BatchEditRequest
    from airflow_claid.client.models.edit import EditRequest, EditResult, UploadRequest
    from airflow_claid.client.models.fashion import FashionRequest
    from airflow_claid.client.models.generate import GenerateRequest, GenerateResult
    from airflow_claid.client.models.images import InputImage, OutputImage
    from airflow_claid.client.models.jobs import Job, JobKind, JobOutcome
    from airflow_claid.client.models.scene import SceneRequest, SceneResult
    from airflow_claid.client.models.storage import Storage, StorageIn, StoragePatch
    from airflow_claid.client.models.video import VideoRequest
    from airflow_claid.client.webhooks import job_from_webhook

__all__ = [
    "DEFAULT_BASE_URL",
    "AIEditRequest",
    "Answer",
    "BatchEditRequest",
    "Call",
    "ClaidAnswerLostError",
    "ClaidAnswerUnreadError",
    "ClaidAuthenticationError",
    "ClaidClient",
    "ClaidCreditsError",
    "ClaidError",
    "ClaidMissingConnectionError",
    "ClaidNotSentError",
    "ClaidRateLimitError",
    "ClaidRequestError",
    "ClaidScopeError",
    "ClaidServerError",
    "ClaidValidationError",
    "ClaidWebhookError",
    "EditRequest",
    "EditResult",
    "FashionRequest",
    "GenerateRequest",
    "GenerateResult",
    "InputImage",
    "Job",
    "JobKind",
    "JobOutcome",
    "OutputImage",
    "SceneRequest",
    "SceneResult",
    "Storage",
    "StorageIn",
    "StoragePatch",
    "UploadRequest",
    "VideoRequest",
    "job_from_webhook",
]

_MODULES = {
    "DEFAULT_BASE_URL": "account",
    "AIEditRequest": "models.ai_edit",
    "Answer": "answer",
    "BatchEditRequest": "models.batch_edit",
    "Call": "call",
    "ClaidClient": "client",
    "EditRequest": "models.edit",
    "EditResult": "models.edit",
    "FashionRequest": "models.fashion",
    "GenerateRequest": "models.generate",
    "GenerateResult": "models.generate",
    "InputImage": "models.images",
    "Job": "models.jobs",
    "JobKind": "models.jobs",
    "JobOutcome": "models.jobs",
    "OutputImage": "models.images",
    "SceneRequest": "models.scene",
    "SceneResult": "models.scene",
    "Storage": "models.storage",
    "StorageIn": "models.storage",
    "StoragePatch": "models.storage",
    "UploadRequest": "models.edit",
    "VideoRequest": "models.video",
    "job_from_webhook": "webhooks",
}
"""Imported on first use: a DAG that is parsed sends nothing, and builds few requests."""


def __getattr__(name: str) -> Any:
    """Import the client, a request or an answer on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
