"""Console blocks: each line is run, or held against what it would run."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from importlib.metadata import metadata, version
from pathlib import Path

import requests
from airflow.sdk import Connection
from packaging.requirements import Requirement

from tests.conftest import Connect
from tests.docs.conftest import Scene
from tests.docs.json_blocks import check_connection
from tests.docs.pages import ROOT

CONSTRAINTS = "https://raw.githubusercontent.com/apache/airflow/constraints-"
_ENTRY = re.compile(r"(?P<name>[a-z-]+)(\[(?P<extras>[a-z,]+)\])?")


def run_console(text: str, scene: Scene, connect: Connect) -> None:  # noqa: C901 - a case for each command
    """Check every line of a block."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        match words:
            case ["make", *arguments]:
                _check_make(arguments)
            case ["python3", "-m", "venv", _] | ["source", _] | ["pip", "install", *_]:
                _check_installing(words)
            case ["claid-sandbox", *_] | ["claid", "sandbox", *_]:
                _start_and_stop_sandbox(words)
            case ["claid", *arguments]:
                _claid(arguments, scene)
            case ["export", assignment]:
                _export(assignment, scene, connect)
            case ["airflow", *arguments]:
                _airflow(arguments, scene)
            case ["curl", *arguments]:
                _curl(arguments)
            case [".venv/bin/python", "-m", "pytest", *paths]:
                assert all((ROOT / path).exists() for path in paths)
            case ["AIRFLOW__CORE__DAGS_FOLDER=$PWD/dags", "PYTHONPATH=dags", "python", "-m", "pytest", path]:
                assert (scene.folder.parent / path).is_dir(), "no block before has tests"
            case _:
                raise AssertionError(f"nobody knows how to check the line {line!r}")


def _airflow(arguments: list[str], scene: Scene) -> None:
    """Run a command that is quick; of the others, look whether their DAG, and their options, are there."""
    match arguments:
        case ["dags", "test", dag_id]:
            assert (scene.airflow.dags / f"{dag_id}.py").exists(), f"no DAG of this page is called {dag_id}"
        case ["backfill", "create", "--dag-id", dag_id, *_]:
            assert (ROOT / "dags_examples" / f"{dag_id}.py").exists(), f"no example is called {dag_id}"
        case ["connections" | "providers" | "claid" | "config", *_]:
            done = scene.airflow(*arguments)
            assert done.returncode == 0, done.stdout + done.stderr
        case ["db" | "api-server" | "scheduler" | "dag-processor" | "triggerer" | "celery", *_]:
            from airflow.cli.cli_parser import get_parser

            get_parser().parse_args(arguments)
        case _:
            raise AssertionError(f"nobody knows how to check 'airflow {shlex.join(arguments)}'")


def _check_make(arguments: list[str]) -> None:
    done = subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _check_installing(words: list[str]) -> None:
    """Check that what is installed is what the tests run with; a virtual environment is not made."""
    project = metadata("airflow-claid")
    left = iter(words[2:] if words[0] == "pip" else [])
    for requirement in left:
        if requirement == "--upgrade":
            continue
        if requirement == "--constraint":
            assert next(left).startswith(f"{CONSTRAINTS}{version('apache-airflow')}/constraints-3.")
            continue
        entry = _ENTRY.fullmatch(requirement)
        if not entry or entry["name"] != project["Name"]:
            other = Requirement(requirement)
            assert other.specifier.contains(version(other.name)), f"the tests run with another version of {other.name}"
            continue
        assert set((entry["extras"] or "").split(",")) - {""} <= set(project.get_all("Provides-Extra") or ())


def _claid(arguments: list[str], scene: Scene) -> None:
    """Run a command to its end; ``# exit code 1`` behind it says how that should be, if not well."""
    expected = 0
    if "#" in arguments:
        comment = arguments.index("#")
        assert arguments[comment + 1 : -1] == ["exit", "code"]
        arguments, expected = arguments[:comment], int(arguments[-1])
    done = scene.airflow.run("claid", *arguments, folder=Path.cwd())
    assert done.returncode == expected, done.stdout + done.stderr


def _start_and_stop_sandbox(words: list[str]) -> None:
    """Run the command on a free port until it answers, and stop it."""
    command = [str(Path(sys.executable).with_name(words[0])), *words[1:], "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            greeting = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://[\d.:]+", greeting)
            assert found, f"{command} said {greeting!r}"
            assert requests.get(f"{found[0]}/sandbox/credits", timeout=10).ok
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def _export(assignment: str, scene: Scene, connect: Connect) -> None:
    name, _, value = assignment.partition("=")
    conn_id = name.removeprefix("AIRFLOW_CONN_").lower()
    if conn_id == name.lower():
        assert name.startswith("AIRFLOW__")
        scene.airflow.settings[name] = value
        return
    assert conn_id == "claid_default"
    read = Connection.from_json if value.startswith("{") else Connection.from_uri
    check_connection(read(value, conn_id=conn_id), connect)


def _curl(arguments: list[str]) -> None:
    """Do what curl would do; it may not be installed where tests run."""
    method, headers, body, url = "", {}, None, ""
    left = iter(arguments)
    for argument in left:
        match argument:
            case "-s":
                pass
            case "-X":
                method = next(left)
            case "-H":
                header, _, value = next(left).partition(": ")
                headers[header] = value
            case "-d":
                body = next(left)
            case _:
                assert argument.startswith("http://127.0.0.1"), argument
                url = argument
    answer = requests.request(method or ("POST" if body else "GET"), url, headers=headers, data=body, timeout=10)
    assert answer.ok, answer.text
