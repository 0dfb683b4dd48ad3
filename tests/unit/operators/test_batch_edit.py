from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.sdk import ObjectStoragePath
from PIL import Image

from airflow_claid.operators import ImageFolderEditOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.pictures import picture
from tests.unit.operators.conftest import NewTry

SMALL = {"resizing": {"width": 40, "height": 30, "fit": "bounds"}}


def batch(given: Any = "storage://shop/in/", **parameters: Any) -> ImageFolderEditOperator:
    known = {"operations": SMALL, "output": "storage://shop/out/", "poll_interval": 0.2, **parameters}
    return ImageFolderEditOperator(task_id="t", input=given, **known)


@pytest.fixture
def shop(sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path) -> Path:
    """A connected storage that is the folder ``shop`` and is mapped, with three pictures in ``in/`` and below."""
    folder = tmp_path / "shop"
    for name in ("in/one.png", "in/two.png", "in/deep/three.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture())
    sandbox.connect_storage("shop", bucket="pictures", where=folder)
    extra = {"storages": {"shop": f"file://{folder}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    return folder


@pytest.fixture
def unmapped(sandbox: Sandbox, connect: Connect, shop: Path) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)


@pytest.mark.parametrize(("recursive", "names"), [(False, ["one", "two"]), ("True", ["one", "three", "two"])])
def test_a_folder_is_edited_by_one_job_and_paid_once(
    recursive: bool | str, names: list[str], sandbox: Sandbox, new_try: NewTry, shop: Path
) -> None:
    run = new_try()
    paths = run(batch(recursive=recursive))
    assert sorted(paths) == [f"storage://shop/out/{name}.jpeg" for name in names]
    assert run.credits == sandbox.charged() == len(names)
    assert {image["input"] for image in run.images} == {"storage://shop/in/"}
    assert sum(image["credits"] for image in run.images) == len(names)
    with Image.open(shop / "out" / "one.jpeg") as image:
        assert image.size == (40, 30)
    again = new_try(run_id="tuesday")
    assert again(batch(recursive=recursive)) == paths
    assert again.credits == 0
    assert len(sandbox.ledger("submit_batch_edit")) == 1
    assert len(list((shop / "out" / "_claid").iterdir())) == 1


def test_a_folder_with_other_pictures_is_another_request_and_with_the_same_ones_is_not(
    sandbox: Sandbox, new_try: NewTry, shop: Path
) -> None:
    new_try()(batch(output_format="png"))
    (shop / "in" / "notes.txt").write_text("not a picture")
    same = new_try(run_id="tuesday")
    assert len(same(batch(output_format="png"))) == 2
    assert same.credits == 0
    (shop / "in" / "four.png").write_bytes(picture())
    more = new_try(run_id="wednesday")
    assert len(more(batch(output_format="png"))) == 3
    assert more.credits == 3
    sent = sandbox.ledger("submit_batch_edit")[-1].request["input"]
    assert sent == [f"storage://shop/in/{name}.png" for name in ("four", "one", "two")]


def test_a_picture_with_new_content_makes_the_folder_another_request(
    sandbox: Sandbox, new_try: NewTry, s3: str, s3_endpoint: str, connect: Connect
) -> None:
    bucket = s3.rpartition("@")[2]
    keys = {"access_key": "test-key", "secret_access_key": "test-secret"}
    sandbox.connect_storage("shop", bucket=bucket, where=s3_endpoint, **keys)
    extra = {"storages": {"shop": "moto"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    for name in ("one", "two"):
        ObjectStoragePath(f"{s3}/in/{name}.png").write_bytes(picture())
    operator = batch(f"{s3}/in/", output=f"{s3}/out/")
    run = new_try()
    assert sorted(run(operator)) == [f"{s3}/out/{name}.jpeg" for name in ("one", "two")]
    assert {image["path"] for image in run.images} == {f"{s3}/out/{name}.jpeg" for name in ("one", "two")}
    with Image.open(BytesIO(ObjectStoragePath(f"{s3}/out/one.jpeg").read_bytes())) as image:
        assert image.size == (40, 30)
    ObjectStoragePath(f"{s3}/in/one.png").write_bytes(picture())
    again = new_try(run_id="tuesday")
    again(operator)
    assert again.credits == 0
    ObjectStoragePath(f"{s3}/in/one.png").write_bytes(picture(colour="red"))
    changed = new_try(run_id="wednesday")
    changed(operator)
    assert changed.credits == 2


def test_an_empty_folder_costs_nothing(sandbox: Sandbox, new_try: NewTry, shop: Path) -> None:
    assert new_try()(batch("storage://shop/none/")) == []
    assert sandbox.charged() == 0


def test_a_list_is_one_job_and_may_give_temporary_links(sandbox: Sandbox, new_try: NewTry, shop: Path) -> None:
    given = [["storage://shop/in/one.png"], [f"file://{shop}/in/two.png"]]
    run = new_try()
    links = run(batch(given, output=None))
    assert len(links) == 2
    assert all(link.startswith("http") for link in links)
    assert run.credits == 2
    assert sandbox.ledger("submit_batch_edit")[0].request["input"] == [
        "storage://shop/in/one.png",
        "storage://shop/in/two.png",
    ]
    again = new_try(try_number=2)
    assert again(batch(given, output=None)) == links
    assert again.credits == 0


@pytest.mark.parametrize("on_error", ["fail", "continue"])
def test_pictures_that_could_be_edited_are_handed_on_and_kept(
    on_error: str, sandbox: Sandbox, new_try: NewTry, shop: Path
) -> None:
    (shop / "in" / "broken.png").write_bytes(b"not a picture")
    for run_id, spent in (("monday", 3), ("tuesday", 0)):
        run = new_try(run_id=run_id)
        operator = batch(on_error=on_error)
        if on_error == "fail":
            with pytest.raises(AirflowFailException, match=r"1 pictures of storage://shop/in/.*broken\.png.*continue"):
                run(operator)
        else:
            assert len(run(operator)) == 2
        assert len(run.images) == 2
        assert run.credits == spent
    assert sandbox.charged() == 3


def test_a_job_that_ends_in_error_fails_and_a_new_run_asks_again(sandbox: Sandbox, new_try: NewTry, shop: Path) -> None:
    sandbox.fault("job_error", operation="submit_batch_edit")
    with pytest.raises(AirflowFailException, match="ended as ERROR"):
        new_try()(batch())
    assert len(new_try(run_id="tuesday")(batch())) == 2


def test_a_folder_that_only_claid_can_list_has_its_price_afterwards(
    sandbox: Sandbox, new_try: NewTry, unmapped: None
) -> None:
    run = new_try()
    assert len(run(batch())) == 2
    assert run.credits == sandbox.charged() == 2
    again = new_try(try_number=2)
    again(batch())
    assert again.credits == 0
    with pytest.raises(AirflowFailException, match=r"max_credits=5 cannot be kept.*map the storage"):
        new_try()(batch(max_credits=5))


def test_the_ceiling_stops_a_folder_that_can_be_listed(sandbox: Sandbox, new_try: NewTry, shop: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"would cost 2 credits.*max_credits=1"):
        new_try()(batch(max_credits=1))
    assert sandbox.charged() == 0


def test_a_lost_answer_stops_for_a_person_even_where_the_files_are_there(
    sandbox: Sandbox, new_try: NewTry, shop: Path
) -> None:
    sandbox.fault("cut", operation="submit_batch_edit", charged=True)
    operator = batch()
    with pytest.raises(Exception, match="may have been charged"):
        new_try()(operator)
    with pytest.raises(AirflowFailException, match="on_lost_response='fail'"):
        new_try(try_number=2)(operator)
    assert sandbox.charged() == 2


def test_what_comes_into_the_folder_while_the_job_is_waited_for_changes_nothing(
    sandbox: Sandbox, new_try: NewTry, shop: Path
) -> None:
    operator = batch(deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        new_try()(operator)
    (shop / "in" / "late.png").write_bytes(picture())
    run = new_try()
    event = {"status": "ended", "message": "", "jobs": []}
    paths = operator.execute_complete({"ti": run.ti}, **deferred.value.kwargs, event=event)
    assert sorted(paths) == ["storage://shop/out/one.jpeg", "storage://shop/out/two.jpeg"]
    assert run.credits == sandbox.charged() == 2


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"given": []}, ["input=[]", "not empty"]),
        ({"given": ["storage://shop/in/", "https://x.test/a.png"]}, ["'storage://shop/in/'", "one folder, or a list"]),
        ({"given": ["https://x.test/a.png"], "recursive": True}, ["recursive=True", "end it with '/'"]),
        ({"operations": {"sharpness": 3}}, ["operations.sharpness=3", "not a parameter"]),
        ({"output": "storage://shop/out/a.png"}, ["a.png'", "use 'storage://shop/out/'"]),
        ({"output": "storage://shop/out"}, ["use 'storage://shop/out/'"]),
        ({"output_format": "gif"}, ["output_format='gif'", "'jpeg'"]),
        ({"metadata": {"dpi": "many"}}, ["metadata.dpi", "integer"]),
        ({"on_error": "ignore"}, ["on_error='ignore'", "fail, continue"]),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed(parameters: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(AirflowFailException) as refused:
        batch(**parameters)
    for part in said:
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"output": "storage://shop/in/"}, ["lies in the input folder", "give a folder beside it"]),
        ({"output": "storage://shop/in/small/"}, ["lies in the input folder"]),
        ({"output": "file:///srv/out/"}, ["'file:///srv/out/'", "ConnectStorageOperator", "ImageEditOperator"]),
        ({"given": "file:///srv/in/"}, ["input='file:///srv/in/'", "ConnectStorageOperator", "ImageEditOperator"]),
        ({"given": ["file:///srv/in/a.png"]}, ["input='file:///srv/in/a.png'", "does not exist"]),
        (
            {"given": ["https://x.test/1/a.png", "https://x.test/2/a.png"]},
            ["'https://x.test/1/a.png' and 'https://x.test/2/a.png'", "one name"],
        ),
        ({"given": [f"https://x.test/{n}.png" for n in range(101)], "output": None}, ["101 pictures", "receipt"]),
    ],
)
def test_what_would_go_wrong_is_refused_before_it_is_paid(
    parameters: dict[str, Any], said: list[str], sandbox: Sandbox, new_try: NewTry, shop: Path
) -> None:
    with pytest.raises(AirflowFailException) as refused:
        new_try()(batch(**parameters))
    for part in (*said, "nothing was charged"):
        assert part in str(refused.value)
    assert sandbox.ledger("submit_batch_edit") == []


def test_pictures_of_one_name_in_a_recursive_folder_are_refused(new_try: NewTry, shop: Path) -> None:
    (shop / "in" / "deep" / "one.png").write_bytes(picture())
    with pytest.raises(AirflowFailException, match=r"'deep/one\.png' and 'one\.png' have one name"):
        new_try()(batch(recursive=True))


def test_what_a_template_tells_later_is_not_checked_at_parsing() -> None:
    batch("{{ x }}", recursive="{{ r }}", output="{{ o }}", operations={"resizing": {"width": "{{ w }}"}})
