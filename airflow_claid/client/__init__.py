"""Claid over HTTP, independent of Airflow."""

from __future__ import annotations

from airflow_claid.client.account import DEFAULT_BASE_URL
from airflow_claid.client.answer import Answer
from airflow_claid.client.client import ClaidClient
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
from airflow_claid.client.transport import Call
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
