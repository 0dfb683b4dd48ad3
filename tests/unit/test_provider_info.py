"""What Airflow is told about the provider is as Airflow wants it, and is true."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_claid.configuration.options import OPTIONS
from airflow_claid.gallery_addresses import URL_PREFIX
from airflow_claid.get_provider_info import get_provider_info
from tests.docs.pages import ROOT, Page, spans

INFO = get_provider_info()


def test_it_is_valid_by_airflows_schema() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(INFO, schema)
    new_in_3_2 = {"cli"}
    assert INFO.keys() - schema["properties"].keys() <= (new_in_3_2 if airflow.__version__ < "3.2" else set())


def test_everything_that_it_names_is_there() -> None:
    (integration,) = INFO["integrations"]
    for kind in ("operators", "sensors", "triggers", "hooks"):
        for entry in INFO[kind]:
            assert entry["integration-name"] == integration["integration-name"]
            for module in entry["python-modules"]:
                importlib.import_module(module)
    named = [*INFO["notifications"], *INFO["extra-links"], *(entry["class-name"] for entry in INFO["task-decorators"])]
    named += [entry["hook-class-name"] for entry in INFO["connection-types"]]
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(module), attribute)
    for guide in integration["how-to-guide"]:
        assert (ROOT / "docs" / guide.removeprefix("/docs/airflow-claid/")).is_file(), guide
    static = integration["logo"].removeprefix(f"{URL_PREFIX}/static/")
    assert (ROOT / "airflow_claid/plugins/gallery/static" / static).is_file()


def test_the_page_has_each_option_with_its_default() -> None:
    page = Page(ROOT / "docs" / "configuration.md")
    (table,) = (one for one in page.tables if one.header[0] == "Setting")
    told = {name: spans(default)[0] if spans(default) else None for name, default in table.column("Default").items()}
    assert told == {name: option["default"] for name, option in OPTIONS.items()}


@pytest.mark.commands
def test_reading_it_loads_no_airflow() -> None:
    """Airflow reads it while it makes its own configuration."""
    code = (
        "import sys\nfrom airflow_claid.get_provider_info import get_provider_info\nget_provider_info()\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('airflow', 'requests', 'pydantic', 'PIL')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def told_by_airflow(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, code: str) -> Any:
    for name, value in environment.items():
        monkeypatch.setenv(f"AIRFLOW__CLAID__{name.upper()}", value)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.commands
def test_what_the_configuration_says_is_the_default_of_tasks_and_of_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = """
import json, os
connection = {"conn_type": "claid", "password": "a-key"}
os.environ["AIRFLOW_CONN_CLAID_DEFAULT"] = json.dumps(connection)
os.environ["AIRFLOW_CONN_OWN"] = json.dumps({**connection, "extra": {"download_hosts": "b.c"}})
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.operators import ImageEditOperator, ImageGenerationBatchOperator, ImageToVideoOperator
from airflow_claid.sensors import ClaidJobSensor
edit = {"task_id": "a", "input": "https://a.example/b.png", "operations": {"resizing": {"width": 16}}}
plain = ImageEditOperator(**edit)
own = ImageEditOperator(**edit, on_lost_response="resubmit", deferrable=False, poll_interval=5)
video = ImageToVideoOperator(task_id="b", input="https://a.example/b.png", prompt="It turns")
batch = ImageGenerationBatchOperator(task_id="c", prompts=["A lamp"], output="file:///tmp/c/")
sensor = ClaidJobSensor(task_id="d", kind="edit", job_id=1)
print(json.dumps({
    "plain": [plain.on_lost_response, plain.deferrable, plain.poll_interval],
    "own": [own.on_lost_response, own.deferrable, own.poll_interval],
    "video": [video.on_lost_response, video.deferrable],
    "batch": batch.on_lost_response,
    "sensor": sensor.deferrable,
    "hosts": [list(ClaidHook(name).downloader.rules.hosts) for name in ("claid_default", "own")],
}))
"""
    settings = {"on_lost_response": "fail", "deferrable": "True", "poll_interval": "30", "download_hosts": "x.y , *.z"}
    assert told_by_airflow(settings, monkeypatch, code) == {
        "plain": ["fail", True, 30],
        "own": ["resubmit", False, 5],
        "video": ["fail", True],
        "batch": "fail",
        "sensor": True,
        "hosts": [["x.y", "*.z"], ["b.c"]],
    }
