"""The form of a Claid connection, for all Airflow versions."""

from __future__ import annotations

from typing import Any

CONN_TYPE = "claid"
HOOK_NAME = "Claid"
DEFAULT_CONN_NAME = "claid_default"

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "login", "port"],
    "relabeling": {"password": "API key", "host": "Base URL"},
    "placeholders": {
        "password": "from Claid's dashboard",
        "host": "https://api.claid.ai",
    },
}

CONN_FIELDS: dict[str, dict[str, Any]] = {
    "storages": {
        "label": "Connected storages",
        "description": (
            "JSON: the Airflow connection, or the folder, that reaches the bucket of each connected storage, e.g. "
            '{"shop": "aws_default", "local": "file:///srv/bucket"}. Lets Airflow read what Claid wrote there.'
        ),
        "schema": {"type": ["string", "null"]},
    },
    "download_hosts": {
        "label": "Download hosts",
        "description": (
            "Host names from which pictures may be downloaded, separated by commas; * stands for any part. "
            "A sandbox on another machine is named by its whole address: http://claid-sandbox:8765. "
            "Default: *.claid.ai, storage.googleapis.com."
        ),
        "schema": {"type": ["string", "null"]},
    },
    "quota_store": {
        "label": "Quota store",
        "description": (
            "A Redis through which all workers share the account's quota: redis://HOST:PORT/DB. Needs the extra "
            "airflow-claid[redis]. Default: none, and each worker paces its own requests."
        ),
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "spend_limit": {
        "label": "Spend limit",
        "description": (
            "Credits that all tasks with this connection may spend together in a day or a month: 1000 per day, or "
            'JSON: {"credits": 20000, "per": "month", "timezone": "Europe/Berlin"}. Needs a quota store. Default: none.'
        ),
        "schema": {"type": ["string", "null"]},
    },
    "connect_timeout": {
        "label": "Connect timeout",
        "description": "Seconds to make a connection, up to 600. Default: 10.",
        "schema": {"type": ["number", "null"]},
    },
    "read_timeout": {
        "label": "Read timeout",
        "description": "Seconds without a byte of an answer, up to 3600; a short one loses paid answers. Default: 120.",
        "schema": {"type": ["number", "null"]},
    },
    "max_wait": {
        "label": "Longest wait for the quota",
        "description": "Total seconds that one request may wait for the quota, up to 604800. Default: 300.",
        "schema": {"type": ["number", "null"]},
    },
}
