from __future__ import annotations

import importlib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend
from airflow.sdk.execution_time.comms import SetXCom

from airflow_claid.client import ClaidClient
from airflow_claid.errors import JobTimeoutError
from airflow_claid.get_provider_info import get_provider_info
from airflow_claid.operators import ImageGenerationOperator, ImageResizeOperator
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.operators.links import DASHBOARD, ClaidPicturesLink, ClaidStorageLink, page_of
from airflow_claid.sandbox import Sandbox
from airflow_claid.waiting.decision import WaitState
from tests.conftest import Connect
from tests.support.pictures import noise
from tests.unit.operators.conftest import NewTry, TaskRun

PICTURES, STORAGE = "_link_ClaidPicturesLink", "_link_ClaidStorageLink"
TAB = "/dags/shop/runs/monday/tasks/pictures/plugin/claid_images"
FACTS: Any = None
"""Neither link looks at the facts about the task instance."""


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("s3://shop_aws@shop/spring/a b.png", "https://console.aws.amazon.com/s3/object/shop?prefix=spring/a%20b.png"),
        ("s3://shop/spring/", "https://console.aws.amazon.com/s3/buckets/shop?prefix=spring/"),
        ("s3://shop", "https://console.aws.amazon.com/s3/buckets/shop"),
        ("s3a://shop/a.png", "https://console.aws.amazon.com/s3/object/shop?prefix=a.png"),
        (
            "gs://g@shop/spring/a#1.png",
            "https://console.cloud.google.com/storage/browser/_details/shop/spring/a%231.png",
        ),
        ("gs://shop/spring/", "https://console.cloud.google.com/storage/browser/shop/spring/"),
        ("gcs://shop/", "https://console.cloud.google.com/storage/browser/shop"),
        ("file:///srv/pictures/", "file:///srv/pictures/"),
        ("storage://shop/spring/", DASHBOARD),
        ("https://dl.claid.ai/a/b.png", "https://dl.claid.ai/a/b.png"),
        ("https://dl.claid.ai/a/b.png?token=secret#top", ""),
        ("https://dl.claid.ai/a/b.png?size=2#top", "https://dl.claid.ai/a/b.png"),
        ("https://user:word@cdn.example:8443/b.png", "https://cdn.example:8443/b.png"),
        ("https://storage.googleapis.com/b/c.png?X-Goog-Signature=abc", ""),
        ("abfs://shop/a.png", ""),
        ("", ""),
    ],
)
def test_an_address_has_a_page_without_credentials(address: str, page: str) -> None:
    assert page_of(address) == page


def test_airflow_knows_both_links_and_every_operator_that_pays_has_them() -> None:
    names = get_provider_info()["extra-links"]
    known = [getattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in names]
    assert known == [ClaidPicturesLink, ClaidStorageLink]
    links = ClaidPayingOperator.operator_extra_links
    assert [(link.name, link.xcom_key) for link in links] == [("Pictures", PICTURES), ("Storage", STORAGE)]
    partial = ImageGenerationOperator.partial(task_id="m").expand(prompt=["a", "b"])
    assert partial.operator_extra_links == links


class Pushed(dict[str, Any]):
    """What a task pushed, in the order in which it did; it tells how many requests Claid had got by then."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.asked_before: dict[str, list[str]] = {}

    def __setitem__(self, key: str, value: Any) -> None:
        self.asked_before.setdefault(key, [entry.operation for entry in self.sandbox.ledger()])
        super().__setitem__(key, value)


@pytest.fixture
def watched(new_try: NewTry, sandbox: Sandbox) -> TaskRun:
    run = new_try()
    run.ti.pushed = Pushed(sandbox)
    return run


def last(operator: ClaidPayingOperator) -> str:
    """What Airflow writes when the task's process ends."""
    return ClaidStorageLink().get_link(operator, ti_key=FACTS)


def test_the_links_are_there_while_a_job_is_waited_for(
    watched: TaskRun, sandbox: Sandbox, claid: ClaidClient, tmp_path: Path
) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    folder = f"file://{tmp_path}/small/"
    operator = ImageResizeOperator(task_id="r", input=link, width=90, output=folder, name="bicycle")
    (path,) = watched(operator)
    assert watched.ti.pushed[STORAGE] == folder
    assert watched.ti.pushed[PICTURES] == ClaidPicturesLink().get_link(operator, ti_key=FACTS) == TAB
    asked = watched.ti.pushed.asked_before  # type: ignore[attr-defined]
    assert asked[PICTURES] == asked[STORAGE] == ["generate_image", "submit_edit"]
    assert "get_edit" in asked["images"]
    assert last(operator) == path == f"{folder}bicycle.jpg"


def test_pictures_leads_to_the_gallery_of_the_task_instance(
    new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/data/")
    run = new_try(run_id="manual__2026-11-26T10:00:00+00:00", map_index=3)
    run(ImageGenerationOperator(task_id="g", prompt="A blue vase", output=f"file://{tmp_path}/"))
    assert run.ti.pushed[PICTURES] == (
        "https://airflow.example/data/dags/shop/runs/manual__2026-11-26T10%3A00%3A00%2B00%3A00/tasks/pictures/mapped/3"
        "/plugin/claid_images"
    )


def test_where_the_gallery_is_off_the_first_link_is_that_of_the_storage(
    new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CLAID__GALLERY", "False")
    run, operator = new_try(), ImageGenerationOperator(task_id="g", prompt="A vase", output=f"file://{tmp_path}/")
    run(operator)
    assert PICTURES not in run.ti.pushed
    assert ClaidPicturesLink().get_link(operator, ti_key=FACTS) == ""
    assert run.ti.pushed[STORAGE] == f"file://{tmp_path}/"


def test_several_pictures_are_shown_by_their_folder_one_by_itself(new_try: NewTry, tmp_path: Path) -> None:
    run, folder = new_try(), f"file://{tmp_path}/"
    several = ImageGenerationOperator(task_id="g", prompt="A blue vase", number_of_images=2, output=folder)
    run(several)
    assert last(several) == run.ti.pushed[STORAGE] == folder
    one = ImageGenerationOperator(task_id="g", prompt="A red vase", output=folder, name="vase")
    assert last(one) == ""
    new_try()(one)
    assert last(one) == f"{folder}vase_1.png"


def test_a_temporary_picture_is_linked_to_as_soon_as_it_is_paid(new_try: NewTry) -> None:
    run = new_try()
    operator = ImageGenerationOperator(task_id="g", prompt="A blue vase")
    (path,) = run(operator)
    assert run.ti.pushed[STORAGE] == last(operator) == path


def test_a_black_picture_is_not_linked_to_in_the_end(new_try: NewTry, sandbox: Sandbox) -> None:
    sandbox.change(blocked_words=("nude",))
    operator = ImageGenerationOperator(task_id="g", prompt="A nude", on_blocked="keep")
    assert new_try()(operator) == []
    assert last(operator) == ""


def test_a_connected_storage_is_shown_by_its_bucket_where_it_is_mapped_else_by_the_dashboard(
    new_try: NewTry, sandbox: Sandbox, connect: Connect, tmp_path: Path
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", path="catalogue", where=tmp_path)
    run = new_try()
    operator = ImageGenerationOperator(task_id="g", prompt="A blue vase", output="storage://shop/spring/")
    run(operator)
    assert run.ti.pushed[STORAGE] == last(operator) == DASHBOARD
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    mapped = ImageGenerationOperator(task_id="g", prompt="A red vase", output="storage://shop/spring/")
    (path,) = new_try()(mapped)
    assert last(mapped) == f"file://{tmp_path}/catalogue/{path.removeprefix('storage://shop/')}"


@pytest.mark.parametrize("stuck", [False, True])
def test_a_task_that_waits_in_the_triggerer_has_its_links_before_and_after(
    new_try: NewTry, sandbox: Sandbox, claid: ClaidClient, tmp_path: Path, stuck: bool
) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    folder = f"file://{tmp_path}/small/"

    def operator() -> ImageResizeOperator:
        return ImageResizeOperator(task_id="r", input=link, width=90, output=folder, name="b", deferrable=True)

    if stuck:
        sandbox.fault("job_stuck")
    run, first, resumed = new_try(), operator(), operator()
    with pytest.raises(TaskDeferred) as deferred:
        run(first)
    assert run.ti.pushed[STORAGE] == last(first) == folder
    context: Any = {"ti": run.ti}
    event = {"status": (WaitState.TIMED_OUT if stuck else WaitState.ENDED).value, "message": ""}
    with pytest.raises(JobTimeoutError) if stuck else nullcontext():
        resumed.execute_complete(context, event=event, **(deferred.value.kwargs or {}))
    assert last(resumed) == (folder if stuck else f"{folder}b.jpg")


def test_a_task_that_fails_after_paying_keeps_its_link(
    new_try: NewTry, sandbox: Sandbox, claid: ClaidClient, tmp_path: Path
) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    sandbox.fault("job_error")
    operator = ImageResizeOperator(task_id="r", input=link, width=90, output=f"file://{tmp_path}/small/")
    with pytest.raises(AirflowFailException):
        new_try()(operator)
    assert last(operator) == f"file://{tmp_path}/small/"


def test_a_link_that_cannot_be_shown_costs_nothing(
    new_try: NewTry, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_try()

    class Unreachable(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if key.startswith("_link_"):
                raise ConnectionError("secret-of-the-server")
            super().__setitem__(key, value)

    run.ti.pushed = Unreachable()
    operator = ImageGenerationOperator(task_id="g", prompt="A blue vase", output=f"file://{tmp_path}/")
    assert len(run(operator)) == 1
    log = capsys.readouterr().out
    assert "links are not shown before it ends (ConnectionError)" in log
    assert "secret-of-the-server" not in log


def test_an_upload_is_linked_to_as_well(new_try: NewTry, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(noise())
    folder = f"file://{tmp_path}/small/"
    operator = ImageResizeOperator(task_id="r", input=f"file://{tmp_path}/a.png", width=20, output=folder)
    run = new_try()
    run(operator)
    assert run.ti.pushed[STORAGE] == folder
    assert last(operator) == f"{folder}a.jpg"


class ToTheDatabase:
    """What the supervisor of a task is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)


def test_with_a_backend_that_makes_files_of_xcoms_the_link_while_the_task_runs_is_the_address_itself(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = ToTheDatabase()
    monkeypatch.setattr("airflow.sdk.execution_time.xcom.XCom", XComObjectStorageBackend)
    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", supervisor, raising=False)
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", f"file://{tmp_path}/xcoms/")
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD", "0")
    run = new_try()
    run(ImageGenerationOperator(task_id="pictures", prompt="A lamp", output=f"file://{tmp_path}/out/"))
    pushed = {message.key: message.value for message in supervisor.sent if isinstance(message, SetXCom)}
    assert pushed == {PICTURES: TAB, STORAGE: f"file://{tmp_path}/out/"}
    assert not {PICTURES, STORAGE} & run.ti.pushed.keys()
    assert not (tmp_path / "xcoms").exists()
