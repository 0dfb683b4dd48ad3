from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import ObjectStoragePath
from PIL import Image

from airflow_claid.operators import (
    ImageEditOperator,
    ImageGenerationOperator,
    ImageResizeOperator,
    ImageUpscaleOperator,
)
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect, s3_connection
from tests.support.pictures import picture
from tests.unit.operators.conftest import NewTry


def opened(path: str) -> Image.Image:
    content = (
        requests.get(path, timeout=10).content if path.startswith("http") else ObjectStoragePath(path).read_bytes()
    )
    image = Image.open(BytesIO(content))
    image.load()
    return image


@pytest.fixture
def pictures(new_try: NewTry, tmp_path: Path) -> list[str]:
    """Two generated pictures in a local folder."""
    operator = ImageGenerationOperator(
        task_id="g", prompt="A blue vase", number_of_images=2, name="VASE", output=f"file://{tmp_path}/generated/"
    )
    paths: list[str] = new_try()(operator)
    return paths


@pytest.mark.usefixtures("full_size")
def test_upscaling_sends_the_upscaler_together_with_the_size(
    sandbox: Sandbox, new_try: NewTry, pictures: list[str], tmp_path: Path
) -> None:
    run = new_try()
    paths = run(ImageUpscaleOperator(task_id="u", input=pictures, output=f"file://{tmp_path}/large/"))
    assert paths == [f"file://{tmp_path}/large/VASE_{n}.jpg" for n in (1, 2)]
    assert {opened(path).size for path in paths} == {(2048, 2048)}
    operations = sandbox.ledger()[-1].request["operations"]
    assert operations["restorations"] == {"upscale": "smart_enhance"}
    assert operations["resizing"] == {"width": "200%", "height": "auto", "fit": "bounds"}
    assert run.credits == 2


def test_resizing_fits_the_whole_picture_by_default_though_claid_would_crop(
    new_try: NewTry, pictures: list[str], tmp_path: Path
) -> None:
    (path,) = new_try()(
        ImageResizeOperator(task_id="r", input=pictures[0], width=800, output=f"file://{tmp_path}/small.png")
    )
    image = opened(path)
    assert (image.format, image.size) == ("PNG", (800, 800))
    assert path.endswith("/small.png")


@pytest.mark.usefixtures("full_size")
def test_a_width_that_a_template_made_text_is_pixels_again(
    new_try: NewTry, pictures: list[str], tmp_path: Path
) -> None:
    operator = ImageResizeOperator(task_id="r", input="x", width="{{ params.w }}", output=f"file://{tmp_path}/s/")
    operator.input = str(pictures[:1])
    operator.width = "640"
    assert opened(new_try()(operator)[0]).size == (640, 640)


def test_a_list_that_claid_can_reach_is_edited_as_jobs_and_chains(sandbox: Sandbox, new_try: NewTry) -> None:
    links = new_try()(ImageGenerationOperator(task_id="g", prompt="A blue vase", number_of_images=3))
    run = new_try()
    contrast = {"adjustments": {"contrast": 20}}
    edited = run(ImageEditOperator(task_id="e", input=links, operations=contrast, poll_interval=0.2))
    assert len(edited) == 3
    assert [image["input"] for image in run.images] == links
    assert len(sandbox.ledger("submit_edit")) == 3
    assert opened(edited[0]).format == "JPEG"


@pytest.mark.parametrize("place", ["s3", "gcs"])
def test_pictures_in_a_bucket_that_claid_cannot_reach_are_sent_along(
    place: str, request: pytest.FixtureRequest, sandbox: Sandbox, new_try: NewTry
) -> None:
    root = request.getfixturevalue(place)
    generated = new_try()(ImageGenerationOperator(task_id="g", prompt="A blue vase", name="V", output=f"{root}/a/"))
    edited = new_try()(ImageResizeOperator(task_id="r", input=generated, width=100, output=f"{root}/b/"))
    assert edited == [f"{root}/b/V_1.jpg"]
    assert opened(edited[0]).size == (100, 100)
    assert len(sandbox.ledger("upload_and_edit")) == 1


def test_a_picture_in_a_bucket_that_a_connected_storage_covers_goes_as_storage_address(
    sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path, pictures: list[str]
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    paths = new_try()(ImageResizeOperator(task_id="r", input=pictures, width=50, output="storage://shop/small/"))
    assert paths == ["storage://shop/small/VASE_1.jpg", "storage://shop/small/VASE_2.jpg"]
    asked = sorted(entry.request["input"] for entry in sandbox.ledger("submit_edit"))
    assert asked == ["storage://shop/generated/VASE_1.png", "storage://shop/generated/VASE_2.png"]
    assert (tmp_path / "small" / "VASE_2.jpg").exists()
    assert len(list((tmp_path / "small" / "_claid").iterdir())) == 2


def test_the_same_edit_of_the_same_content_is_paid_once_and_of_a_new_content_again(
    sandbox: Sandbox, new_try: NewTry, pictures: list[str], tmp_path: Path
) -> None:
    def edit(run_id: str) -> float:
        run = new_try(run_id=run_id)
        run(ImageResizeOperator(task_id="r", input=pictures[0], width=50, output=f"file://{tmp_path}/small/"))
        return run.credits

    assert edit("monday") == 1
    assert edit("tuesday") == 0
    first = ObjectStoragePath(pictures[0])
    first.write_bytes(first.read_bytes())
    assert edit("wednesday") == 0
    first.write_bytes(ObjectStoragePath(pictures[1]).read_bytes())
    assert edit("thursday") == 1


def test_where_some_pictures_fail_the_others_are_kept_and_the_failed_ones_named(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    links = new_try()(ImageGenerationOperator(task_id="g", prompt="A blue vase", number_of_images=2))
    dead = f"{sandbox.url}/tmp/none/none_1.png"
    run = new_try()
    operator = ImageResizeOperator(task_id="r", input=[links[0], dead, links[1]], width=9, output=f"file://{tmp_path}/")
    with pytest.raises(AirflowException, match="1 of 3 pictures failed; the others are kept") as failure:
        run(operator)
    assert "none_1.png" in str(failure.value)
    assert len(list(tmp_path.glob("*.jpg"))) == 2
    assert run.credits == 3
    again = new_try(try_number=2)
    with pytest.raises(AirflowException):
        again(operator)
    assert again.credits == 1
    assert [entry.request["input"] for entry in sandbox.ledger("submit_edit")][3:] == [dead]


@pytest.mark.parametrize(
    ("parameters", "named", "remedy"),
    [
        ({"operations": {"resizing": {"width": "auto"}}}, "operations.resizing", "give one of them"),
        ({"operations": {"sharpness": 3}}, "operations.sharpness=3", "not a parameter of Claid"),
        ({"operations": {"adjustments": {"contrast": 101}}}, "operations.adjustments.contrast=101", "100"),
        ({"output_format": "gif"}, "output.format='gif'", "'jpeg'"),
        ({"output": "file:///srv/a.gif"}, "a.gif", "use one of"),
        ({"output": "file:///srv/a.png", "output_format": "jpeg"}, "output_format='jpeg'", "make them the same"),
        ({"output": "storage://shop/small"}, "'storage://shop/small'", "use 'storage://shop/small/'"),
        ({"output": "https://shop/small/"}, "'https://shop/small/'", "use s3://"),
        ({"input": []}, "input=[]", "one path or a list"),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed(
    parameters: dict[str, object], named: str, remedy: str
) -> None:
    good = {"task_id": "e", "input": "https://x.test/a.png", "operations": {"padding": "5%"}}
    with pytest.raises(AirflowFailException) as refused:
        ImageEditOperator(**{**good, **parameters})
    assert named in str(refused.value)
    assert remedy in str(refused.value)


@pytest.mark.parametrize("missing", ["file:///nowhere/a.png", "a.png", "s3://moto@{bucket}/none.png"])
def test_an_input_that_does_not_exist_is_refused_before_anything_is_charged(
    missing: str, sandbox: Sandbox, new_try: NewTry, s3: str, tmp_path: Path
) -> None:
    path = missing.format(bucket=s3.rpartition("@")[2])
    with pytest.raises(AirflowFailException, match=r"input='.*(does not exist|is not an address)"):
        new_try()(ImageResizeOperator(task_id="r", input=path, width=9, output=f"file://{tmp_path}/"))
    assert sandbox.charged() == 0


def test_inputs_that_would_be_written_to_one_file_or_over_themselves_are_refused(
    new_try: NewTry, pictures: list[str], tmp_path: Path
) -> None:
    other = tmp_path / "other" / "VASE_1.png"
    other.parent.mkdir()
    other.write_bytes(ObjectStoragePath(pictures[0]).read_bytes())
    with pytest.raises(AirflowFailException, match="would both be written to"):
        new_try()(
            ImageResizeOperator(
                task_id="r", input=[pictures[0], f"file://{other}"], width=9, output=f"file://{tmp_path}/x/"
            )
        )
    with pytest.raises(AirflowFailException, match="would overwrite the input"):
        new_try()(
            ImageResizeOperator(
                task_id="r", input=pictures[0], width=9, output=f"file://{tmp_path}/generated/", output_format="png"
            )
        )


def test_the_results_of_a_mapped_task_are_taken_as_one_list(
    sandbox: Sandbox, new_try: NewTry, pictures: list[str], tmp_path: Path
) -> None:
    nested = [[pictures[0]], [pictures[1]]]
    operator = ImageResizeOperator(task_id="r", input="{{ x }}", width=9, output=f"file://{tmp_path}/s/")
    operator.input = nested
    assert len(new_try()(operator)) == 2


def test_no_pictures_to_edit_cost_nothing_and_give_nothing(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    operator = ImageResizeOperator(task_id="r", input="{{ x }}", width=9, output=f"file://{tmp_path}/s/")
    operator.input = []
    assert new_try()(operator) == []
    assert sandbox.charged() == 0


def test_the_same_input_twice_is_paid_once_and_given_twice(
    sandbox: Sandbox, new_try: NewTry, pictures: list[str], tmp_path: Path
) -> None:
    given = [pictures[0], pictures[1], pictures[0]]
    run = new_try()
    paths = run(ImageResizeOperator(task_id="r", input=given, width=9, output=f"file://{tmp_path}/s/"))
    assert paths == [f"file://{tmp_path}/s/VASE_{n}.jpg" for n in (1, 2, 1)]
    assert run.credits == 2


def test_an_input_is_not_overwritten_through_another_connection(
    new_try: NewTry, s3: str, s3_endpoint: str, connect: Connect
) -> None:
    connect("other", **s3_connection(s3_endpoint))
    new_try()(ImageGenerationOperator(task_id="g", prompt="A blue vase", name="V", output=f"{s3}/a/"))
    target = f"{s3.replace('moto@', 'other@')}/a/"
    operator = ImageResizeOperator(task_id="r", input=f"{s3}/a/V_1.png", width=9, output=target, output_format="png")
    with pytest.raises(AirflowFailException, match="would overwrite the input"):
        new_try()(operator)


def test_a_link_with_tokens_and_a_login_is_one_request_and_kept_nowhere(
    sandbox: Sandbox, new_try: NewTry, pictures: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    temporary = new_try()(ImageGenerationOperator(task_id="g", prompt="A blue vase"))[0]
    signed = [f"{temporary}?Policy=P{n}&Signature=SESAME{n}&Key-Pair-Id=K&ticket=OPENSESAME" for n in (1, 2)]
    run, again = new_try(), new_try()
    with caplog.at_level("DEBUG"):
        run(ImageResizeOperator(task_id="r", input=signed[0], width=64, output=f"file://{tmp_path}/small/"))
        again(ImageResizeOperator(task_id="r", input=signed[1], width=64, output=f"file://{tmp_path}/small/"))
    assert (run.credits, again.credits) == (1, 0)
    assert sandbox.ledger("submit_edit")[-1].request["input"] == signed[0]
    kept = [file.read_text() for file in (tmp_path / "small" / "_claid").iterdir() if file.is_file()]
    assert kept
    for text in (*kept, str(run.images), str(again.images), caplog.text):
        assert "SESAME" not in text


@pytest.mark.parametrize("query", ["X-Amz-Signature=SESAME", "sig=SESAME", "ticket=SESAME", "apikey=SESAME"])
def test_an_edit_that_fails_names_the_input_without_its_tokens(new_try: NewTry, query: str) -> None:
    operator = ImageResizeOperator(task_id="r", input=f"https://me:SESAME@127.0.0.1:1/photo.png?{query}", width=64)
    with pytest.raises(AirflowException, match=r"'https://127\.0\.0\.1:1/photo\.png") as refused:
        new_try()(operator)
    assert "SESAME" not in str(refused.value)


def test_links_that_differ_in_ignored_parts_of_the_query_only_are_one_request(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    temporary = new_try()(ImageGenerationOperator(task_id="g", prompt="A blue vase"))[0]
    runs = [new_try() for _ in range(3)]
    for run, (session, ignored) in zip(runs, [("a", "session"), ("b", ["session"]), ("c", None)], strict=True):
        run(
            ImageResizeOperator(
                task_id="r",
                input=f"{temporary}?session={session}",
                ignored_query_parameters=ignored,
                width=64,
                output=f"file://{tmp_path}/small{'' if ignored else '-all'}/",
            )
        )
    assert [run.credits for run in runs] == [1, 0, 1]
    assert [entry.request["input"][-9:] for entry in sandbox.ledger("submit_edit")] == ["session=a", "session=c"]


def test_a_path_object_is_an_input_like_its_address(new_try: NewTry, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "chair.png").write_bytes(picture())
    run = new_try()
    paths = run(
        ImageResizeOperator(
            task_id="edit",
            input=ObjectStoragePath(f"file://{tmp_path}/chair.png"),
            width=8,
            output=f"file://{tmp_path}/o/",
        )
    )
    assert paths == [f"file://{tmp_path}/o/chair.jpg"]
    assert sandbox.charged() == 1


def test_inputs_whose_files_are_one_in_this_folder_are_refused(
    new_try: NewTry, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = []
    for folder, name in (("a", "Lamp.png"), ("b", "lamp.png")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(picture())
        inputs.append(f"file://{tmp_path}/{folder}/{name}")
    monkeypatch.setattr("airflow_claid.storage.file_names._asked", lambda folder: (True, False))
    operator = ImageResizeOperator(task_id="edit", input=inputs, width=8, output=f"file://{tmp_path}/o/")
    with pytest.raises(AirflowFailException, match=r"would both be written to .* by upper and lower case"):
        new_try()(operator)
    assert sandbox.charged() == 0
