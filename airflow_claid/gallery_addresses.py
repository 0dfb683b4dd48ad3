"""Addresses of the gallery in the Airflow UI, for its own pages and for tasks that show pictures by them."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow_claid.configuration.options import SECTION
from airflow_claid.version_compat import conf

URL_PREFIX = "/claid"
"""Where the application is mounted, below Airflow's own address."""

TASK_TAB = "claid_images"
"""What Airflow's page calls the tab of a task instance, in its address."""

ALL = "all"
"""In the place of a map index: all of a task's."""


def gallery_is_on() -> bool:
    """Tell whether the gallery is in the Airflow UI, as far as the configuration here tells."""
    return bool(conf.getboolean(SECTION, "gallery", fallback=True))


def credits_are_on() -> bool:
    """Tell whether the page *Claid credits* is in the Airflow UI, as far as the configuration here tells."""
    return bool(conf.getboolean(SECTION, "credits", fallback=True))


def base_path() -> str:
    """Return the path of Airflow's address (``[api] base_url``), without a ``/`` at its end."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def gallery_root() -> str:
    """Return the path of the application, as the browser knows it."""
    return f"{base_path()}{URL_PREFIX}"


def gallery_path(dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None) -> str:
    """Return the path, in the application, of the pictures of a run, of a task, or of one mapped task instance."""
    path = f"/images/dags/{_part(dag_id)}/runs/{_part(run_id)}"
    if task_id is None:
        return path
    return f"{path}/tasks/{_part(task_id)}/{ALL if map_index is None else map_index}"


def tab_of_task(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    """Return the address of the tab *Images* of a task instance, in Airflow's page."""
    return f"{page_of_task(dag_id, run_id, task_id, map_index)}/plugin/{TASK_TAB}"


def page_of_task(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    """Return the address of a task instance in Airflow's page (``[api] base_url``)."""
    root = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    mapped = f"/mapped/{map_index}" if map_index is not None and map_index >= 0 else ""
    return f"{root}/dags/{_part(dag_id)}/runs/{_part(run_id)}/tasks/{_part(task_id)}{mapped}"


def file_path(picture: str, which: int | str, size: str) -> str:
    """Return the path of a picture itself.

    :param picture: the path of its page: that of its task, and its row.
    :param which: its position among the row's pictures, from 0, or ``input``.
    :param size: ``thumbnail`` or ``large``.
    """
    return f"{picture}/{which}/{size}"


def _part(value: str) -> str:
    return quote(value, safe="")
