"""Answers that differ from the contract, over real HTTP: each request is paid for once, in three tries of its task."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_claid.client import JobOutcome
from airflow_claid.errors import DownloadFailedError
from airflow_claid.operators import (
    BackgroundGenerationOperator,
    FashionModelOperator,
    ImageAIEditOperator,
    ImageEditOperator,
    ImageGenerationOperator,
    ImageToVideoOperator,
)
from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.settings import all_quotas
from tests.conftest import PLENTY, Connect
from tests.support.account import Account, Build
from tests.support.dialects import READABLE, TOO_DEEP, UNREADABLE, said
from tests.unit.operators.conftest import NewTry

PROMPT = "A linen sofa in morning light"
SMALL = {"resizing": {"width": 64, "height": 64, "fit": "bounds"}}

TASKS: dict[str, tuple[str, float, Build]] = {
    "generate_image": (
        "generate_image",
        1,
        lambda link, output: ImageGenerationOperator(task_id="t", prompt=PROMPT, output=output),
    ),
    "create_scene": (
        "create_scene",
        1,
        lambda link, output: BackgroundGenerationOperator(task_id="t", input=link, prompt="on a table", output=output),
    ),
    "submit_edit": (
        "submit_edit",
        1,
        lambda link, output: ImageEditOperator(
            task_id="t", input=link, operations=SMALL, output=output, poll_interval=0.05
        ),
    ),
    "submit_ai_edit": (
        "submit_ai_edit",
        2,
        lambda link, output: ImageAIEditOperator(
            task_id="t", input=link, prompt="make it red", output=output, poll_interval=0.05
        ),
    ),
    "submit_fashion_model": (
        "submit_fashion_model",
        2,
        lambda link, output: FashionModelOperator(task_id="t", clothing=link, output=output, poll_interval=0.05),
    ),
    "submit_video": (
        "submit_video",
        35,
        lambda link, output: ImageToVideoOperator(
            task_id="t", input=link, prompt="it turns", output=output, poll_interval=0.05
        ),
    ),
}
"""By the operation that pays: the same, its price, and the task."""

POLLS = {
    "submit_edit": "get_edit",
    "submit_ai_edit": "get_ai_edit",
    "submit_fashion_model": "get_fashion_model",
    "submit_video": "get_video",
}


@pytest.fixture(scope="module")
def quick_sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(**all_quotas(PLENTY), job_seconds=0.05, image_size=320)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(quick_sandbox: Sandbox) -> Sandbox:
    """A Claid with small pictures, as new for each test; a video needs 300 pixels."""
    quick_sandbox.reset()
    return quick_sandbox


@pytest.fixture
def account(sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path) -> Account:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path / "bucket")
    extra = {"storages": {"shop": f"file://{tmp_path}/bucket"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    (link,) = new_try()(ImageGenerationOperator(task_id="g", prompt="A plain shirt"))
    return Account(sandbox, new_try, tmp_path, link)


def output_in(account: Account, place: str) -> str | None:
    """Return the output of a kind of place."""
    if place == "temporary":
        return None
    return f"file://{account.folder}/out/" if place == "local" else "storage://shop/out/"


@pytest.mark.parametrize("place", ["temporary", "local", "connected"])
@pytest.mark.parametrize("dialect", [*READABLE, "nested too deep"])
@pytest.mark.parametrize("operation", ["generate_image", "create_scene"])
def test_a_picture_whose_link_is_anywhere_in_an_answer_is_paid_for_once_and_delivered(
    operation: str, dialect: str, place: str, account: Account
) -> None:
    account.sandbox.dialect(
        **({"operation": operation, **TOO_DEEP} if dialect == "nested too deep" else said(dialect, operation))
    )
    _, price, build = TASKS[operation]
    results = account.tries(build, output_in(account, place))
    assert account.paid(operation) == [price]
    assert all(isinstance(result, list) and len(result) == 1 for result in results), results
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("place", ["temporary", "local", "connected"])
@pytest.mark.parametrize("dialect", UNREADABLE)
@pytest.mark.parametrize("operation", ["generate_image", "create_scene"])
def test_an_answer_without_a_link_is_paid_for_once_and_kept_as_it_came(
    operation: str, dialect: str, place: str, account: Account
) -> None:
    account.sandbox.dialect(**said(dialect, operation))
    _, price, build = TASKS[operation]
    results = account.tries(build, output_in(account, place))
    assert account.paid(operation) == [price]
    if place == "connected":
        assert all(isinstance(result, list) and len(result) == 1 for result in results), results
        return
    for result in results:
        assert isinstance(result, AirflowFailException), result
        assert "could not be read" in str(result)
    if place == "local":
        receipt = json.loads(account.receipts().rpartition("\n{")[2].join(["{", ""]))
        assert (receipt["state"], receipt["credits"]) == ("unread", price)
        assert receipt["answer"].keys() & {"text", "base64"}


SUBMISSIONS: dict[str, dict[str, Any]] = {
    "the id as text": {"cast": {"data.id": "text"}},
    "the id as float": {"cast": {"data.id": "float"}},
    "the id renamed": {"move": {"data.id": "data.job_id"}},
    "the id in the result_url alone": {"without": "data.id"},
    "no envelope": {"move": {"data": ""}},
    "no status": {"without": "data.status"},
    "a number as created_at": {"values": {"data.created_at": 1764000000}},
    "errors as texts": {"values": {"data.errors": ["a warning"]}},
    "unknown fields": {"values": {"data.new": {"a": [1]}, "meta": 1}},
    "result null": {"values": {"data.result": None, "data.results": None}},
    "UTF-16": {"charset": "utf-16"},
    "nested too deep": TOO_DEEP,
}


@pytest.mark.parametrize("dialect", SUBMISSIONS)
@pytest.mark.parametrize("operation", POLLS)
def test_a_job_whose_id_is_anywhere_in_an_answer_is_paid_for_once_and_waited_for(
    operation: str, dialect: str, account: Account
) -> None:
    account.sandbox.dialect(operation=operation, **SUBMISSIONS[dialect])
    _, price, build = TASKS[operation]
    results = account.tries(build, f"file://{account.folder}/out/")
    assert account.paid(operation) == [price]
    assert all(isinstance(result, list) and len(result) == 1 for result in results), results


@pytest.mark.parametrize("dialect", ["an empty body", "null", "text", "HTML", "no content"])
@pytest.mark.parametrize("operation", POLLS)
def test_a_submission_whose_answer_names_no_job_is_paid_for_once(
    operation: str, dialect: str, account: Account
) -> None:
    account.sandbox.dialect(**said(dialect, operation))
    _, price, build = TASKS[operation]
    results = account.tries(build, f"file://{account.folder}/out/")
    assert account.paid(operation) == [price]
    assert all("could not be read" in str(result) for result in results), results


RESULTS: dict[str, dict[str, Any]] = {
    "the status in small letters": {"values": {"data.status": "done"}},
    "another word for the status": {"values": {"data.status": "COMPLETED"}},
    "no status": {"without": "data.status"},
    "no id": {"without": "data.id"},
    "errors as texts": {"values": {"data.errors": ["a warning"]}},
    "an error as an object": {"values": {"data.errors": {"message": "a warning"}}},
    "sizes as texts": {"values": {"data.width": "wide"}},
    "the result moved": {"move": {"data.result": "data.results"}},
    "no envelope": {"move": {"data": ""}},
    "numbers as created_at": {"values": {"data.created_at": 1764000000}},
}


@pytest.mark.parametrize("dialect", RESULTS)
@pytest.mark.parametrize("operation", POLLS)
def test_the_result_of_a_job_is_found_wherever_it_is(operation: str, dialect: str, account: Account) -> None:
    _, price, build = TASKS[operation]
    submit = build(account.link, f"file://{account.folder}/out/")
    submit.wait_for_completion = False  # type: ignore[attr-defined]
    (job_id,) = account.new_try()(submit)
    while account.client.get_job(submit.job_kind, job_id).outcome is not JobOutcome.DONE:  # type: ignore[attr-defined]
        time.sleep(0.05)
    account.sandbox.dialect(operation=POLLS[operation], **RESULTS[dialect])
    results = account.tries(build, f"file://{account.folder}/out/")
    assert account.paid(operation) == [price]
    assert all(isinstance(result, list) and len(result) == 1 for result in results), results


@pytest.mark.parametrize("operation", POLLS)
def test_a_result_that_names_no_picture_is_never_asked_for_again(operation: str, account: Account) -> None:
    _, price, build = TASKS[operation]
    account.sandbox.dialect(operation=POLLS[operation], without=["data.result", "data.results"])
    results = account.tries(build, f"file://{account.folder}/out/")
    assert account.paid(operation) == [price]
    assert all("could not be read" in str(result) for result in results), results
    account.sandbox.clear_dialects()
    (path,) = account.new_try(try_number=4)(build(account.link, f"file://{account.folder}/out/"))
    assert path.startswith(f"file://{account.folder}/out/")
    assert account.paid(operation) == [price]


@pytest.mark.parametrize("operation", ["submit_edit", "submit_video"])
def test_a_poll_that_is_answered_for_another_job_delivers_nothing(operation: str, account: Account) -> None:
    _, price, build = TASKS[operation]
    account.sandbox.dialect(operation=POLLS[operation], values={"data.id": 4_000_000})
    results = account.tries(build, f"file://{account.folder}/out/")
    assert account.paid(operation) == [price]
    assert all("is about job 4000000" in str(result) for result in results), results
    assert not list(account.folder.rglob("out/*.*"))


@pytest.mark.parametrize(
    "other", ["A horse on the moon", PROMPT[:-1], f"{PROMPT}s", f"{PROMPT[:10]}…", f"{PROMPT[:-5]} noon"]
)
@pytest.mark.parametrize("place", ["temporary", "local"])
def test_the_answer_to_another_prompt_is_not_delivered_under_this_name(
    place: str, other: str, account: Account
) -> None:
    account.sandbox.dialect(operation="generate_image", values={"data.input.text": other})
    _, price, build = TASKS["generate_image"]
    results = account.tries(build, output_in(account, place))
    assert account.paid("generate_image") == [price]
    assert all(f"the answer to another prompt, {other!r}" in str(result) for result in results), results


@pytest.mark.parametrize(
    "echo", [PROMPT.upper(), f"  {PROMPT}\n", PROMPT.replace(" ", "\u00a0"), f"{PROMPT[:22]}...", f"{PROMPT[:22]}…"]
)
def test_a_prompt_that_claid_repeats_in_another_form_is_the_same(echo: str, account: Account) -> None:
    account.sandbox.dialect(operation="generate_image", values={"data.input.text": echo})
    results = account.tries(TASKS["generate_image"][2], None)
    assert all(isinstance(result, list) for result in results), results


def test_good_pictures_beside_an_item_that_is_null_are_delivered(account: Account) -> None:
    account.sandbox.dialect(operation="generate_image", values={"data.output.1": None})
    results = account.tries(
        lambda _, output: ImageGenerationOperator(task_id="t", prompt=PROMPT, number_of_images=3, output=output),
        f"file://{account.folder}/out/",
    )
    assert [len(result) for result in results] == [2, 2, 2]
    assert account.paid("generate_image") == [3]


SIGNED = "{link}?X-Amz-Signature=abcdef0123456789&token=hush-hush"


def test_a_signed_link_is_in_the_receipt_until_the_picture_is_in_place_and_not_after(account: Account) -> None:
    account.sandbox.dialect(operation="generate_image", links=SIGNED)
    account.sandbox.fault("cut", operation="download", count=4)
    build = TASKS["generate_image"][2]
    first, second, third = account.tries(build, f"file://{account.folder}/out/")
    assert isinstance(first, DownloadFailedError)
    assert "hush" not in str(first)
    assert second == third
    assert len(second) == 1
    assert account.paid("generate_image") == [1]
    assert "hush" not in account.receipts()
    assert "Signature" not in account.receipts()


def test_a_link_that_may_not_be_followed_is_kept_and_not_paid_for_again(account: Account, connect: Connect) -> None:
    account.sandbox.dialect(operation="generate_image", links="https://cdn.example.com{path}?sig=hush-hush")
    build = TASKS["generate_image"][2]
    output = f"file://{account.folder}/out/"
    for result in account.tries(build, output):
        assert isinstance(result, AirflowFailException)
        assert "cdn.example.com" in str(result)
        assert "hush" not in str(result)
    assert account.paid("generate_image") == [1]
    assert "hush-hush" in account.receipts()


ITEM = "data.output.*"
FOUR = [f"{ITEM}.{name}" for name in ("object_key", "object_bucket", "object_uri", "claid_storage_uri")]
WRITTEN: dict[str, dict[str, Any]] = {
    "only the key and the bucket": {"values": {FOUR[2]: None, FOUR[3]: None}},
    "all four null": {"values": dict.fromkeys(FOUR)},
    "all four left out": {"without": FOUR},
    "an address without a scheme": {"values": {FOUR[3]: "shop/out/a.png", FOUR[2]: "pictures/out/a.png"}},
    "the prefix twice": {"values": {FOUR[3]: "storage://storage://shop/out/a.png", FOUR[0]: None, FOUR[2]: None}},
    "an address where nothing is": {"values": {FOUR[3]: "storage://shop/out/nothing.png", FOUR[0]: "nothing.png"}},
    "an https address of the object": {"values": {FOUR[3]: None, FOUR[2]: "https://s3.example/pictures/out/a.png"}},
}


@pytest.mark.parametrize("dialect", WRITTEN)
def test_a_picture_in_connected_storage_is_found_whatever_claid_says_of_where(dialect: str, account: Account) -> None:
    account.sandbox.dialect(operation="generate_image", **WRITTEN[dialect])
    results = account.tries(TASKS["generate_image"][2], "storage://shop/out/")
    assert account.paid("generate_image") == [1]
    assert results[0] == results[1] == results[2]
    (path,) = results[0]
    file = account.folder / "bucket" / path.removeprefix("storage://shop/")
    assert file.is_file(), path


def test_a_picture_that_claid_left_at_a_temporary_link_is_copied_to_the_connected_storage(
    account: Account, connect: Connect
) -> None:
    """The sandbox writes elsewhere: for the task, Claid has ignored the output and given a link."""
    elsewhere = account.folder / "elsewhere"
    extra = {"storages": {"shop": f"file://{elsewhere}"}}
    connect("claid_default", conn_type="claid", password=account.sandbox.api_key, host=account.sandbox.url, extra=extra)
    values = {**dict.fromkeys(FOUR), f"{ITEM}.tmp_url": account.link}
    account.sandbox.dialect(operation="generate_image", values=values)
    results = account.tries(TASKS["generate_image"][2], "storage://shop/out/")
    assert account.paid("generate_image") == [1]
    assert results[0] == results[1] == results[2]
    (path,) = results[0]
    assert (elsewhere / path.removeprefix("storage://shop/")).is_file()


@pytest.mark.parametrize("mapped", [True, False])
def test_nobody_says_content_filter_who_has_not_seen_a_black_picture(
    mapped: bool, account: Account, connect: Connect
) -> None:
    extra = {"storages": {"shop": f"file://{account.folder}/elsewhere"} if mapped else {}}
    connect("claid_default", conn_type="claid", password=account.sandbox.api_key, host=account.sandbox.url, extra=extra)
    account.sandbox.dialect(operation="generate_image", values=dict.fromkeys(FOUR))
    for result in account.tries(TASKS["generate_image"][2], "storage://shop/out/"):
        assert isinstance(result, Exception)
        assert "content filter" not in str(result)
    assert account.paid("generate_image") == [1]


@pytest.mark.parametrize("operation", ["generate_image", "create_scene"])
def test_a_picture_of_another_request_is_not_taken_although_the_answer_names_it(
    operation: str, account: Account
) -> None:
    (other,) = account.new_try()(
        ImageGenerationOperator(task_id="o", prompt="A horse on the moon", output="storage://shop/out/")
    )
    _, price, build = TASKS[operation]
    before = len(account.paid(operation))
    account.sandbox.dialect(operation=operation, values={FOUR[3]: other, FOUR[0]: None, FOUR[2]: None})
    results = account.tries(build, "storage://shop/out/")
    assert account.paid(operation)[before:] == [price]
    assert results[0] == results[1] == results[2]
    assert results[0] != [other]
    assert (account.folder / "bucket" / results[0][0].removeprefix("storage://shop/")).is_file()
