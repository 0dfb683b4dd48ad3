"""The provider's metadata for Airflow."""

from __future__ import annotations

from typing import Any

from airflow_claid.configuration.options import OPTIONS, SECTION
from airflow_claid.hooks.connection_form import CONN_FIELDS, CONN_TYPE, HOOK_NAME, UI_FIELD_BEHAVIOUR

_INTEGRATION = "Claid"
_LOGO = "/claid/static/icon.svg"
"""Served by the gallery, in the same Airflow."""

_GUIDES = (
    "generating",
    "editing",
    "creating",
    "videos",
    "catalogues",
    "decorators",
    "sensors",
    "review",
    "connected-storage",
    "testing-dags",
)


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-claid",
        "name": "Claid",
        "description": "Images from prompts, edited and delivered by Claid, without paying again on a retry.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.claid.ai",
                "logo": _LOGO,
                "how-to-guide": [f"/docs/airflow-claid/{page}.md" for page in _GUIDES],
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "airflow_claid.operators.generate",
                    "airflow_claid.operators.generate_batch",
                    "airflow_claid.operators.edit",
                    "airflow_claid.operators.edit_batch",
                    "airflow_claid.operators.batch_edit",
                    "airflow_claid.operators.ai_edit",
                    "airflow_claid.operators.ai_edit_batch",
                    "airflow_claid.operators.fashion",
                    "airflow_claid.operators.fashion_batch",
                    "airflow_claid.operators.scene",
                    "airflow_claid.operators.scene_batch",
                    "airflow_claid.operators.video",
                    "airflow_claid.operators.video_batch",
                    "airflow_claid.operators.storage",
                    "airflow_claid.operators.review",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_claid.sensors.image", "airflow_claid.sensors.job"],
            }
        ],
        "triggers": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_claid.triggers.image", "airflow_claid.triggers.job"],
            }
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["airflow_claid.hooks.claid"]}],
        "notifications": [
            "airflow_claid.notifications.review.ReviewNotifier",
            "airflow_claid.notifications.trouble.ClaidNotifier",
        ],
        "cli": ["airflow_claid.cli.definition.get_claid_cli_commands"],
        "task-decorators": [
            {"name": "claid_image", "class-name": "airflow_claid.decorators.claid_image_task"},
            {"name": "claid_edit", "class-name": "airflow_claid.decorators.claid_edit_task"},
        ],
        "config": {SECTION: {"description": "Defaults for tasks and connections of Claid.", "options": OPTIONS}},
        "extra-links": [
            "airflow_claid.operators.links.ClaidPicturesLink",
            "airflow_claid.operators.links.ClaidStorageLink",
        ],
        "connection-types": [
            {
                "hook-class-name": "airflow_claid.hooks.claid.ClaidHook",
                "hook-name": HOOK_NAME,
                "connection-type": CONN_TYPE,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONN_FIELDS,
            }
        ],
    }
