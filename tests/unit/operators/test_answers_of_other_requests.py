"""Whichever request an answer is of: no picture of another one is delivered, and what is right is found."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_claid.operators import (
    ImageAIEditOperator,
    ImageEditOperator,
    ImageFolderEditOperator,
    ImageGenerationBatchOperator,
    ImageGenerationOperator,
)
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.account import Account
from tests.unit.operators.conftest import NewTry

OUTPUT = "storage://shop/out/"
SMALL = {"resizing": {"width": 16, "height": 16, "fit": "bounds"}}
ADDRESSES = ("object_key", "object_bucket", "object_uri", "claid_storage_uri")
FORMS: dict[str, dict[str, str]] = {
    "storage": {"claid_storage_uri": "storage://shop/{path}"},
    "STORAGE": {"claid_storage_uri": "STORAGE://shop/{path}"},
    "another name of the storage": {"claid_storage_uri": "storage://Shop/{path}"},
    "double slash": {"claid_storage_uri": "storage://shop//{path}"},
    "without scheme": {"claid_storage_uri": "shop/{path}"},
    "s3 as storage": {"claid_storage_uri": "s3://pictures/{path}"},
    "s3": {"object_uri": "s3://pictures/{path}"},
    "gs": {"object_uri": "gs://pictures/{path}"},
    "virtual-hosted": {"object_uri": "https://pictures.s3.amazonaws.com/{path}"},
    "path style": {"object_uri": "https://s3.eu-west-1.amazonaws.com/pictures/{path}"},
    "signed": {"object_uri": "https://storage.googleapis.com/pictures/{path}?X-Goog-Signature=1"},
    "key": {"object_key": "{path}", "object_bucket": "pictures"},
    "key with slash": {"object_key": "/{path}"},
    "bucket in the key": {"object_key": "pictures/{path}"},
}


@pytest.fixture
def account(sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path) -> Account:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path / "bucket")
    extra = {"storages": {"shop": f"file://{tmp_path}/bucket"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    (link,) = new_try()(ImageGenerationOperator(task_id="g", prompt="A plain shirt"))
    return Account(sandbox, new_try, tmp_path, link)


def remap(account: Account, connect: Connect, storages: dict[str, str]) -> None:
    extra = {"storages": storages}
    connect("claid_default", conn_type="claid", password=account.sandbox.api_key, host=account.sandbox.url, extra=extra)


def content(account: Account, path: str) -> bytes:
    """Return what is at a path that a task returned."""
    if path.startswith("http"):
        with urllib.request.urlopen(path) as answer:
            whole: bytes = answer.read()
            return whole
    local = path.removeprefix("file://").replace("storage://shop/", f"{account.folder}/bucket/")
    return Path(local).read_bytes()


def named(form: str, path: str, item: str = "data.output.*") -> dict[str, Any]:
    """Say in what form an answer names a picture, and nothing else of it."""
    texts = {name: text.format(path=path) for name, text in FORMS[form].items()}
    return {f"{item}.{name}": texts.get(name) for name in ADDRESSES}


def generation(prompt: str = "A linen sofa", **options: Any) -> Callable[[str, str | None], ImageGenerationOperator]:
    return lambda _, output: ImageGenerationOperator(task_id="t", prompt=prompt, output=output, **options)


def ai_edit(prompt: str) -> Callable[[str, str | None], ImageAIEditOperator]:
    return lambda link, output: ImageAIEditOperator(
        task_id="t", input=link, prompt=prompt, output=output, poll_interval=0.05, timeout=5
    )


def edit(link: str, output: str | None) -> ImageEditOperator:
    return ImageEditOperator(task_id="t", input=link, operations=SMALL, output=output, poll_interval=0.05, timeout=5)


def elsewhere(account: Account, connect: Connect, *others: str) -> Path:
    """Let Airflow look at a copy of the bucket in which there is nothing but what others wrote."""
    root = account.folder / "elsewhere"
    for path in others:
        file = root / path.removeprefix("storage://shop/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content(account, path))
    remap(account, connect, {"shop": f"file://{root}"})
    return root


@pytest.mark.parametrize("where", ["mapped", "not mapped", "landing"])
@pytest.mark.parametrize("form", FORMS)
def test_what_another_request_wrote_is_not_delivered_in_whatever_form_an_answer_names_it(
    form: str, where: str, account: Account, connect: Connect
) -> None:
    """The request's own pictures are nowhere to be seen."""
    (other,) = account.new_try()(generation("A horse on the moon")(account.link, OUTPUT))
    output = OUTPUT
    if where == "not mapped":
        remap(account, connect, {})
    else:
        root = elsewhere(account, connect, other)
        output = f"file://{root}/out/" if where == "landing" else OUTPUT
    values = {"data.input": None, **named(form, other.removeprefix("storage://shop/"))}
    account.sandbox.dialect(operation="generate_image", values=values)
    results = account.tries(generation(), output)
    assert account.paid("generate_image") == [1, 1]
    for result in results:
        assert isinstance(result, AirflowFailException), result
        assert "may be the answer to another" in str(result)
        assert "X-Goog-Signature=1" not in str(result)


@pytest.mark.parametrize("where", ["temporary", "local", "connected"])
def test_one_picture_of_another_request_does_not_keep_back_the_others(where: str, account: Account) -> None:
    (other,) = account.new_try()(generation("A horse on the moon")(account.link, OUTPUT))
    output = {"temporary": None, "local": f"file://{account.folder}/out/", "connected": OUTPUT}[where]
    values = {**named("storage", other.removeprefix("storage://shop/"), "data.output.0"), "data.output.0.tmp_url": None}
    account.sandbox.dialect(operation="generate_image", values={"data.input": None, **values})
    results = account.tries(generation(number_of_images=2), output)
    assert account.paid("generate_image") == [1, 2]
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == (2 if where == "connected" else 1)
    assert content(account, other) not in [content(account, path) for path in results[0]]


@pytest.mark.parametrize("where", ["temporary", "local"])
def test_a_link_that_is_named_as_the_address_of_an_object_is_the_request_s_own(where: str, account: Account) -> None:
    account.sandbox.dialect(
        operation="generate_image",
        move={"data.output.*.tmp_url": "data.output.*.object_uri"},
        values={"data.input": None},
    )
    results = account.tries(generation(), None if where == "temporary" else f"file://{account.folder}/out/")
    assert [len(result) for result in results] == [1, 1, 1]


def test_a_picture_that_is_named_twice_is_one_picture(account: Account) -> None:
    account.sandbox.dialect(operation="generate_image", values={"data.output.*.tmp_url": account.link})
    results = account.tries(generation(number_of_images=2), f"file://{account.folder}/out/")
    assert [len(result) for result in results] == [1, 1, 1]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_batch_that_gets_one_answer_for_all_prompts_delivers_it_once(concurrency: int, account: Account) -> None:
    account.sandbox.dialect(
        operation="generate_image", values={"data.input": None, "data.output.0.tmp_url": account.link}
    )
    prompts = [{"prompt": f"Lamp number {number}", "name": f"lamp-{number}"} for number in range(6)]
    results = account.tries(
        lambda *_: ImageGenerationBatchOperator(
            task_id="t", prompts=prompts, output=f"file://{account.folder}/out/", concurrency=concurrency
        ),
        None,
    )
    assert all(isinstance(result, Exception) for result in results), results
    assert len(list((account.folder / "out").glob("lamp-*.png"))) == 1
    assert len(account.paid("generate_image")) <= 6


def test_a_later_run_knows_from_kept_answers_what_is_the_answer_to_another_request(account: Account) -> None:
    account.sandbox.dialect(
        operation="generate_image", values={"data.input": None, "data.output.0.tmp_url": account.link}
    )

    def names_of_run(*names: str) -> list[str]:
        prompts = [{"prompt": f"A lamp named {name}", "name": name} for name in names]
        task = {"prompts": prompts, "output": f"file://{account.folder}/out/", "concurrency": 1, "error_threshold": 1}
        with suppress(AirflowException):
            account.new_try()(ImageGenerationBatchOperator(task_id="t", **task))
        return sorted(file.stem for file in (account.folder / "out").glob("*.png"))

    delivered = names_of_run("first", "second")
    assert len(delivered) == 1
    assert names_of_run("first", "second", "third") == delivered
    assert names_of_run("second", "fourth") == delivered
    assert len(account.paid("generate_image")) == 4


def test_requests_for_the_same_may_share_an_answer(account: Account) -> None:
    account.sandbox.dialect(operation="generate_image", values={"data.output.0.tmp_url": account.link})
    prompts = [{"prompt": "A plain shirt", "name": name} for name in ("one", "two")]
    account.new_try()(
        ImageGenerationBatchOperator(task_id="t", prompts=prompts, output=f"file://{account.folder}/out/")
    )
    assert len(list((account.folder / "out").glob("*.png"))) == 2


@pytest.mark.parametrize("where", ["temporary", "local", "connected", "landing"])
def test_a_submission_that_is_answered_with_an_earlier_job_does_not_deliver_its_picture(
    where: str, account: Account
) -> None:
    output = {
        "temporary": None,
        "local": f"file://{account.folder}/out/",
        "connected": OUTPUT,
        "landing": f"file://{account.folder}/bucket/out/",
    }[where]
    (blue,) = account.new_try()(ai_edit("paint it blue")(account.link, output))
    last = int(account.sandbox.service.jobs._last_id)
    account.sandbox.dialect(operation="submit_ai_edit", values={"data.id": last, "data.request": None})
    results = account.tries(ai_edit("paint it red"), output)
    assert account.paid("submit_ai_edit") == [2, 2]
    for result in results:
        if isinstance(result, Exception):
            assert "names what another request made" in str(result)
        else:
            assert content(account, blue) not in [content(account, path) for path in result]


def test_a_submission_that_repeats_another_prompt_is_not_waited_for(account: Account) -> None:
    values = {"data.request": {"options": {"prompt": "paint it blue"}}}
    account.sandbox.dialect(operation="submit_ai_edit", values=values)
    results = account.tries(ai_edit("paint it red"), None)
    assert account.paid("submit_ai_edit") == [2]
    assert all("the answer to another prompt, 'paint it blue'" in str(result) for result in results), results


def test_edits_that_are_all_answered_with_one_job_deliver_its_picture_once(account: Account) -> None:
    links = [account.link]
    for prompt in ("A red shirt", "A blue hat"):
        links += account.new_try()(generation(prompt)("", None))
    first = int(account.sandbox.service.jobs._last_id) + 1
    account.sandbox.dialect(operation="submit_edit", values={"data.id": first, "data.request": None})
    results = account.tries(lambda _, output: edit(links, output), f"file://{account.folder}/out/")  # type: ignore[arg-type]
    assert account.paid("submit_edit") == [1, 1, 1]
    assert all("another request of this task got" in str(result) for result in results), results
    assert len(list((account.folder / "out").glob("*.jpg"))) == 1


@pytest.mark.parametrize("mapped", [True, False])
def test_a_job_that_names_what_another_wrote_does_not_deliver_it(
    mapped: bool, account: Account, connect: Connect
) -> None:
    (other,) = account.new_try()(generation("A horse on the moon")(account.link, OUTPUT))
    if mapped:
        elsewhere(account, connect, other)
    else:
        remap(account, connect, {})
    values = named("storage", other.removeprefix("storage://shop/"), "data.result.output_objects.*")
    account.sandbox.dialect(operation="get_ai_edit", values=values)
    results = account.tries(ai_edit("paint it red"), OUTPUT)
    assert account.paid("submit_ai_edit") == [2]
    assert all("names what another request made" in str(result) for result in results), results
    account.sandbox.clear_dialects()
    (own,) = account.new_try(try_number=4)(ai_edit("paint it red")(account.link, OUTPUT))
    assert content(account, own) != content(account, other)
    assert account.paid("submit_ai_edit") == [2]


@pytest.mark.parametrize(
    ("name", "returned"),
    [
        ("small/other.png", None),
        ("small/lamp-12.png", None),
        ("small/lamp-1.jpeg", "storage://shop/small/lamp-1.jpeg"),
        ("SMALL/Lamp-1.png", "storage://shop/small/lamp-1.png"),
        ("small/lamp%2D1.png", "storage://shop/small/lamp-1.png"),
    ],
)
@pytest.mark.parametrize("form", ["storage", "s3", "key", "key with slash", "bucket in the key", "path style"])
def test_an_edit_to_a_file_takes_no_other_file(
    form: str, name: str, returned: str | None, account: Account, connect: Connect
) -> None:
    remap(account, connect, {})
    account.sandbox.dialect(operation="get_edit", values=named(form, name, "data.result.output_object"))
    results = account.tries(edit, "storage://shop/small/lamp-1.png")
    assert account.paid("submit_edit") == [1]
    if returned is None:
        assert all("names what another request made" in str(result) for result in results), results
    else:
        assert results == [[returned]] * 3


def test_an_edited_folder_takes_no_earlier_file_for_a_result(account: Account) -> None:
    """Its job says nothing of where the results are, and repeats the request with the folder in it."""
    inputs, outputs = account.folder / "bucket" / "in", account.folder / "bucket" / "out"
    inputs.mkdir(parents=True)
    outputs.mkdir()
    for name in ("b.png", "c.png"):
        (inputs / name).write_bytes(content(account, account.link))
    (outputs / "a.png").write_bytes(content(account, account.link))
    nothing = {f"data.results.*.output_object.{name}": None for name in ADDRESSES}
    account.sandbox.dialect(operation="get_batch_edit", values=nothing)
    results = account.tries(
        lambda _, output: ImageFolderEditOperator(
            task_id="t", input="storage://shop/in/", operations=SMALL, output=output, poll_interval=0.05, timeout=5
        ),
        OUTPUT,
    )
    assert account.paid("submit_batch_edit") == [2]
    assert all("holds no link to a picture" in str(result) for result in results), results


@pytest.mark.parametrize("where", ["connected", "landing"])
@pytest.mark.parametrize(
    ("name", "other"), [("A.png", b""), ("A.json", b"{}"), (".A.png", b"\x89PNG"), ("A.png.tmp", b"\x89PNG")]
)
def test_a_lost_answers_picture_is_found_beside_what_is_none(
    name: str, other: bytes, where: str, account: Account
) -> None:
    output = OUTPUT if where == "connected" else f"file://{account.folder}/bucket/out/"
    account.sandbox.fault("cut", operation="generate_image", charged=True)
    with pytest.raises(Exception, match="may have been charged"):
        account.new_try()(generation()(account.link, output))
    (written,) = (account.folder / "bucket").rglob("Claid_*.png")
    right = written.read_bytes()
    (written.parent / name).write_bytes(other)
    second, third, _ = account.tries(generation(), output)
    assert second == third
    assert [content(account, path) for path in second] == [right]
    assert account.paid("generate_image") == [1]
