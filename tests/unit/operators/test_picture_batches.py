"""One operation over a catalogue of pictures: each kind of batch, and that it pays as the single operator does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import ObjectStoragePath

from airflow_claid.manifests import join_manifests
from airflow_claid.operators import (
    BackgroundGenerationBatchOperator,
    BackgroundGenerationOperator,
    FashionModelBatchOperator,
    FashionModelOperator,
    ImageAIEditBatchOperator,
    ImageAIEditOperator,
    ImageEditBatchOperator,
    ImageEditOperator,
    ImageGenerationBatchOperator,
    ImageResizeBatchOperator,
    ImageResizeOperator,
    ImageToVideoBatchOperator,
    ImageToVideoOperator,
    ImageUpscaleBatchOperator,
    ImageUpscaleOperator,
    estimate,
)
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.pictures import picture
from tests.unit.operators.conftest import NewTry

REMOVE = {"background": {"remove": True}}


@pytest.fixture
def shop(sandbox: Sandbox, connect: Connect, tmp_path: Path, new_try: NewTry) -> Path:
    """A connected storage with the pictures ``photos/1.png`` to ``photos/3.png``, of 320 pixels."""
    (tmp_path / "photos").mkdir()
    for number in range(1, 4):
        (tmp_path / f"photos/{number}.png").write_bytes(picture(320, 320, (number * 70, 90, 120)))
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    return tmp_path


BATCHES: dict[str, tuple[type[Any], type[Any], dict[str, Any], float]] = {
    "edit": (ImageEditBatchOperator, ImageEditOperator, {"operations": REMOVE, "output_format": "png"}, 1),
    "upscale": (ImageUpscaleBatchOperator, ImageUpscaleOperator, {"scale": "150%"}, 1),
    "resize": (ImageResizeBatchOperator, ImageResizeOperator, {"width": 20}, 1),
    "ai_edit": (ImageAIEditBatchOperator, ImageAIEditOperator, {"prompt": "Make it blue"}, 2),
    "scene": (BackgroundGenerationBatchOperator, BackgroundGenerationOperator, {"prompt": "On a beach"}, 1),
    "fashion": (FashionModelBatchOperator, FashionModelOperator, {"pose": "standing"}, 2),
    "video": (ImageToVideoBatchOperator, ImageToVideoOperator, {"prompt": "It turns"}, 35),
}


def rows_of(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ObjectStoragePath(summary["manifest"]).read_bytes().splitlines()]


def subject(kind: str) -> str:
    return "clothing" if kind == "fashion" else "input"


def photos() -> list[str]:
    return [f"storage://shop/photos/{number}.png" for number in range(1, 4)]


def items(kind: str) -> list[dict[str, str]]:
    return [{subject(kind): path} for path in photos()]


@pytest.mark.parametrize("kind", BATCHES)
def test_each_kind_of_batch_makes_a_picture_of_each_item_and_pays_once(
    kind: str, shop: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    batch, _, parameters, price = BATCHES[kind]

    def run(run_id: str) -> dict[str, Any]:
        operator = batch(task_id="pictures", **{subject(kind): items(kind)}, output=f"file://{shop}/out/", **parameters)
        summary: dict[str, Any] = new_try(run_id=run_id)(operator)
        return summary

    summary = run("monday")
    assert (summary["items"], summary["done"], summary["images"], summary["credits"]) == (3, 3, 3, 3 * price)
    rows = rows_of(summary)
    assert [row["status"] for row in rows] == ["done"] * 3
    assert all(Path(row["paths"][0].removeprefix("file://")).stat().st_size for row in rows)
    again = run("tuesday")
    assert (again["done"], again["reused"], again["credits"]) == (3, 3, 0)
    assert sandbox.charged() == 3 * price


@pytest.mark.parametrize("kind", BATCHES)
def test_a_batch_does_not_pay_again_for_what_the_single_operator_paid(
    kind: str, shop: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    batch, single, parameters, price = BATCHES[kind]
    place = f"file://{shop}/out/"
    new_try()(single(task_id="pictures", **{subject(kind): photos()[0]}, output=place, **parameters))
    assert sandbox.charged() == price
    operator = batch(task_id="pictures", **{subject(kind): items(kind)}, output=place, **parameters)
    summary = new_try(run_id="tuesday")(operator)
    assert (summary["done"], summary["reused"], summary["credits"]) == (3, 1, 2 * price)
    assert sandbox.charged() == 3 * price


def test_a_row_replaces_a_parameter_for_itself(shop: Path, new_try: NewTry) -> None:
    items = [{"input": photos()[0]}, {"input": photos()[1], "scale": "200%", "name": "large"}]
    operator = ImageUpscaleBatchOperator(
        task_id="pictures", input=items, scale="100%", output=f"file://{shop}/out/", output_format="png"
    )
    first, second = rows_of(new_try()(operator))
    sizes = [_size(row["paths"][0]) for row in (first, second)]
    assert sizes == [(320, 320), (640, 640)]
    assert second["name"] == "large"
    assert second["paths"] == [f"file://{shop}/out/large.png"]


@pytest.mark.parametrize(
    ("batch", "row", "message"),
    [
        (partial(ImageUpscaleBatchOperator, output_format="png"), {"scale": "12x"}, "width"),
        (partial(ImageUpscaleBatchOperator, output_format="png"), {"mode": "better"}, "upscale"),
        (partial(ImageResizeBatchOperator, width=20), {"fit": "squeeze"}, "fit"),
        (partial(ImageAIEditBatchOperator, prompt="Make it blue"), {"prompt": "x"}, "prompt"),
        (partial(ImageToVideoBatchOperator, prompt="It turns"), {"duration": 7}, "duration"),
        (partial(ImageEditBatchOperator, operations=REMOVE), {"category": "chairs"}, "category"),
    ],
)
def test_what_a_row_says_is_checked_as_the_parameter_is(
    batch: Callable[..., Any], row: dict[str, Any], message: str, shop: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    items = [{"input": photos()[0], **row}, {"input": photos()[1]}]
    summary = new_try()(batch(task_id="pictures", input=items, output=f"file://{shop}/out/", error_threshold=1))
    wrong, right = rows_of(summary)
    assert (wrong["status"], right["status"]) == ("invalid", "done")
    assert message in wrong["error"]
    assert len([entry for entry in sandbox.ledger() if entry.credits]) == 1


def test_a_picture_that_is_not_there_stops_no_other(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    items = [{"input": f"file://{shop}/photos/{path}"} for path in ("1.png", "none.png")] + [{"input": "photos/2.png"}]
    operator = ImageUpscaleBatchOperator(
        task_id="pictures", input=items, output=f"file://{shop}/out/", error_threshold=1
    )
    summary = new_try()(operator)
    assert (summary["done"], summary["invalid"], summary["credits"]) == (1, 2, 1)


def test_pictures_that_claid_cannot_reach_are_invalid_and_no_retry_is_tried(
    shop: Path, sandbox: Sandbox, new_try: NewTry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for number in range(60):
        (elsewhere / f"{number}.png").write_bytes(picture(320, 320, (number, 0, 0)))
    operator = ImageAIEditBatchOperator(
        task_id="pictures", input=f"file://{elsewhere}/", prompt="Make it blue", output=f"file://{shop}/out/"
    )
    with pytest.raises(AirflowFailException, match="60 invalid, of 60"):
        new_try()(operator)
    assert sandbox.charged() == 0


def test_a_wrong_parameter_fails_when_the_dag_is_parsed() -> None:
    with pytest.raises(AirflowFailException, match="width"):
        ImageUpscaleBatchOperator(task_id="pictures", input="s3://b/photos/", scale="big", output="s3://b/out/")
    with pytest.raises(AirflowFailException, match="prompt"):
        ImageAIEditBatchOperator(task_id="pictures", input="s3://b/photos/", prompt="x", output="s3://b/out/")


def folder_batch(shop: Path, **parameters: Any) -> ImageUpscaleBatchOperator:
    defaults = {"input": f"file://{shop}/photos/", "output": f"file://{shop}/out/", "output_format": "png"}
    return ImageUpscaleBatchOperator(**{"task_id": "pictures", **defaults, **parameters})


def test_a_list_of_paths_is_a_list_of_pictures(shop: Path, new_try: NewTry) -> None:
    summary = new_try()(folder_batch(shop, input=[*photos(), f"file://{shop}/photos/1.png"], error_threshold=1))
    assert (summary["items"], summary["done"], summary["invalid"]) == (4, 3, 1)
    assert "row 4 has the name '1' of row 1" in rows_of(summary)[3]["error"]


def test_the_folders_in_a_folder_are_mirrored_in_the_output(shop: Path, new_try: NewTry) -> None:
    (shop / "photos/spring sale").mkdir()
    (shop / "photos/spring sale/1.png").write_bytes(picture(320, 320, "red"))
    summary = new_try()(folder_batch(shop))
    assert (summary["done"], summary["invalid"]) == (4, 0)
    made = sorted(str(path.relative_to(shop / "out")) for path in (shop / "out").rglob("*.png"))
    assert made == ["1.png", "2.png", "3.png", "spring sale/1.png"]
    assert new_try(run_id="tuesday")(folder_batch(shop))["reused"] == 4


@pytest.mark.parametrize("output", ["storage://shop/out/", "file://{shop}/out/"])
def test_the_folders_are_mirrored_in_each_kind_of_place(output: str, shop: Path, new_try: NewTry) -> None:
    (shop / "photos/spring sale").mkdir()
    (shop / "photos/spring sale/1.png").write_bytes(picture(320, 320, "red"))
    place = output.format(shop=shop)
    parameters = {"input": "storage://shop/photos/", "output": place}
    summary = new_try()(folder_batch(shop, **parameters))
    assert (summary["done"], summary["invalid"]) == (4, 0)
    assert (shop / "out/spring sale/1.png").is_file()
    again = new_try(run_id="tuesday")(folder_batch(shop, **parameters))
    assert (again["reused"], again["credits"]) == (4, 0)


def test_only_what_is_new_or_has_another_content_is_paid_for(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    assert new_try()(folder_batch(shop))["credits"] == 3
    photo = shop / "photos"
    (photo / "4.png").write_bytes(picture(320, 320, "white"))
    (photo / "2.png").write_bytes(picture(320, 320, "black"))
    (photo / "3.png").write_bytes((photo / "3.png").read_bytes())
    (photo / "1.png").unlink()
    receipts = set((shop / "out/_claid").iterdir())
    second = new_try(run_id="tuesday")(folder_batch(shop))
    assert (second["items"], second["done"], second["reused"], second["gone"], second["credits"]) == (3, 3, 1, 1, 2)
    assert sandbox.charged() == 5
    assert (shop / "out/1.png").is_file()
    assert receipts <= set((shop / "out/_claid").iterdir())
    assert [row["status"] for row in rows_of(second)] == ["done", "done", "done", "gone"]
    third = new_try(run_id="wednesday")(folder_batch(shop))
    assert (third["items"], third["reused"], third["gone"], third["credits"]) == (3, 3, 1, 0)


def small(shop: Path, **parameters: Any) -> ImageResizeBatchOperator:
    defaults = {"input": f"file://{shop}/photos/", "output": f"file://{shop}/out/", "output_format": "png", "width": 20}
    return ImageResizeBatchOperator(**{"task_id": "resize", **defaults, **parameters})


@pytest.mark.parametrize("output", ["file://{shop}/out/", "storage://shop/out/"])
def test_two_tasks_never_overwrite_each_others_pictures(
    output: str, shop: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    place = output.format(shop=shop)
    assert new_try(task_id="pictures")(folder_batch(shop, output=place))["done"] == 3
    (shop / "out/3.png").unlink()
    estimated = new_try(task_id="resize")(small(shop, output=place, dry_run=True))
    assert (estimated["to_pay"], estimated["invalid"]) == (1, 2)
    assert "another task has made" in estimated["reasons"][0]["reason"]
    summary = new_try(task_id="resize")(small(shop, output=place, error_threshold=1))
    assert (summary["done"], summary["invalid"], summary["credits"]) == (1, 2, 1)
    assert "output" in rows_of(summary)[0]["error"]
    assert _size(f"file://{shop}/out/1.png") == (640, 640)
    assert sandbox.charged() == 4


def test_a_task_overwrites_its_own_pictures_when_its_parameters_change(
    shop: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    for scale in ("200%", "150%", "200%"):
        summary = new_try(task_id="pictures")(folder_batch(shop, scale=scale))
        assert (summary["done"], summary["credits"]) == (3, 3)
    assert new_try(task_id="other")(folder_batch(shop, preview=2))["reused"] == 2
    assert sandbox.charged() == 9


def test_operations_may_be_written_as_text(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    cells: list[object] = ['{"background": {"remove": true}}', "{'resizing': {'width': 20}}", "{remove", "[]", "", None]
    items = [{"input": photos()[0], "name": f"row {row}", "operations": cell} for row, cell in enumerate(cells)]
    items.append({"input": photos()[0], "name": "cars", "operations": cells[0], "category": "cars"})
    operator = ImageEditBatchOperator(
        task_id="pictures", input=items, operations=REMOVE, output=f"file://{shop}/out/", error_threshold=1
    )
    rows = rows_of(new_try()(operator))
    assert [row["status"] for row in rows] == ["done", "done", "invalid", "invalid", "done", "done", "done"]
    assert all("operations=" in row["error"] for row in rows[2:4])
    assert sandbox.charged() == 5


def test_an_outfit_is_a_list_of_garments(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    outfits: list[object] = [photos()[:2], json.dumps(photos()[1:]), photos()[2], ["photos/1.png"], ",".join(photos())]
    items = [{"clothing": outfit, "name": f"row {row}"} for row, outfit in enumerate(outfits)]
    operator = FashionModelBatchOperator(
        task_id="pictures", clothing=items, output=f"file://{shop}/out/", error_threshold=1
    )
    rows = rows_of(new_try()(operator))
    assert [row["status"] for row in rows] == ["done", "done", "done", "invalid", "invalid"]
    assert "more than one picture" in rows[4]["error"]
    assert sandbox.charged() == 6


def test_the_path_of_a_folder_is_that_folder(shop: Path, new_try: NewTry) -> None:
    for path, items in ((f"file://{shop}/photos/", 3), (f"file://{shop}/photos/1.png", 1)):
        assert new_try()(folder_batch(shop, input=ObjectStoragePath(path)))["done"] == items


def test_an_empty_file_is_not_paid_for(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    (shop / "photos/4.png").write_bytes(b"")
    summary = new_try()(folder_batch(shop, error_threshold=1))
    assert (summary["done"], summary["invalid"]) == (3, 1)
    assert "photos/4.png', an empty file" in rows_of(summary)[3]["error"]
    assert len([entry for entry in sandbox.ledger() if entry.operation == "edit_image"]) == 3


def test_a_name_with_brackets_is_one_like_any_other(shop: Path, new_try: NewTry) -> None:
    (shop / "photos/1.png").rename(shop / "photos/[1].png")
    assert new_try()(folder_batch(shop))["done"] == 3
    assert new_try(run_id="tuesday")(folder_batch(shop))["reused"] == 3


def test_the_names_of_manifests_do_not_grow_along_a_chain(shop: Path, new_try: NewTry) -> None:
    first = new_try(task_id="pictures")(folder_batch(shop))
    second = new_try(task_id="resize")(small(shop, input=first["manifest"], output=f"file://{shop}/small/"))
    assert [len(step["manifest"].rpartition("/")[2]) for step in (first, second)] == [30, 30]


def test_a_batch_takes_the_manifest_of_the_one_before(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    first = ImageGenerationBatchOperator(
        task_id="generate",
        prompts=[{"prompt": "A lamp", "name": "L-1"}, {"prompt": "x"}, {"prompt": "A sofa", "name": "S-1"}],
        output=f"file://{shop}/generated/",
        error_threshold=1,
    )
    generated = new_try(task_id="generate")(first)
    large = new_try(task_id="upscale")(folder_batch(shop, input=generated["manifest"], output=f"file://{shop}/large/"))
    small = new_try(task_id="resize")(
        ImageResizeBatchOperator(
            task_id="resize", input=large["manifest"], width=8, output=f"file://{shop}/small/", output_format="png"
        )
    )
    assert [(step["items"], step["done"], step["skipped"]) for step in (large, small)] == [(3, 2, 1)] * 2
    assert sandbox.charged() == 6
    lamp, nothing, sofa = rows_of(small)
    assert (lamp["name"], sofa["name"], lamp["prompt"]) == ("L-1", "S-1", "A lamp")
    assert (nothing["status"], nothing["reason"]) == ("skipped", "invalid")
    assert nothing["error"] == rows_of(large)[1]["error"] == rows_of(generated)[1]["error"]
    assert "3 to 1024" in nothing["error"]
    assert [_size(step["paths"][0]) for step in (rows_of(generated)[0], rows_of(large)[0], lamp)] == [
        (64, 64),
        (128, 128),
        (8, 8),
    ]
    products = list(join_manifests(generated["manifest"], large["manifest"], small["manifest"]))
    assert [(product.name, product.status, product.credits) for product in products] == [
        ("L-1", "done", 3),
        (None, "invalid", 0),
        ("S-1", "done", 3),
    ]


def test_a_preview_is_not_paid_for_again(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    seen = new_try()(folder_batch(shop, preview=2))
    assert (seen["items"], seen["done"], sandbox.charged()) == (2, 2, 2)
    assert [row["row"] for row in rows_of(seen)] == [1, 3]
    summary = new_try(run_id="tuesday")(folder_batch(shop))
    assert (summary["done"], summary["reused"], summary["credits"], sandbox.charged()) == (3, 2, 1, 3)


@pytest.mark.parametrize("kind", BATCHES)
def test_a_dry_run_tells_what_the_run_then_costs(kind: str, shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    batch, _, parameters, price = BATCHES[kind]
    arguments = {subject(kind): items(kind), "output": f"file://{shop}/out/", **parameters}
    new_try()(batch(task_id="pictures", **{**arguments, subject(kind): items(kind)[:1]}))
    before, files = len(sandbox.ledger()), set(shop.rglob("*"))
    told = new_try()(batch(task_id="pictures", dry_run=True, **arguments))
    assert told == estimate(batch(task_id="pictures", **arguments)).to_json()
    assert (told["items"], told["to_pay"], told["reused"], told["requests"]) == (3, 2, 1, 2)
    assert {entry.operation for entry in sandbox.ledger()[before:]} <= {"list_storages"}
    assert set(shop.rglob("*")) == files
    summary = new_try()(batch(task_id="pictures", **arguments))
    assert told["credits"] == summary["credits"] == 2 * price
    assert new_try()(batch(task_id="pictures", dry_run="True", **arguments))["credits"] == 0


def test_a_dry_run_that_a_template_rendered_to_nonsense_fails_without_a_retry(
    shop: Path, sandbox: Sandbox, new_try: NewTry
) -> None:
    operator = folder_batch(shop, dry_run="{{ params.dry }}")
    operator.estimate_only = "perhaps"
    with pytest.raises(AirflowFailException, match="dry_run='perhaps' must be true or false"):
        new_try()(operator)
    assert sandbox.charged() == 0


def test_an_estimate_outside_of_a_task_takes_no_templates(shop: Path) -> None:
    with pytest.raises(AirflowFailException, match="known only when a task runs"):
        estimate(folder_batch(shop, input="{{ params.photos }}"))


@pytest.mark.parametrize("preview", [0, -1, 1.5, "many", True])
def test_a_preview_is_a_number_of_items(preview: object, shop: Path) -> None:
    with pytest.raises(AirflowFailException, match="preview="):
        folder_batch(shop, preview=preview)


def test_the_output_is_never_taken_for_input(shop: Path, sandbox: Sandbox, new_try: NewTry) -> None:
    parameters = {"output": f"file://{shop}/photos/large/"}
    assert new_try()(folder_batch(shop, **parameters))["items"] == 3
    assert new_try(run_id="tuesday")(folder_batch(shop, **parameters))["items"] == 3
    assert sandbox.charged() == 3
    with pytest.raises(AirflowFailException, match="output"):
        new_try()(folder_batch(shop, output=f"file://{shop}/photos/"))


@pytest.mark.parametrize(
    ("address", "done"), [("photos/[12].png", 2), ("**/*.png", 3), ("photos/", 3), ("photos/2.png", 1), ("list.csv", 2)]
)
def test_each_source_of_pictures(address: str, done: int, shop: Path, new_try: NewTry) -> None:
    (shop / "list.csv").write_text(f"picture,sku\nfile://{shop}/photos/1.png,A\nfile://{shop}/photos/2.png,B\n")
    columns = {"input": "picture", "name": "sku"} if address.endswith(".csv") else None
    summary = new_try()(folder_batch(shop, input=f"file://{shop}/{address}", columns=columns))
    assert (summary["items"], summary["done"]) == (done, done)


def test_a_glob_that_matches_nothing_says_so(shop: Path, new_try: NewTry) -> None:
    with pytest.raises(AirflowFailException, match=r"photos/\*\.webp.*3"):
        new_try()(folder_batch(shop, input=f"file://{shop}/photos/*.webp"))


def _size(path: str) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path.removeprefix("file://")) as image:
        return image.size
