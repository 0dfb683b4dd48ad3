"""A running Airflow with pictures, below a path, and a browser that looks at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.support.airflow import Airflow

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PLENTY = "100000/1"
SIDE = 256
DAGS = ("catalogue", "products")

Visit = Callable[..., Page]


class Shop:
    """Runs that have ended, and their addresses in Airflow's page."""

    def __init__(self, airflow: Standalone) -> None:
        self.airflow = airflow
        self.runs = {dag: airflow.trigger(dag) for dag in DAGS}
        for dag, run in self.runs.items():
            assert airflow.ended(dag, run, 300) == "success", airflow.logs()[-3000:]

    def run(self, dag: str) -> str:
        """Return the address of a run's pictures, below Airflow's."""
        return f"claid/images/dags/{dag}/runs/{self.runs[dag]}"

    def task(self, dag: str, task: str, map_index: int = -1) -> str:
        """Return the address of a task's pictures."""
        return f"{self.run(dag)}/tasks/{task}/{map_index}"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home, folder = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("pictures")
    settings = SandboxSettings(quota=PLENTY, creative_quota=PLENTY, job_seconds=0.1, image_size=SIDE)
    with Sandbox(settings) as sandbox:
        claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
        own = {"GALLERY_FOLDER": str(folder)}
        airflow = Airflow(home, Path(__file__).parent / "dags", {"claid_default": claid}, own)
        with standalone(airflow, path="/airflow", users={"admin": "admin", "nobody": ""}) as running:
            yield Shop(running)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(shop: Shop, browser: Browser) -> Iterator[Visit]:
    """Opens a page as a user: ``visit("claid/images", user="nobody", dark=True, width=390)``."""
    contexts = []

    def opened(path: str, *, user: str | None = "admin", dark: bool = False, width: int = 1280) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 860}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        if user:
            address = shop.airflow.url.removesuffix("/airflow")
            context.add_cookies([{"name": "_token", "value": shop.airflow.token(user), "url": address}])
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{shop.airflow.url}/{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
