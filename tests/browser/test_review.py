"""A review, answered in the Airflow UI by a person's clicks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.integration.standalone import Standalone, standalone
from tests.integration.test_review import asked
from tests.support.airflow import ROOT, Airflow

SIDE = 256
PLENTY = "100000/1"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    settings = SandboxSettings(quota=PLENTY, creative_quota=PLENTY, job_seconds=0.1, image_size=SIDE)
    with Sandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture
def airflow(sandbox: Sandbox, tmp_path: Path) -> Iterator[Standalone]:
    home, dags = tmp_path / "airflow", tmp_path / "dags"
    home.mkdir()
    dags.mkdir()
    shutil.copy(ROOT / "dags_examples" / "review.py", dags)
    claid = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
    with standalone(Airflow(home, dags, {"claid_default": claid}), path="/airflow", users={"anna": "admin"}) as running:
        yield running


def test_pictures_are_seen_and_rejected_in_the_page(
    airflow: Standalone, sandbox: Sandbox, browser: Browser, tmp_path: Path
) -> None:
    run = airflow.trigger("review", {"output": f"file://{tmp_path}/pictures/"})
    asked(airflow, run, "review")
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    token = {"name": "_token", "value": airflow.token("anna"), "url": airflow.url.removesuffix("/airflow")}
    context.add_cookies([token])
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{airflow.url}/dags/review/runs/{run}/tasks/review/required_actions")
    pictures = page.locator("img[src*='/claid/images/']")
    expect(pictures).to_have_count(3)
    page.wait_for_function(
        "[...document.querySelectorAll(\"img[src*='/claid/images/']\")].every(i => i.complete && i.naturalWidth > 0)"
    )
    options = page.locator("input[role='combobox']")
    for name in ("LAMP", "VASE"):
        options.fill(name)
        options.press("Enter")
    page.locator("#element_comment").fill("in warm light")
    page.get_by_role("button", name="Respond").click()

    asked(airflow, run, "review_anew")
    page.goto(f"{airflow.url}/dags/review/runs/{run}/tasks/review_anew/required_actions")
    options.fill("Approve all")
    options.press("Enter")
    page.get_by_role("button", name="Respond").click()
    assert airflow.ended("review", run) == "success", airflow.logs()[-3000:]
    prompts = {entry.prompt for entry in sandbox.ledger() if entry.operation == "generate_image"}
    assert "A brass floor lamp on a pale wall, in warm light" in prompts
    assert sandbox.charged() == 3 + 2 + 3

    page.goto(f"{airflow.url}/claid/images/dags/review/runs/{run}/tasks/review/-1")
    expect(page.get_by_text("Rejected by anna: in warm light")).to_have_count(2)
    context.close()
