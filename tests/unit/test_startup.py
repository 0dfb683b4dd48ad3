"""What a DAG file loads when it is parsed: no HTTP library, no Pillow, no cloud, and of ours what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from airflow_claid import operators, sensors

SDK = "import airflow.sdk.bases.operator, airflow.sdk.bases.sensor, airflow.sdk.exceptions, airflow.sdk.io"
HEAVY = (
    "PIL",
    "aiohttp",
    "airflow.models",
    "airflow.providers",
    "airflow.triggers",
    "asgiref",
    "boto3",
    "botocore",
    "chardet",
    "charset_normalizer",
    "fastapi",
    "gcsfs",
    "google",
    "httpx",
    "limits",
    "numpy",
    "pandas",
    "pyarrow",
    "redis",
    "requests",
    "s3fs",
    "socks",
    "sqlite3",
    "urllib3",
    "uvicorn",
)
OF_ANOTHER_PROVIDER = "ImageReviewOperator"
MOST_OF_THE_PACKAGE = 60
MOST_OF_AN_OPERATOR = 60
"""Modules of our own; a file of a DAG names one operator or several."""

FOLDER, PHOTO = "output='s3://shop/out/'", "input='s3://shop/in/chair.png'"
PARAMETERS = {
    "BackgroundGenerationBatchOperator": f"input='s3://shop/in/', prompt='On a table', {FOLDER}",
    "BackgroundGenerationOperator": f"{PHOTO}, prompt='On a table', {FOLDER}",
    "ConnectStorageOperator": "name='shop', connection_id='aws', bucket='shop'",
    "DisconnectStorageOperator": "name='shop'",
    "FashionModelBatchOperator": f"clothing='s3://shop/in/', pose='Sitting', {FOLDER}",
    "FashionModelOperator": f"clothing=['s3://shop/in/coat.png'], pose='Sitting', {FOLDER}",
    "ImageAIEditBatchOperator": f"input='s3://shop/in/', prompt='Remove the dust', fallback_prompt='No dust', {FOLDER}",
    "ImageAIEditOperator": f"{PHOTO}, prompt='Remove the dust', {FOLDER}",
    "ImageEditBatchOperator": f"input='s3://shop/in/', operations={{'background': {{'remove': True}}}}, {FOLDER}",
    "ImageEditOperator": f"{PHOTO}, operations={{'background': {{'remove': True}}}}, {FOLDER}, on_error='continue'",
    "ImageFolderEditOperator": "input='storage://shop/in/', operations={'resizing': {'width': 800, 'height': 'auto'}}",
    "ImageGenerationBatchOperator": f"prompts=['A lamp', 'A chair'], {FOLDER}",
    "ImageGenerationOperator": f"prompt='A lamp', {FOLDER}, name='lamp'",
    "ImageResizeBatchOperator": f"input='s3://shop/in/', width=800, {FOLDER}",
    "ImageResizeOperator": f"{PHOTO}, width=800, {FOLDER}",
    "ImageReviewOperator": "input=['s3://shop/out/chair.png']",
    "ImageToVideoBatchOperator": f"input='s3://shop/in/', prompt='It turns', {FOLDER}",
    "ImageToVideoOperator": f"{PHOTO}, prompt='It turns', {FOLDER}",
    "ImageUpscaleBatchOperator": f"input='s3://shop/in/', {FOLDER}",
    "ImageUpscaleOperator": f"{PHOTO}, {FOLDER}",
}

_SCRIPT = """
import json, os, socket, sys
SDK
from airflow.sdk import DAG, BaseOperator
with DAG("of_another"): BaseOperator(task_id="t")
watching = False
def refuse(event, arguments):
    is_file = event == "open" and isinstance(arguments[0], str) and not arguments[0].endswith((".py", ".pyc", ".so"))
    if (watching and is_file and NO_FILES) or event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise AssertionError(f"{event} of {arguments[0]}")
sys.addaudithook(refuse)
before = set(sys.modules)
try:
    import airflow.sdk.configuration, airflow.sdk.observability.stats
except ImportError:
    import airflow.configuration, airflow.stats  # read Airflow's configuration once they are loaded
for title, statement in json.loads(sys.stdin.read()).items():
    if (child := os.fork()) == 0:
        watching = True
        exec(statement)
        watching = False
        print(json.dumps([title, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, title
"""


def modules_of_each(statements: dict[str, str], *, no_files: bool) -> dict[str, list[str]]:
    """Return what each statement loads beside Airflow's SDK with its operators, in a process of its own.

    It may start no process and reach no network.

    :param no_files: whether it may open no file that is no module.
    """
    script = _SCRIPT.replace("SDK", SDK, 1).replace("NO_FILES", str(no_files), 1)
    command = [sys.executable, "-c", script]
    asked = json.dumps(statements)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # a module's compiled form is no file of ours
    done = subprocess.run(
        command, input=asked, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


def modules_of(statement: str) -> list[str]:
    """Return what a statement loads beside Airflow's SDK with its operators."""
    return modules_of_each({"": statement}, no_files=False)[""]


def ours(loaded: list[str]) -> list[str]:
    return [name for name in loaded if name.partition(".")[0] == "airflow_claid"]


def heavy(loaded: list[str]) -> list[str]:
    return [name for name in loaded if any(f"{name}.".startswith(f"{one}.") for one in HEAVY)]


@pytest.fixture(scope="module")
def loaded_by() -> dict[str, list[str]]:
    """What parsing a DAG loads that has one task, by the task's operator."""
    return modules_of_each(
        {
            name: f"from airflow_claid.operators import {name}\nwith DAG('shop'): {name}(task_id='t', {parameters})"
            for name, parameters in PARAMETERS.items()
            if name != OF_ANOTHER_PROVIDER
        },
        no_files=True,
    )


@pytest.mark.commands
def test_the_package_of_operators_loads_few_modules() -> None:
    assert len(modules_of("import airflow_claid.operators")) <= MOST_OF_THE_PACKAGE


def test_every_operator_is_counted() -> None:
    assert PARAMETERS.keys() | {"estimate"} == set(operators.__all__)


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name != OF_ANOTHER_PROVIDER])
@pytest.mark.commands
def test_a_dag_with_an_operator_loads_little_of_ours_and_nothing_heavy(
    name: str, loaded_by: dict[str, list[str]]
) -> None:
    loaded = loaded_by[name]
    assert len(ours(loaded)) <= MOST_OF_AN_OPERATOR
    assert heavy(loaded) == []
    others = {"airflow_claid.client.client"}
    if "Video" not in name:
        others |= {"airflow_claid.operators.video", "airflow_claid.client.models.video"}
    assert not others.intersection(loaded)


@pytest.mark.commands
def test_the_operator_of_another_provider_loads_little_of_ours() -> None:
    name = OF_ANOTHER_PROVIDER
    statement = f"from airflow_claid.operators import {name}\n{name}(task_id='t', {PARAMETERS[name]})"
    assert len(ours(modules_of(statement))) <= MOST_OF_AN_OPERATOR


@pytest.mark.commands
def test_all_operators_together_load_nothing_heavy() -> None:
    names = [name for name in operators.__all__ if name != OF_ANOTHER_PROVIDER]
    assert heavy(modules_of(f"from airflow_claid.operators import {', '.join(names)}")) == []


@pytest.mark.commands
def test_sensors_and_decorators_load_no_http_library() -> None:
    loaded = modules_of(
        f"from airflow_claid.sensors import {', '.join(sensors.__all__)}\nimport airflow_claid.decorators"
    )
    assert not {"requests", "urllib3", "PIL", "charset_normalizer"}.intersection(loaded)


@pytest.mark.parametrize("package", ["airflow_claid.operators", "airflow_claid.client"])
def test_what_a_package_offers_can_be_imported_and_nothing_else(package: str) -> None:
    module = __import__(package, fromlist=["__all__"])
    for name in module.__all__:
        offered = getattr(module, name)
        assert isinstance(offered, str) or offered.__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing
