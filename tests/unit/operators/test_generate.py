from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, ObjectStoragePath
from PIL import Image

from airflow_claid.client import ClaidServerError
from airflow_claid.operators import ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect, s3_connection
from tests.support.receipt_files import last_state
from tests.unit.operators.conftest import NewTry

PROMPT = "A linen sofa, “Élan”, in morning light"


def generation(**parameters: object) -> ImageGenerationOperator:
    return ImageGenerationOperator(**{"task_id": "pictures", "prompt": PROMPT, **parameters})


def size_of(content: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(BytesIO(content)) as image:
        image.load()
        return image.format, image.size


@pytest.mark.usefixtures("full_size")
def test_without_output_the_result_is_a_link_that_lives_a_day(sandbox: Sandbox, new_try: NewTry) -> None:
    run = new_try()
    (link,) = run(generation())
    assert size_of(requests.get(link, timeout=10).content) == ("PNG", (1024, 1024))
    (image,) = run.images
    assert image["path"] == link
    assert image["prompt"] == PROMPT
    expires = datetime.fromisoformat(image["expires_at"]) - datetime.now(timezone.utc)
    assert timedelta(hours=23) < expires <= timedelta(hours=24)
    assert run.credits == sandbox.charged() == 1


def test_by_default_one_image_is_asked_for_not_claids_four(sandbox: Sandbox, new_try: NewTry) -> None:
    assert len(new_try()(generation())) == 1
    assert sandbox.charged() == 1


@pytest.mark.parametrize("place", ["local", "s3", "gcs"])
@pytest.mark.usefixtures("full_size")
def test_in_object_storage_the_files_are_named_and_numbered(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, new_try: NewTry
) -> None:
    root = f"file://{tmp_path}" if place == "local" else request.getfixturevalue(place)
    run = new_try()
    paths = run(generation(output=f"{root}/spring/", name="SOFA", number_of_images=2))
    assert paths == [f"{root}/spring/SOFA_1.png", f"{root}/spring/SOFA_2.png"]
    for path, image in zip(paths, run.images, strict=True):
        content = ObjectStoragePath(path).read_bytes()
        assert size_of(content) == ("PNG", (1024, 1024))
        assert image["bytes"] == len(content)
        assert "tmp_url" not in image
        assert "expires_at" not in image
        assert image["blocked"] is False


def test_without_a_name_the_fingerprint_names_the_files(tmp_path: Path, new_try: NewTry) -> None:
    run = new_try()
    (path,) = run(generation(output=f"file://{tmp_path}"))
    assert path == f"file://{tmp_path}/{run.images[0]['fingerprint'][:16]}_1.png"


@pytest.mark.usefixtures("full_size")
def test_claid_writes_to_a_connected_storage_in_a_folder_of_the_requests_own(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", path="prefix", where=tmp_path)
    run = new_try()
    (path,) = run(generation(output="storage://shop/spring/", name="SOFA"))
    own = f"SOFA-{run.images[0]['fingerprint'][:16]}"
    assert path.startswith(f"storage://shop/spring/{own}/")
    written = tmp_path / "prefix" / path.removeprefix("storage://shop/")
    assert size_of(written.read_bytes()) == ("PNG", (1024, 1024))


@pytest.mark.parametrize("place", ["temporary", "local", "connected and mapped"])
@pytest.mark.parametrize("on_blocked", ["fail", "skip", "keep"])
def test_a_blocked_prompt_ends_as_asked_and_hands_nothing_on(
    place: str, on_blocked: str, sandbox: Sandbox, new_try: NewTry, connect: Connect, tmp_path: Path
) -> None:
    if place == "connected and mapped":
        sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
        extra = {"storages": {"shop": f"file://{tmp_path}"}}
        connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    output = {"temporary": None, "local": f"file://{tmp_path}/", "connected and mapped": "storage://shop/a/"}[place]
    operator = generation(prompt="nude portrait", output=output, on_blocked=on_blocked)
    run = new_try()
    if on_blocked == "keep":
        assert run(operator) == []
    else:
        expected = AirflowFailException if on_blocked == "fail" else AirflowSkipException
        with pytest.raises(expected, match="content filter blocked all 1 images"):
            run(operator)
    assert [image["blocked"] for image in run.images] == [True]
    assert run.credits == 1
    if place == "local":
        assert not list(tmp_path.glob("*.png"))
    again = new_try(run_id="tuesday")
    with pytest.raises(AirflowFailException):
        again(generation(prompt="nude portrait", output=output))
    assert sandbox.charged() == 1


@pytest.mark.parametrize(
    ("parameters", "named", "remedy"),
    [
        ({"prompt": "ab"}, "prompt='ab'", "3 to 1024"),
        ({"prompt": "x" * 1025}, "(1025 characters)", "shorten it by 1"),
        ({"number_of_images": 0}, "number_of_images=0", "1 to 4"),
        ({"number_of_images": 5}, "number_of_images=5", "1 to 4"),
        ({"guidance_scale": 50}, "guidance_scale=50", "below 50"),
        ({"output": "storage://shop/spring"}, "output='storage://shop/spring'", "use 'storage://shop/spring/'"),
        ({"output": "storage://shop/spring/a.png"}, "a.png'", "use 'storage://shop/spring/'"),
        ({"output": "ftp://shop/spring/"}, "output='ftp://shop/spring/'", "use s3://"),
        ({"output": "/srv/pictures"}, "output='/srv/pictures'", "use 'file:///srv/pictures/'"),
        ({"name": "../../x"}, "name='../../x'", "folders belong in output"),
        ({"on_blocked": "ignore"}, "on_blocked='ignore'", "fail, skip, keep"),
        ({"on_lost_response": "pray"}, "on_lost_response='pray'", "resubmit, fail"),
        ({"max_credits": -1}, "max_credits=-1", "0 or more"),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed_or_the_task_starts(
    parameters: dict[str, object], named: str, remedy: str, sandbox: Sandbox, new_try: NewTry
) -> None:
    with pytest.raises(AirflowFailException) as parsed:
        generation(**parameters)
    assert named in str(parsed.value)
    assert remedy in str(parsed.value)
    templated = generation(**dict.fromkeys(parameters, "{{ params.value }}"))
    for name, value in parameters.items():
        setattr(templated, "output_path" if name == "output" else name, str(value))
    with pytest.raises(AirflowFailException) as started:
        new_try()(templated)
    assert remedy in str(started.value)
    assert sandbox.charged() == 0


def test_an_unknown_storage_is_refused_with_the_names_that_there_are(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    with pytest.raises(AirflowFailException, match=r"'shoop', which the account does not have \(it has: shop\)"):
        new_try()(generation(output="storage://shoop/spring/"))
    assert sandbox.charged() == 0


def test_numbers_that_templates_made_text_are_numbers_again(sandbox: Sandbox, new_try: NewTry) -> None:
    operator = generation(number_of_images="{{ params.n }}", guidance_scale="{{ params.g }}")
    operator.number_of_images, operator.guidance_scale = "2", "7.5"
    assert len(new_try()(operator)) == 2
    assert sandbox.ledger()[-1].request["options"] == {"number_of_images": 2, "guidance_scale": 7.5}


def test_the_same_request_is_paid_once_by_retry_clear_new_run_and_other_dag(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    output = f"file://{tmp_path}/"
    first = new_try()(generation(output=output))
    for facts in ({"try_number": 2}, {"max_tries": 5}, {"run_id": "tuesday"}, {"dag_id": "other", "run_id": "x"}):
        run = new_try(**facts)
        assert run(generation(output=output)) == first
        assert run.credits == 0
    assert sandbox.charged() == 1


def test_a_temporary_link_is_used_again_by_a_retry_that_airflow_remembers(sandbox: Sandbox, new_try: NewTry) -> None:
    first = new_try()(generation())
    assert new_try(try_number=2)(generation()) == first
    assert sandbox.charged() == 1


def test_where_no_receipt_can_be_kept_one_warning_says_so(
    sandbox: Sandbox, new_try: NewTry, capsys: pytest.CaptureFixture[str]
) -> None:
    new_try(remembers=False)(generation())
    assert capsys.readouterr().out.count("There is no place for receipts: a retry of this task pays again") == 1


def test_regenerate_pays_again_for_a_new_run_or_a_clear_but_not_for_a_retry(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    operator = {"output": f"file://{tmp_path}/", "regenerate": True}
    new_try()(generation(**operator))
    new_try(try_number=2)(generation(**operator))
    assert sandbox.charged() == 1
    new_try(try_number=3, max_tries=4)(generation(**operator))
    assert sandbox.charged() == 2
    new_try(run_id="tuesday")(generation(**operator))
    assert sandbox.charged() == 3


def test_a_picture_that_somebody_removed_is_made_again_and_the_log_says_what_it_costs(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = new_try()(generation(output=f"file://{tmp_path}/"))
    ObjectStoragePath(path).unlink()
    assert new_try(run_id="tuesday")(generation(output=f"file://{tmp_path}/")) == [path]
    assert ObjectStoragePath(path).exists()
    assert "requesting them again for 1 credits" in caplog.text
    assert sandbox.charged() == 2


def test_max_credits_stops_before_it_is_passed(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    operator = {"output": f"file://{tmp_path}/", "number_of_images": 3}
    with pytest.raises(AirflowFailException, match="max_credits=2"):
        new_try()(generation(**operator, max_credits=2))
    assert sandbox.charged() == 0
    assert len(new_try()(generation(**operator, max_credits=3))) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_does_not_fit_fails_at_once(
    status: int, sandbox: Sandbox, new_try: NewTry, connect: Connect
) -> None:
    run = new_try()
    key = "unknown-key-000000"
    if status == 403:
        key = "key-without-images"
        sandbox.add_key(key, scopes={"storage"})
    connect("claid_default", conn_type="claid", password=key, host=sandbox.url)
    with pytest.raises(AirflowFailException, match=str(status)):
        run(generation())
    assert sandbox.charged() == 0


def test_a_server_error_is_left_to_airflows_retry(sandbox: Sandbox, new_try: NewTry, tmp_path: Path) -> None:
    sandbox.fault("500", operation="generate_image")
    operator = {"output": f"file://{tmp_path}/"}
    with pytest.raises(ClaidServerError):
        new_try()(generation(**operator))
    assert len(new_try(try_number=2)(generation(**operator))) == 1


def test_a_receipt_tells_a_person_what_was_paid_and_holds_no_key_and_no_link(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    new_try()(generation(output=f"file://{tmp_path}/", name="SOFA"))
    (file,) = (tmp_path / "_claid").iterdir()
    text = file.read_text(encoding="utf-8")
    receipt = last_state(file)
    assert receipt["state"] == "delivered"
    assert receipt["subject"] == PROMPT
    assert receipt["body"]["options"] == {"number_of_images": 1, "guidance_scale": 5.0}
    assert receipt["author"]["dag_id"] == "shop"
    assert receipt["author"]["run_id"] == "monday"
    assert receipt["request_id"] == sandbox.ledger()[-1].request_id
    assert receipt["credits"] == 1
    assert receipt["images"][0]["path"].endswith("SOFA_1.png")
    assert sandbox.api_key not in text
    assert "/tmp/" not in json.dumps(receipt["images"][0]["tmp_url"])


def test_it_maps_over_prompts_and_chains_by_its_output() -> None:
    from airflow_claid.operators import ImageUpscaleOperator

    with DAG("mapped") as dag:
        generate = ImageGenerationOperator.partial(task_id="generate", output="file:///srv/{{ ds }}/").expand(
            prompt=["a chair", "a table"]
        )
        ImageUpscaleOperator(task_id="upscale", input=generate.output, output="file:///srv/large/")
    assert dag.get_task("upscale").upstream_task_ids == {"generate"}


def test_a_picture_that_another_prompt_replaced_is_not_taken_for_its_own(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path
) -> None:
    same = {"output": f"file://{tmp_path}/", "name": "SAME"}
    (path,) = new_try()(generation(**same))
    first = ObjectStoragePath(path).read_bytes()
    new_try()(generation(**same, prompt="Something else"))
    run = new_try(run_id="tuesday")
    assert run(generation(**same)) == [path]
    assert ObjectStoragePath(path).read_bytes() == first
    assert run.credits == 1


def test_the_same_bucket_by_another_airflow_connection_is_the_same_place(
    sandbox: Sandbox, new_try: NewTry, s3: str, s3_endpoint: str, connect: Connect
) -> None:
    new_try()(generation(output=f"{s3}/a/", name="X"))
    connect("other", **s3_connection(s3_endpoint))
    other = s3.replace("moto@", "other@")
    run = new_try(run_id="tuesday")
    assert run(generation(output=f"{other}/a/", name="X")) == [f"{other}/a/X_1.png"]
    assert run.credits == 0
