"""A running Airflow with pictures, below a path, and a browser that looks at it: for tests and for screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import ROOT, Airflow
from tests.support.redis import redis_server

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DAGS = ("catalogue", "products")
PATH = "/airflow"
_ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
_PLENTY = "100000/1"


class Shop:
    """Runs that have ended, and their addresses in the Airflow UI."""

    def __init__(self, airflow: Standalone, dags: Sequence[str]) -> None:
        self.airflow = airflow
        self.runs = {dag: airflow.trigger(dag) for dag in dags}
        for dag, run in self.runs.items():
            assert airflow.ended(dag, run, 900) == "success", airflow.logs()[-3000:]

    def run(self, dag: str) -> str:
        """Return the address of a run's pictures, below Airflow's."""
        return f"claid/images/dags/{dag}/runs/{self.runs[dag]}"

    def task(self, dag: str, task: str, map_index: int | str = -1) -> str:
        """Return the address of a task's pictures."""
        return f"{self.run(dag)}/tasks/{task}/{map_index}"

    def tab(self, dag: str, task: str | None = None) -> str:
        """Return the address of the tab in the Airflow UI."""
        if task is None:
            return f"dags/{dag}/runs/{self.runs[dag]}/plugin/claid_run_images"
        return f"dags/{dag}/runs/{self.runs[dag]}/tasks/{task}/plugin/claid_images"


@contextmanager
def running_shop(home: Path, folder: Path, *, side: int, dags: Sequence[str] = DAGS) -> Iterator[Shop]:
    """Run an Airflow whose DAGs have made pictures, until the block ends; it has the example ``review.py`` too.

    :param side: of the pictures, in pixels.
    :param dags: those that have run.
    """
    settings = SandboxSettings(quota=_PLENTY, creative_quota=_PLENTY, job_seconds=0.1, image_size=side)
    with Sandbox(settings) as sandbox, redis_server() as redis:
        extra = {"quota_store": redis, "spend_limit": {"credits": 500, "name": "shop", "timezone": "Europe/Berlin"}}
        claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url, "extra": extra}
        files = home / "dags"
        files.mkdir()
        for file in (Path(__file__).parent / "dags" / "gallery.py", ROOT / "dags_examples" / "review.py"):
            shutil.copy(file, files)
        airflow = Airflow(home, files, {"claid_default": claid}, {"GALLERY_FOLDER": str(folder)})
        users = {"admin": "admin", "nobody": ""}
        with standalone(airflow, path=PATH, users=users, parallelism=2, seconds=600) as running:
            yield Shop(running, dags)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


def opened(
    shop: Shop,
    browser: Browser,
    path: str,
    *,
    user: str | None = "admin",
    dark: bool = False,
    width: int = 1280,
    height: int = 860,
) -> Page:
    """Open a page as a user, in a window of its own."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    if user:
        address = shop.airflow.url.removesuffix(PATH)
        context.add_cookies([{"name": "_token", "value": shop.airflow.token(user), "url": address}])
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{shop.airflow.url}/{path}")
    return page
