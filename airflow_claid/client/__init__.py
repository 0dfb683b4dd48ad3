"""Claid over HTTP. Knows nothing of Airflow."""

from __future__ import annotations

from airflow_claid.client.client import DEFAULT_BASE_URL, ClaidClient
from airflow_claid.client.edit import EditRequest, EditResult, UploadRequest
from airflow_claid.client.errors import (
    ClaidAnswerLostError,
    ClaidAuthenticationError,
    ClaidCreditsError,
    ClaidError,
    ClaidNotSentError,
    ClaidRateLimitError,
    ClaidRequestError,
    ClaidScopeError,
    ClaidServerError,
    ClaidValidationError,
)
from airflow_claid.client.generate import GenerateRequest, GenerateResult
from airflow_claid.client.images import InputImage, OutputImage
from airflow_claid.client.jobs import EditJob, JobOutcome
from airflow_claid.client.storage import Storage

__all__ = [
    "DEFAULT_BASE_URL",
    "ClaidAnswerLostError",
    "ClaidAuthenticationError",
    "ClaidClient",
    "ClaidCreditsError",
    "ClaidError",
    "ClaidNotSentError",
    "ClaidRateLimitError",
    "ClaidRequestError",
    "ClaidScopeError",
    "ClaidServerError",
    "ClaidValidationError",
    "EditJob",
    "EditRequest",
    "EditResult",
    "GenerateRequest",
    "GenerateResult",
    "InputImage",
    "JobOutcome",
    "OutputImage",
    "Storage",
    "UploadRequest",
]
