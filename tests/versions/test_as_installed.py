"""The package as a user has installed it, beside a released Airflow: examples, plugin, form, and what is missing.

Run by nox in an environment that holds the wheel; nothing of the checkout but ``dags_examples`` is read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"
MINOR, PATCH = map(int, version("apache-airflow-core").split(".")[1:3])
CREDITS = {"image_editing": 5, "decorators": 6, "waiting": 3}
LINKS_ONLY = """
from airflow.sdk import dag, task
from airflow_claid.operators import ImageGenerationOperator
from airflow_claid.version_compat import task_state_store

@dag(schedule=None)
def links():
    generate = ImageGenerationOperator(task_id="generate", prompt="A lamp")

    @task
    def look(**context):
        print("STATE STORE", task_state_store(context) is not None)

    generate >> look()

links()
"""


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An Airflow with a database of its own."""
    home = tmp_path_factory.mktemp("airflow")
    passwords = home / "passwords.json"
    passwords.write_text('{"admin": "admin"}', encoding="utf-8")
    found = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHONPATH"))}
    environment = found | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
    }
    done = airflow(environment, "db", "migrate")
    assert done.returncode == 0, done.stderr[-3000:]
    return environment


@pytest.fixture
def claid(tmp_path: Path) -> Iterator[Any]:
    """A sandbox that writes the bucket of its connected storage ``shop`` below the test's folder."""
    from airflow_claid.sandbox import Sandbox, SandboxSettings

    settings = SandboxSettings(quota="", creative_quota="", job_seconds=0.1, buckets={"*": str(tmp_path)})
    with Sandbox(settings) as sandbox:
        sandbox.connect_storage("shop", bucket="shop-pictures")
        yield sandbox


def airflow(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "airflow"), *arguments]
    return subprocess.run(
        command, env=environment, cwd=environment["AIRFLOW_HOME"], capture_output=True, text=True, check=False
    )


def answered(environment: dict[str, str], code: str) -> Any:
    """Run code in Airflow's API server, loaded in a process of its own, and return what it printed last, as JSON."""
    opening = (
        "import json\n"
        "from fastapi.testclient import TestClient\n"
        "from airflow.api_fastapi.app import create_app\n"
        "with TestClient(create_app(), base_url='http://localhost:8080') as server:\n"
        "    who = {'username': 'admin', 'password': 'admin'}\n"
        "    token = server.post('/auth/token', json=who).json()['access_token']\n"
        "    login = {'Authorization': 'Bearer ' + token}\n"
    )
    body = "".join(f"    {line}\n" for line in code.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", opening + body],
        env=environment, cwd=environment["AIRFLOW_HOME"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_package_is_the_installed_one() -> None:
    import airflow_claid

    assert Path(airflow_claid.__file__).is_relative_to(sysconfig.get_path("purelib"))


@pytest.mark.parametrize("example", CREDITS)
def test_an_example_dag_runs(example: str, environment: dict[str, str], claid: Any, tmp_path: Path) -> None:
    shop = tmp_path / "shop-pictures"
    connection = {
        "conn_type": "claid",
        "password": claid.api_key,
        "host": claid.url,
        "extra": {"storages": {"shop": f"file://{shop}"}},
    }
    conf = {} if example == "waiting" else {"output": f"file://{tmp_path}/pictures/"}
    run = airflow(
        environment | {"AIRFLOW_CONN_CLAID_DEFAULT": json.dumps(connection)},
        "dags", "test", example, "--conf", json.dumps(conf),
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert claid.charged() == CREDITS[example]


def test_an_example_dag_that_this_airflow_cannot_run_is_no_import_error(environment: dict[str, str]) -> None:
    told = airflow(environment, "dags", "list-import-errors", "--local", "--output", "json")
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-3000:]
    listed = airflow(environment, "dags", "list", "--local", "--output", "json").stdout
    assert '"deadline"' in listed
    assert ('"daily_partitions"' in listed) == (MINOR >= 2)


def test_the_plugin_is_registered_and_its_page_answers(environment: dict[str, str]) -> None:
    code = (
        "plugins = server.get('/api/v2/plugins', headers=login).json()['plugins']\n"
        "views = [view['name'] for plugin in plugins for view in plugin['external_views']]\n"
        "errors = server.get('/api/v2/plugins/importErrors', headers=login).json()['import_errors']\n"
        "server.cookies.clear()\n"
        "strange = server.get('/claid/images').status_code\n"
        "server.cookies.set('_token', token)\n"
        "page = server.get('/claid/images')\n"
        "print(json.dumps([views, errors, strange, page.status_code, 'Claid' in page.text]))"
    )
    views, errors, strange, status, is_ours = answered(environment, code)
    assert {"Images", "Claid images"} <= set(views)
    assert errors == []
    assert (strange, status, is_ours) == (401, 200, True)


def test_the_connection_form_has_its_fields_and_tests_the_connection(environment: dict[str, str], claid: Any) -> None:
    connection = {"connection_id": "shop", "conn_type": "claid", "host": claid.url, "password": claid.api_key}
    code = (
        "forms = server.get('/ui/connections/hook_meta', headers=login).json()\n"
        "(form,) = [form for form in forms if form['connection_type'] == 'claid']\n"
        f"tested = server.post('/api/v2/connections/test', headers=login, json={connection!r})\n"
        "print(json.dumps([form['hook_name'], form['standard_fields'], form['extra_fields'], tested.text]))"
    )
    name, standard, extra, tested = answered(environment, code)
    assert name == "Claid"
    if (MINOR, PATCH) < (1, 3):  # these versions need wtforms, which is not among their dependencies
        assert (standard, extra) == (None, None)
    else:
        assert (standard["password"]["title"], standard["host"]["title"]) == ("API key", "Base URL")
        assert {"storages", "download_hosts", "quota_store", "connect_timeout", "read_timeout", "max_wait"} <= {*extra}
    assert "the API key works" in tested


def test_this_airflow_has_the_command_from_3_2_on_and_claid_always(environment: dict[str, str]) -> None:
    within = airflow(environment, "claid", "--help")
    assert (within.returncode == 0) == (MINOR >= 2), within.stdout + within.stderr
    ours = [str(Path(sys.executable).parent / "claid"), "--help"]
    assert subprocess.run(ours, env=environment, capture_output=True, check=False).returncode == 0


def test_this_airflow_has_retries_at_a_time_and_many_threads_from_3_3_on() -> None:
    from airflow_claid import version_compat

    assert (MINOR >= 3) == version_compat.HAS_RETRY_POLICY
    assert (8 if MINOR >= 3 else 1) == version_compat.THREADS_AT_ONCE


def test_this_airflow_has_the_task_state_store_from_3_3_on_and_others_do_without(
    environment: dict[str, str], claid: Any, tmp_path: Path
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "links.py").write_text(LINKS_ONLY, encoding="utf-8")
    connection = {"conn_type": "claid", "password": claid.api_key, "host": claid.url}
    settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "AIRFLOW_CONN_CLAID_DEFAULT": json.dumps(connection)}
    run = airflow(environment | settings, "dags", "test", "links")
    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-4000:]
    assert f"STATE STORE {MINOR >= 3}" in said
    assert claid.charged() == 1
