"""Lists of pictures of which some fail: with ``on_error='continue'`` the task goes on with the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import BaseOperator
from PIL import Image

from airflow_claid.client import ClaidServerError
from airflow_claid.operators import (
    BackgroundGenerationOperator,
    ImageAIEditOperator,
    ImageEditOperator,
    ImageResizeOperator,
    ImageToVideoOperator,
    ImageUpscaleOperator,
)
from airflow_claid.sandbox import Sandbox
from airflow_claid.triggers import job as trigger_module
from tests.conftest import Connect
from tests.support.deferring import run_through
from tests.unit.operators.conftest import StateStore, TaskInstance

Make = Callable[..., BaseOperator]
GOOD = ["storage://shop/0.png", "storage://shop/1.png", "storage://shop/2.png"]
GONE = "storage://shop/gone.png"
"""Claid finds that there is no such picture; Airflow does not look."""

QUICK = {"poll_interval": 0.1}


def edit(given: Any, **parameters: Any) -> BaseOperator:
    operations = {"adjustments": {"contrast": 20}}
    return ImageEditOperator(task_id="t", input=given, operations=operations, **{**QUICK, **parameters})


def upscale(given: Any, **parameters: Any) -> BaseOperator:
    return ImageUpscaleOperator(task_id="t", input=given, scale="150%", **{**QUICK, **parameters})


def resize(given: Any, **parameters: Any) -> BaseOperator:
    return ImageResizeOperator(task_id="t", input=given, width=9, **{**QUICK, **parameters})


def ai_edit(given: Any, **parameters: Any) -> BaseOperator:
    return ImageAIEditOperator(task_id="t", input=given, prompt="make it snow", **{**QUICK, **parameters})


def scene(given: Any, **parameters: Any) -> BaseOperator:
    return BackgroundGenerationOperator(task_id="t", input=given, prompt="on a beach", **parameters)


def video(given: Any, **parameters: Any) -> BaseOperator:
    return ImageToVideoOperator(task_id="t", input=given, prompt="it turns", **{**QUICK, **parameters})


OF_JOBS = (edit, upscale, resize, ai_edit, video)
PRICES = {edit: 1, upscale: 1, resize: 1, ai_edit: 2, scene: 1, video: 35}
each = pytest.mark.parametrize("make", [*OF_JOBS, scene])
each_job = pytest.mark.parametrize("make", OF_JOBS)


class Shop:
    """Tasks over pictures of a connected storage, which is the folder ``shop``."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.memory: dict[str, Any] = {}
        self.ti = TaskInstance()

    @property
    def output(self) -> str:
        return f"file://{self.folder}/out/"

    def run(self, make: Make, given: Any, try_number: int = 1, max_tries: int = 0, **parameters: Any) -> Any:
        self.ti = TaskInstance(try_number=try_number, max_tries=max_tries)
        context: Any = {"ti": self.ti, "task_state_store": StateStore(self.memory)}
        parameters = {"on_error": "continue", "output": self.output, **parameters}
        return run_through(lambda: make(given, **parameters), context)

    @property
    def images(self) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = self.ti.pushed["images"]
        return images

    @property
    def credits(self) -> float:
        return float(self.ti.pushed["credits"])


@pytest.fixture
def shop(sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shop:
    monkeypatch.setattr(trigger_module, "_clients", {})
    monkeypatch.setattr("airflow_claid.client.account._quotas", {})
    monkeypatch.setattr("airflow_claid.client.transport._pause", lambda state: 0.01)
    folder = tmp_path / "shop"
    folder.mkdir()
    for number, colour in enumerate(("teal", "navy", "olive")):
        Image.new("RGB", (320, 300), colour).save(folder / f"{number}.png")
    sandbox.change(quota="60000/60,1000/1", job_seconds=0.2)
    sandbox.connect_storage("shop", bucket="pictures", where=folder)
    extra = {"storages": {"shop": f"file://{folder}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    return Shop(sandbox, tmp_path)


@each
def test_the_task_goes_on_without_pictures_that_fail_and_tells_of_each(
    make: Make, shop: Shop, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f"file://{shop.folder}/shop/none.png"
    given = [GOOD[0], None, missing, "no address", GONE, GOOD[1]]
    paths = shop.run(make, given, max_tries=2)
    assert [image.get("input") for image in shop.images] == given
    assert [image.get("path") for image in shop.images if image.get("path")] == paths
    assert len(paths) == 2
    failed = [image for image in shop.images if image.get("path") is None]
    assert all({"error", "credits"} <= set(image) for image in failed)
    assert all(None not in image.values() for image in shop.images)
    for image, said in zip(failed, ("not an address", "does not exist", "not an address", "gone"), strict=True):
        assert said in image["error"]
    assert [image["credits"] for image in failed[:3]] == [0, 0, 0]
    assert sum(image["credits"] for image in shop.images) == shop.credits == shop.sandbox.charged()
    lines = [line for line in caplog.text.splitlines() if " failed: " in line]
    assert len(lines) == 4
    assert "4 of 6 pictures failed; going on without them" in capsys.readouterr().out


@each_job
def test_deferred_it_is_the_same(make: Make, shop: Shop) -> None:
    given = [GOOD[0], None, GONE, GOOD[1]]
    paths = shop.run(make, given, deferrable=True)
    assert [image.get("path") for image in shop.images if image.get("path")] == paths
    assert [image.get("input") for image in shop.images] == given
    assert [image.get("path") is None for image in shop.images] == [False, True, True, False]
    assert "ended as ERROR" in shop.images[2]["error"]
    assert shop.images[2]["credits"] == PRICES[make]
    assert shop.credits == shop.sandbox.charged()


@each_job
def test_without_waiting_what_cannot_be_submitted_is_passed_over(make: Make, shop: Shop) -> None:
    job_ids = shop.run(make, [None, GOOD[0], f"file://{shop.folder}/none.png", GOOD[1]], wait_for_completion=False)
    assert len(job_ids) == 2
    assert [image.get("path") for image in shop.images] == [None, None]
    with pytest.raises(AirflowFailException, match="2 of 2 pictures failed"):
        shop.run(make, [None, f"file://{shop.folder}/none.png"], wait_for_completion=False)


@each
def test_a_task_of_which_all_pictures_fail_fails(make: Make, shop: Shop) -> None:
    with pytest.raises(AirflowFailException, match=r"2 of 2 pictures failed\."):
        shop.run(make, [None, GONE])
    assert [image.get("path") for image in shop.images] == [None, None]
    with pytest.raises(AirflowFailException, match="is not an address"):
        shop.run(make, None)


@each
def test_by_default_a_picture_that_fails_fails_the_task(make: Make, shop: Shop) -> None:
    with pytest.raises(AirflowFailException, match=r"1 of 2 pictures failed; the others are kept.*gone\.png"):
        shop.run(make, [GOOD[0], GONE], on_error="fail")
    assert [bool(image.get("path")) for image in shop.images] == [True]
    for wrong in (None, "no address", f"file://{shop.folder}/none.png"):
        before = shop.sandbox.charged()
        with pytest.raises(AirflowFailException, match="input="):
            shop.run(make, [GOOD[1], wrong], on_error="fail")
        assert shop.sandbox.charged() == before


@each
def test_a_wrong_parameter_fails_the_task_whatever_on_error_says(make: Make, shop: Shop) -> None:
    with pytest.raises(AirflowFailException, match="on_error='skip' must be one of fail, continue"):
        make(GOOD, on_error="skip")
    templated = make(GOOD, on_error="{{ x }}")
    templated.on_error = "skip"  # type: ignore[attr-defined]
    with pytest.raises(AirflowFailException, match="on_error='skip'"):
        run_through(lambda: templated, {"ti": shop.ti})
    with pytest.raises(AirflowFailException, match="names one file"):
        shop.run(make, [None, *GOOD], name="ONE")
    assert shop.sandbox.charged() == 0
    assert "on_error" in make(GOOD).template_fields


def test_wrong_reach_of_all_inputs_is_no_failure_of_each(shop: Shop, connect: Connect) -> None:
    given = ["https://pictures.example/a.png", f"file://{shop.folder}/shop/0.png"]
    operator = resize("{{ x }}", on_error="continue", ignored_query_parameters="{{ y }}")
    operator.input, operator.ignored_query_parameters = given, [None]  # type: ignore[attr-defined]
    with pytest.raises(AirflowFailException, match="ignored_query_parameters="):
        run_through(lambda: operator, {"ti": shop.ti})
    connect("claid_default", conn_type="claid", password="k", host=shop.sandbox.url, extra={"storages": "{"})
    with pytest.raises(AirflowFailException, match="storages in the extra"):
        shop.run(resize, given)


@each
def test_what_concerns_all_is_never_passed_over(make: Make, shop: Shop, connect: Connect) -> None:
    shop.run(make, [GOOD[0]])
    given = [GOOD[0], None, GOOD[1]]
    with pytest.raises(AirflowFailException, match="max_credits=0"):
        shop.run(make, given, max_credits=0)
    shop.sandbox.fault("500", probability=1.0, charged=False)
    with pytest.raises((ClaidServerError, AirflowException)) as failed:
        shop.run(make, given)
    assert not isinstance(failed.value, AirflowFailException)
    connect("claid_default", conn_type="claid", password="another-key", host=shop.sandbox.url)
    with pytest.raises(AirflowFailException, match="401"):
        shop.run(make, [None, "https://pictures.example/a.png", "https://pictures.example/b.png"])


def test_credits_that_are_used_up_fail_the_task(shop: Shop, connect: Connect) -> None:
    shop.sandbox.add_key("poor", credits=1)
    connect("claid_default", conn_type="claid", password="poor", host=shop.sandbox.url)
    with pytest.raises(AirflowFailException, match="buy credits"):
        shop.run(resize, [None, *GOOD])
    assert shop.credits == 1


def test_jobs_that_claid_does_not_know_are_passed_over_only_where_it_knows_others(shop: Shop) -> None:
    shop.run(resize, GOOD[:2], wait_for_completion=False)
    jobs = shop.sandbox.service.jobs._jobs
    kept = {number: job for number, job in jobs.items() if number != min(jobs)}
    done = shop.run(resize, GOOD[2:])
    jobs.clear()
    with pytest.raises(AirflowFailException, match="Claid does not know the job"):
        shop.run(resize, GOOD)
    jobs.update(kept)
    assert len(shop.run(resize, GOOD)) == 2
    assert done[0].endswith("/2.jpg")


@pytest.mark.parametrize("deferrable", [False, True])
def test_what_a_retry_may_cure_is_tried_again_and_passed_over_by_the_last_try(deferrable: bool, shop: Shop) -> None:
    shop.sandbox.fault("job_stuck", prompt=GOOD[1])
    parameters = {"timeout": 1, "deferrable": deferrable, "max_tries": 1}
    with pytest.raises(AirflowException, match="1 of 3 pictures failed") as failed:
        shop.run(resize, GOOD, **parameters)
    assert not isinstance(failed.value, AirflowFailException)
    assert shop.credits == 3
    paths = shop.run(resize, GOOD, try_number=2, **parameters)
    assert [path[-5:] for path in paths] == ["0.jpg", "2.jpg"]
    assert [image.get("path") is None for image in shop.images] == [False, True, False]
    assert "The time to wait is over" in shop.images[1]["error"]
    assert shop.credits == 0
    assert shop.sandbox.charged() == 3


def test_a_broken_download_is_passed_over_by_the_last_try_only(shop: Shop) -> None:
    shop.run(resize, GOOD[:1])
    shop.sandbox.fault("truncated", operation="download", count=50)
    with pytest.raises(AirflowException) as failed:
        shop.run(resize, GOOD[:2], max_tries=1)
    assert not isinstance(failed.value, AirflowFailException)
    assert len(shop.run(resize, GOOD[:2], try_number=2, max_tries=1)) == 1
    assert shop.credits == 0


def test_if_most_fail_for_a_passing_reason_it_is_an_outage_and_the_last_try_fails_too(shop: Shop) -> None:
    shop.run(resize, GOOD[:1])
    shop.sandbox.fault("truncated", operation="download", count=50)
    with pytest.raises(AirflowException, match="2 of 3 pictures failed"):
        shop.run(resize, GOOD, max_tries=0)


def test_an_input_that_is_not_there_can_come_in_a_template_too(shop: Shop) -> None:
    operator = resize("{{ x }}", on_error="{{ y }}", output=shop.output)
    operator.input, operator.on_error = f"['{GOOD[0]}', None]", "continue"  # type: ignore[attr-defined]
    assert len(run_through(lambda: operator, {"ti": shop.ti})) == 1


def test_what_failed_before_the_wait_is_told_after_it_though_it_is_there_now(shop: Shop) -> None:
    late = shop.folder / "shop" / "late.png"
    shop.sandbox.change(job_seconds=0.5)
    given = [GOOD[0], f"file://{late}"]
    made = []

    def make(given: Any, **parameters: Any) -> BaseOperator:
        if made:
            Image.new("RGB", (320, 300)).save(late)
        made.append(given)
        return resize(given, **parameters)

    assert len(shop.run(make, given, deferrable=True)) == 1
    assert len(made) == 2
    assert "does not exist" in shop.images[1]["error"]
    assert shop.sandbox.charged() == 1


def test_the_same_input_twice_is_given_twice_also_where_another_fails(shop: Shop) -> None:
    paths = shop.run(resize, [GOOD[1], GONE, GOOD[0], None, GOOD[1], None])
    assert [path[-5:] for path in paths] == ["1.jpg", "0.jpg", "1.jpg"]
    assert len(shop.images) == 4


def test_no_line_of_the_log_grows_with_the_number_of_pictures(
    shop: Shop, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = [f"file://{shop.folder}/shop/missing-{number}.png" for number in range(1000)]
    with caplog.at_level("INFO"):
        assert len(shop.run(resize, [*GOOD, *missing], deferrable=True)) == 3
    assert len(shop.images) == 1003
    printed = capsys.readouterr().out
    assert "1,000 of 1,003 pictures failed; going on without them" in printed
    assert "and 995 more" in printed
    assert max(map(len, (printed + caplog.text).splitlines())) < 1000
