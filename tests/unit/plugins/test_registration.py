"""The plugin as Airflow finds it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from fastapi.testclient import TestClient

from airflow_claid.plugins.registration import ClaidPlugin, LazyApp


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    assert [point.load() for point in entry_points(group="airflow.plugins", name="claid")] == [ClaidPlugin]


def test_the_tabs_are_on_task_instances_and_runs_and_in_the_navigation() -> None:
    assert [view["destination"] for view in ClaidPlugin.external_views] == ["task_instance", "dag_run", "nav", "nav"]
    prefix = ClaidPlugin.fastapi_apps[0]["url_prefix"]
    assert all(view["href"].startswith(f"{prefix}/images") for view in ClaidPlugin.external_views[:3])
    assert (ClaidPlugin.external_views[3]["name"], ClaidPlugin.external_views[3]["href"]) == (
        "Claid credits",
        f"{prefix}/credits",
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"AIRFLOW__API__BASE_URL": "http://host:8080/airflow/"}, "/airflow/claid/credits"),
        ({"AIRFLOW__CLAID__GALLERY": "False"}, "/claid/credits"),
        ({"AIRFLOW__CLAID__CREDITS": "False"}, "/claid/images"),
        ({"AIRFLOW__CLAID__GALLERY": "False", "AIRFLOW__CLAID__CREDITS": "False"}, "off"),
    ],
)
@pytest.mark.commands
def test_the_plugin_follows_airflows_settings_and_loads_no_application(
    settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    code = (
        "import sys\nOURS = ('airflow_claid.plugins.gallery', 'airflow_claid.plugins.credits', 'PIL')\n"
        "from airflow_claid.plugins.registration import ClaidPlugin as plugin\n"
        "assert not [name for name in sys.modules if name.startswith(OURS)]\n"
        "print(plugin.external_views[-1]['href'] if plugin.fastapi_apps and plugin.external_views else 'off')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == said


def test_the_application_is_made_once_with_the_first_request() -> None:
    made = []

    async def answer(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 204})  # type: ignore[operator]
        await send({"type": "http.response.body"})  # type: ignore[operator]

    def make() -> object:
        made.append(1)
        return answer

    app = LazyApp(make)  # type: ignore[arg-type]
    assert not made
    client = TestClient(app)
    assert [client.get("/").status_code for _ in range(3)] == [204] * 3
    assert made == [1]
