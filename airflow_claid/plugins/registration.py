"""The plugin by which the Airflow UI gets its tabs; nothing else is loaded until one of them is opened."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_claid.gallery_addresses import TASK_TAB, URL_PREFIX, credits_are_on, gallery_is_on, gallery_root

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class LazyApp:
    """An application that is made with the first request: every process of Airflow loads plugins, one serves pages."""

    def __init__(self, make: Callable[[], Asgi]) -> None:
        self._make = make
        self._app: Asgi | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "airflow_claid.plugins"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        app = self._app if self._app is not None else await asyncio.to_thread(self._made)
        await app(scope, receive, send)

    def _made(self) -> Asgi:
        with self._lock:
            if self._app is None:
                self._app = self._make()
            return self._app


def _make_app() -> Asgi:
    from airflow_claid.plugins.app import create_app

    return create_app()


def _apps() -> list[dict[str, Any]]:
    return [{"name": "Claid", "app": LazyApp(_make_app), "url_prefix": URL_PREFIX}]


def _views() -> list[dict[str, Any]]:
    return [*(_of_gallery() if gallery_is_on() else []), *(_of_credits() if credits_are_on() else [])]


def _of_gallery() -> list[dict[str, Any]]:
    images = f"{gallery_root()}/images"
    run = f"{images}/dags/{{DAG_ID}}/runs/{{RUN_ID}}"
    return [
        {
            "name": "Images",
            "href": f"{run}/tasks/{{TASK_ID}}/{{MAP_INDEX}}",
            "destination": "task_instance",
            "url_route": TASK_TAB,
        },
        {"name": "Images", "href": run, "destination": "dag_run", "url_route": "claid_run_images"},
        {
            "name": "Claid images",
            "href": images,
            "destination": "nav",
            "category": "browse",
            "url_route": "claid_latest_images",
        },
    ]


def _of_credits() -> list[dict[str, Any]]:
    return [
        {
            "name": "Claid credits",
            "href": f"{gallery_root()}/credits",
            "destination": "nav",
            "category": "browse",
            "url_route": "claid_credits",
        }
    ]


class ClaidPlugin(AirflowPlugin):
    """The tab *Images* of task instances and DAG runs, and in the navigation the latest pictures and the credits.

    ``[claid] gallery = False`` in Airflow's configuration leaves the pictures out, ``credits = False`` the
    credits.
    """

    name = "claid"
    external_views = _views()
    fastapi_apps = _apps() if external_views else []
