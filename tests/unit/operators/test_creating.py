"""AI edits, fashion models and scenes: what the three have in common, and what each asks of Claid."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.sdk import BaseOperator, ObjectStoragePath
from PIL import Image

from airflow_claid.operators import BackgroundGenerationOperator, FashionModelOperator, ImageAIEditOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.unit.operators.conftest import NewTry

Make = Callable[..., BaseOperator]
PROMPT = "make it snow"
MODEL_STUDIO = {"pose": "walking", "background": "a bright studio"}


def edit(given: Any, **parameters: Any) -> BaseOperator:
    return ImageAIEditOperator(task_id="t", input=given, **{"prompt": PROMPT, "poll_interval": 0.2, **parameters})


def fashion(given: Any, **parameters: Any) -> BaseOperator:
    prompt = parameters.pop("prompt", None)
    said = {"background": prompt} if prompt else MODEL_STUDIO
    return FashionModelOperator(task_id="t", clothing=given, **said, **{"poll_interval": 0.2, **parameters})


def scene(given: Any, **parameters: Any) -> BaseOperator:
    return BackgroundGenerationOperator(task_id="t", input=given, **{"prompt": PROMPT, **parameters})


PRICES = {edit: 2, fashion: 2, scene: 1}
OPERATIONS = {edit: "submit_ai_edit", fashion: "submit_fashion_model", scene: "create_scene"}
each = pytest.mark.parametrize("make", [edit, fashion, scene])
each_job = pytest.mark.parametrize("make", [edit, fashion])


def opened(path: str) -> Image.Image:
    content = (
        requests.get(path, timeout=10).content if path.startswith("http") else ObjectStoragePath(path).read_bytes()
    )
    image = Image.open(BytesIO(content))
    image.load()
    return image


@pytest.fixture
def shop(sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path) -> str:
    """A connected storage that is the folder ``shop`` and is mapped, with the picture ``photo.png`` in it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    Image.new("RGB", (400, 300), "teal").save(folder / "photo.png")
    sandbox.connect_storage("shop", bucket="pictures", where=folder)
    extra = {"storages": {"shop": f"file://{folder}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    return f"file://{folder}/"


@each
def test_pictures_go_to_a_folder_and_are_paid_once(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    def once(run_id: str) -> tuple[list[str], float]:
        run = new_try(run_id=run_id)
        output = f"file://{tmp_path}/made/"
        return run(make("storage://shop/photo.png", number_of_images=2, name="SNOW", output=output)), run.credits

    paths, spent = once("monday")
    assert paths == [f"file://{tmp_path}/made/SNOW_{n}.png" for n in (1, 2)]
    assert spent == sandbox.charged() == 2 * PRICES[make]
    assert {opened(path).format for path in paths} == {"PNG"}
    assert once("tuesday") == (paths, 0)
    assert len(sandbox.ledger(OPERATIONS[make])) == 1
    assert len(list((tmp_path / "made" / "_claid").iterdir())) == 1


@each
def test_xcom_tells_of_each_picture(make: Make, new_try: NewTry, shop: str, tmp_path: Path) -> None:
    run = new_try()
    (path,) = run(make("storage://shop/photo.png", output=f"file://{tmp_path}/made/"))
    (image,) = run.images
    assert image["path"] == path
    assert image["input"] == "storage://shop/photo.png"
    assert image["prompt"] == (PROMPT if make is not fashion else "walking, a bright studio")
    assert image["credits"] == PRICES[make]
    assert image["sha256"]
    assert image["request_id"]
    assert path.startswith(f"file://{tmp_path}/made/photo-{image['fingerprint'][:16]}_1")


@each
def test_two_requests_for_one_picture_share_no_file(make: Make, new_try: NewTry, shop: str, tmp_path: Path) -> None:
    output = f"file://{tmp_path}/made/"
    (first,) = new_try()(make("storage://shop/photo.png", output=output))
    (second,) = new_try()(make("storage://shop/photo.png", output=output, prompt="make it summer"))
    assert first != second
    run = new_try(run_id="tuesday")
    assert run(make("storage://shop/photo.png", output=output)) == [first]
    assert run.credits == 0


@each
def test_in_connected_storage_claid_writes_into_a_folder_of_the_request(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str
) -> None:
    run = new_try()
    (path,) = run(make("storage://shop/photo.png", name="SNOW", output="storage://shop/made/"))
    fingerprint = run.images[0]["fingerprint"]
    assert path.startswith(f"storage://shop/made/SNOW-{fingerprint[:16]}/Claid_")
    assert opened(path.replace("storage://shop/", shop)).format == "PNG"
    assert ObjectStoragePath(f"{shop}made/_claid/{fingerprint}.json").exists()


@each
def test_a_lost_answer_is_found_in_connected_storage(make: Make, sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    sandbox.fault("cut", operation=OPERATIONS[make], charged=True)
    operator = make("storage://shop/photo.png", output="storage://shop/made/")
    with pytest.raises(Exception, match="may have been charged"):
        new_try()(operator)
    run = new_try(try_number=2)
    assert len(run(operator)) == 1
    assert run.credits == 0
    assert sandbox.charged() == PRICES[make]


@each
def test_a_picture_in_a_bucket_goes_by_the_storage_that_covers_it_and_comes_to_a_bucket(
    make: Make, sandbox: Sandbox, new_try: NewTry, s3: str, s3_endpoint: str, connect: Connect
) -> None:
    bucket = s3.rpartition("@")[2]
    keys = {"access_key": "test-key", "secret_access_key": "test-secret"}
    sandbox.connect_storage("shop", bucket=bucket, where=s3_endpoint, **keys)
    extra = {"storages": {"shop": "moto"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    buffer = BytesIO()
    Image.new("RGB", (400, 300), "teal").save(buffer, "PNG")
    ObjectStoragePath(f"{s3}/in/photo.png").write_bytes(buffer.getvalue())

    operator = make(f"{s3}/in/photo.png", name="SNOW", output=f"{s3}/made/")
    assert new_try()(operator) == [f"{s3}/made/SNOW_1.png"]
    assert opened(f"{s3}/made/SNOW_1.png").format == "PNG"
    sent = str(sandbox.ledger(OPERATIONS[make])[0].request)
    assert "storage://shop/in/photo.png" in sent
    assert "storage://shop/made/_claid/landing/SNOW-" in sent
    again = new_try(run_id="tuesday")
    assert again(operator) == [f"{s3}/made/SNOW_1.png"]
    assert again.credits == 0


@each
def test_a_picture_that_claid_cannot_reach_is_refused_with_the_remedy(
    make: Make, sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    Image.new("RGB", (400, 300)).save(tmp_path / "photo.png")
    operator = make(f"file://{tmp_path}/photo.png", output=f"file://{tmp_path}/made/")
    with pytest.raises(AirflowFailException, match=r"photo\.png' is out of Claid's reach.*ConnectStorageOperator"):
        new_try()(operator)
    assert sandbox.charged() == 0


@each
def test_a_picture_that_is_not_there_is_refused(make: Make, sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    with pytest.raises(AirflowFailException, match="does not exist"):
        new_try()(make(f"{shop}none.png"))
    assert sandbox.ledger() == []


@each
@pytest.mark.parametrize(
    ("on_blocked", "ending"), [("fail", AirflowFailException), ("skip", AirflowSkipException), ("keep", None)]
)
def test_pictures_that_the_filter_blacked_out_go_nowhere(
    make: Make, on_blocked: str, ending: type[Exception] | None, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    output = f"file://{tmp_path}/made/"
    operator = make("storage://shop/photo.png", prompt="gore everywhere", output=output, on_blocked=on_blocked)
    run = new_try()
    if ending is None:
        assert run(operator) == []
    else:
        with pytest.raises(ending, match="blocked all 1 images"):
            run(operator)
    assert [image["blocked"] for image in run.images] == [True]
    assert not list((tmp_path / "made").glob("*.png"))


@each_job
def test_a_job_that_claid_ends_in_error_fails_the_task_and_a_new_run_asks_again(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    sandbox.fault("job_error", operation=OPERATIONS[make])
    operator = make("storage://shop/photo.png", output=f"file://{tmp_path}/made/")
    with pytest.raises(AirflowFailException, match="ended as ERROR"):
        new_try()(operator)
    assert len(new_try(run_id="tuesday")(operator)) == 1
    assert len(sandbox.ledger(OPERATIONS[make])) == 2


@each_job
def test_waiting_in_the_triggerer_gives_what_waiting_in_the_worker_gives(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    operator = make("storage://shop/photo.png", output=f"file://{tmp_path}/made/", deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        new_try()(operator)
    assert deferred.value.trigger.kind == operator.job_kind.value
    run = new_try()
    event = {"status": "ended", "message": "", "jobs": []}
    paths = operator.execute_complete({"ti": run.ti}, **deferred.value.kwargs, event=event)
    assert run.credits == PRICES[make]
    plain = new_try(run_id="tuesday")
    assert plain(make("storage://shop/photo.png", output=f"file://{tmp_path}/made/")) == paths
    assert plain.credits == 0


@each_job
def test_where_airflow_loses_what_was_carried_the_receipts_tell_and_nothing_is_paid_again(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    event = {"status": "ended", "message": "", "jobs": []}
    for output in (f"file://{tmp_path}/made/", None):
        operator = make("storage://shop/photo.png", output=output, deferrable=True)
        with pytest.raises(TaskDeferred):
            new_try(remembers=False)(operator)
        ti = new_try().ti
        if output:
            assert len(operator.execute_complete({"ti": ti}, event=event)) == 1
        else:
            with pytest.raises(AirflowFailException, match="nothing is submitted, or paid for, again"):
                operator.execute_complete({"ti": ti}, event=event)
        assert ti.pushed["credits"] == 0
    assert len(sandbox.ledger(OPERATIONS[make])) == 2


@each_job
def test_without_waiting_the_jobs_are_given_and_paid_once(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    output = f"file://{tmp_path}/made/"
    (job,) = new_try()(make("storage://shop/photo.png", output=output, wait_for_completion=False))
    assert isinstance(job, int)
    run = new_try(run_id="tuesday")
    assert len(run(make("storage://shop/photo.png", output=output))) == 1
    assert sandbox.charged() == PRICES[make]


@pytest.mark.parametrize("make", [edit, scene])
def test_a_list_is_a_request_for_each_and_one_that_fails_stops_no_other(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    given = [["storage://shop/photo.png"], ["storage://shop/none.png"]]
    run = new_try()
    with pytest.raises(AirflowException, match="1 of 2 pictures failed; the others are kept") as failure:
        run(make(given, output=f"file://{tmp_path}/made/"))
    assert "none.png" in str(failure.value)
    assert len(run.images) == 1
    with pytest.raises(AirflowFailException, match=r"name='SNOW' names one file for 2 inputs"):
        new_try()(make(given, name="SNOW"))


@each
def test_a_picture_is_not_written_over_its_input(make: Make, sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    first = ObjectStoragePath(f"{shop}photo.png")
    ObjectStoragePath(f"{shop}SNOW_1.png").write_bytes(first.read_bytes())
    with pytest.raises(AirflowFailException, match=r"would overwrite the input 'storage://shop/SNOW_1.png'"):
        new_try()(make("storage://shop/SNOW_1.png", name="SNOW", output=shop))
    assert sandbox.charged() == 0


@each
@pytest.mark.parametrize(
    ("parameters", "named", "remedy"),
    [
        ({"number_of_images": 5}, "number_of_images=5", "4"),
        ({"output": "storage://shop/made"}, "'storage://shop/made'", "use 'storage://shop/made/'"),
        ({"output": "s3://shop/a.png"}, "'s3://shop/a.png'", "use 's3://shop/'"),
        ({"output_format": "gif"}, "output_format='gif'", "'jpeg'"),
        ({"name": "a/b"}, "name='a/b'", "'a_b'"),
        ({"on_blocked": "ignore"}, "on_blocked='ignore'", "fail, skip, keep"),
        ({"prompt": "ab"}, "='ab'", "3 to"),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed(
    make: Make, parameters: dict[str, Any], named: str, remedy: str
) -> None:
    with pytest.raises(AirflowFailException) as refused:
        make("https://x.test/a.png", **parameters)
    assert named in str(refused.value)
    assert remedy in str(refused.value)


@each
def test_numbers_that_templates_made_text_are_numbers_again(
    make: Make, sandbox: Sandbox, new_try: NewTry, shop: str
) -> None:
    operator = make("{{ x }}", number_of_images="{{ n }}", output_format="{{ f }}", name="{{ y }}")
    for field, value in {"number_of_images": "2", "output_format": "", "name": ""}.items():
        setattr(operator, field, value)
    setattr(operator, "clothing" if make is fashion else "input", "['storage://shop/photo.png']")
    assert len(new_try()(operator)) == 2


def test_an_ai_edit_asks_for_what_it_is_told(sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    operator = edit("storage://shop/photo.png", model="v1", aspect_ratio="16:9", inference_steps=20, guidance_scale=3.5)
    operator.inference_steps, operator.guidance_scale = "20", "3.5"
    (path,) = new_try()(operator)
    assert sandbox.ledger("submit_ai_edit")[0].request["options"] == {
        "prompt": PROMPT,
        "model": "v1",
        "aspect_ratio": "16:9",
        "inference_steps": 20,
        "guidance_scale": 3.5,
    }
    assert opened(path).width > opened(path).height


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"aspect_ratio": "16:9"}, ["aspect_ratio", "add model='v1'"]),
        ({"model": "v1", "guidance_scale": 11}, ["guidance_scale=11", "10"]),
        ({"model": "v1", "inference_steps": 0}, ["inference_steps=0", "1"]),
        ({"model": "v3"}, ["model='v3'", "'v2'"]),
        ({"input": []}, ["input=[]", "not empty"]),
    ],
)
def test_a_wrong_ai_edit_is_refused(parameters: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(AirflowFailException) as refused:
        ImageAIEditOperator(**{"task_id": "t", "input": "https://x.test/a.png", "prompt": PROMPT, **parameters})
    for part in said:
        assert part in str(refused.value)


def test_what_a_template_tells_later_is_not_checked_at_parsing() -> None:
    ImageAIEditOperator(task_id="t", input="{{ x }}", prompt="{{ p }}", model="{{ m }}", aspect_ratio="16:9")
    BackgroundGenerationOperator(task_id="t", input="{{ x }}", template="{{ t }}", aspect_ratio="1:1")
    BackgroundGenerationOperator(task_id="t", input="{{ x }}", write_prompt="{{ w }}", guidelines="warm light")
    BackgroundGenerationOperator(task_id="t", input="{{ x }}", prompt="snow", placement="{{ p }}", scale=0.5)


def test_garments_go_together_and_the_person_by_a_path_of_its_own(sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    garments = ["storage://shop/photo.png"] * 2
    operator = fashion(garments, model=["storage://shop/photo.png"], aspect_ratio="3:4", output_format="jpeg")
    (path,) = new_try()(operator)
    assert opened(path).format == "JPEG"
    request = sandbox.ledger("submit_fashion_model")[0].request
    assert request["input"] == {"clothing": garments, "model": "storage://shop/photo.png"}
    assert request["options"] == {**MODEL_STUDIO, "aspect_ratio": "3:4"}


def test_a_refusal_shows_what_is_given_and_makes_nothing_up() -> None:
    with pytest.raises(AirflowFailException, match="works with model v1 only") as refused:
        edit("{{ x }}", prompt="{{ p }}", aspect_ratio="1:1")
    assert "{'prompt': (known when the task runs), 'aspect_ratio': '1:1'" in str(refused.value)
    with pytest.raises(AirflowFailException, match="has 6 garments") as refused:
        fashion(["s3://shop/a.png"] * 6)
    assert "clothing=['s3://shop/a.png', 's3://shop/a.png', " in str(refused.value)


@pytest.mark.parametrize("number", [0, 6])
def test_too_few_or_too_many_garments_are_refused(number: int) -> None:
    with pytest.raises(AirflowFailException, match=rf"clothing=.*has {number} garments; Claid takes 1 to 5"):
        FashionModelOperator(task_id="t", clothing=["https://x.test/a.png"] * number)


@pytest.mark.parametrize("name", ["clothing", "model"])
def test_garments_out_of_reach_are_named_by_their_parameter(name: str, new_try: NewTry, shop: str) -> None:
    given = {"clothing": "storage://shop/photo.png", name: "file:///nowhere/a.png"}
    with pytest.raises(AirflowFailException, match=f"{name}='file:///nowhere/a.png' does not exist"):
        new_try()(FashionModelOperator(task_id="t", **given))


ADDRESS = "storage://shop/photo.png"


@pytest.mark.parametrize(
    ("parameters", "product", "around"),
    [
        (
            {"position": (0.4, "0.6"), "scale": "0.5", "rotation": 30},
            {"placement_type": "absolute", "position": {"x": 0.4, "y": 0.6}, "scale": 0.5, "rotation_degree": 30.0},
            {"prompt": PROMPT},
        ),
        ({"placement": "original"}, {"placement_type": "original"}, {"prompt": PROMPT}),
        (
            {"padding": "10%", "aspect_ratio": "4:3", "negative_prompt": "people", "options": {"steps": "12"}},
            {"placement_type": "padding", "padding": "10%"},
            {"prompt": PROMPT, "aspect_ratio": "4:3", "negative_prompt": "people", "steps": 12},
        ),
        (
            {"template": [ADDRESS], "view": "top", "template_mode": "lock"},
            {"placement_type": "absolute"},
            {"template_url": ADDRESS, "view": "top", "template_mode": "lock", "prompt": PROMPT},
        ),
        (
            {"prompt": None, "effect": "shadows", "color": "#ffeedd", "view": "auto"},
            {"placement_type": "absolute"},
            {"effect": "shadows", "color": "#ffeedd", "view": "auto"},
        ),
    ],
)
def test_a_scene_asks_for_what_it_is_told(
    parameters: dict[str, Any],
    product: dict[str, Any],
    around: dict[str, Any],
    sandbox: Sandbox,
    new_try: NewTry,
    shop: str,
) -> None:
    assert len(new_try()(scene(ADDRESS, **parameters))) == 1
    request = sandbox.ledger("create_scene")[0].request
    assert request["object"] == {"image_url": ADDRESS, **product}
    assert request["scene"] == around
    assert request["output"]["number_of_images"] == 1


def test_a_prompt_that_claid_writes_costs_half_a_credit_more(sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    run = new_try()
    run(scene(ADDRESS, prompt=None, write_prompt=True, guidelines="warm light", number_of_images=2))
    assert run.credits == sandbox.charged() == 2.5
    assert sandbox.ledger("create_scene")[0].request["scene"] == {
        "prompt": {"generate": True, "guidelines": "warm light"}
    }


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"prompt": None}, ["prompt=None", "template, or effect='shadows'"]),
        ({"effect": "shadows"}, ["prompt='make it snow'", "does not go with an effect", "leave it out"]),
        ({"prompt": None, "effect": "glow"}, ["effect='glow'", "'shadows'"]),
        ({"effect": "shadows", "template": "https://x.test/t.png"}, ["effect='shadows'", "leave one of them out"]),
        ({"template": "https://x.test/t.png"}, ["view=None", "view='front'"]),
        ({"template": "https://x.test/t.png", "view": "top", "aspect_ratio": "1:1"}, ["aspect_ratio='1:1'", "leave"]),
        ({"template_mode": "lock"}, ["template_mode='lock'", "a scene from a prompt"]),
        ({"placement": "centre"}, ["placement='centre'", "absolute, original, padding"]),
        ({"placement": "original", "scale": 0.5}, ["scale=0.5", "placement='original'"]),
        ({"placement": "absolute", "padding": "10%"}, ["padding='10%'", "placement='absolute'"]),
        ({"placement": "padding"}, ["placement='padding'", "'10%'"]),
        ({"position": (0.5, 1.5)}, ["position", "1"]),
        ({"position": 0.5}, ["position=0.5", "(0.5, 0.6)"]),
        ({"rotation": 361}, ["rotation=361", "360"]),
        ({"guidelines": "warm light"}, ["guidelines='warm light'", "write_prompt=True"]),
        ({"options": {"steps": 50}}, ["options.steps=50", "50"]),
        ({"options": {"colour": "red"}}, ["colour", "not a parameter of Claid"]),
        ({"options": "fast"}, ["options='fast'", "must be a dict"]),
        ({"write_prompt": "maybe"}, ["write_prompt='maybe'", "true or false"]),
        ({"write_prompt": True}, ["prompt=", "write_prompt=True do not go together", "guidelines"]),
    ],
)
def test_a_wrong_scene_is_refused(parameters: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(AirflowFailException) as refused:
        scene("https://x.test/a.png", **parameters)
    for part in said:
        assert part in str(refused.value)


@each
def test_a_lost_answer_asks_again_unless_told(make: Make) -> None:
    assert make("https://x.test/a.png").on_lost_response == "resubmit"


@pytest.mark.parametrize("templated", ["guidance_scale", "inference_steps", "prompt", "number_of_images"])
def test_options_that_do_not_go_with_the_model_are_refused_at_once_whatever_else_is_templated(templated: str) -> None:
    parameters: dict[str, Any] = {"prompt": "Make it snow", "aspect_ratio": "1:1", templated: "{{ x }}"}
    with pytest.raises(AirflowFailException, match="aspect_ratio works with model v1 only"):
        ImageAIEditOperator(task_id="t", input="https://shop.test/a.png", **parameters)
    ImageAIEditOperator(task_id="t", input="https://shop.test/a.png", model="{{ m }}", **parameters)
