"""The options of the section ``[claid]``, for provider info; light, as Airflow reads it before anything else."""

from __future__ import annotations

from typing import Any

SECTION = "claid"
OPTIONS: dict[str, dict[str, Any]] = {
    "on_lost_response": {
        "description": (
            "What a task does whose paid request was sent and whose answer was lost: resubmit it, which may pay twice, "
            "or fail. Videos and edits of whole folders fail unless the task says otherwise, because of their price."
        ),
        "version_added": None,
        "type": "string",
        "example": "fail",
        "default": "resubmit",
    },
    "deferrable": {
        "description": (
            "Whether operators and sensors wait in the triggerer. Without it, [operators] default_deferrable says so."
        ),
        "version_added": None,
        "type": "boolean",
        "example": "True",
        "default": None,
    },
    "poll_interval": {
        "description": "The longest time between two polls of a job, in seconds, from 0.1 to 3600.",
        "version_added": None,
        "type": "float",
        "example": "30",
        "default": "10",
    },
    "download_hosts": {
        "description": (
            "Host names from which pictures may be downloaded, separated by commas, for connections that name none; "
            "* stands for any part. Without it, *.claid.ai and Google's storage."
        ),
        "version_added": None,
        "type": "string",
        "example": "*.claid.ai, cdn.example.com",
        "default": None,
    },
    "gallery": {
        "description": "Whether the Airflow UI has the tab Images with the pictures that tasks made.",
        "version_added": None,
        "type": "boolean",
        "example": None,
        "default": "True",
    },
    "credits": {
        "description": "Whether the Airflow UI has the page Claid credits: what tasks have spent.",
        "version_added": None,
        "type": "boolean",
        "example": None,
        "default": "True",
    },
}
"""As provider info has them; ``docs/configuration.md`` has them for users."""
