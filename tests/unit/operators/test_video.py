from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import ObjectStoragePath
from PIL import Image

from airflow_claid.operators import ImageToVideoOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.dialects import SIGN_IN
from tests.unit.operators.conftest import NewTry

PHOTO = "storage://shop/photo.png"
PROMPT = "the camera turns"


def video(given: Any = PHOTO, **parameters: Any) -> ImageToVideoOperator:
    return ImageToVideoOperator(task_id="t", input=given, **{"prompt": PROMPT, "poll_interval": 0.2, **parameters})


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


@pytest.mark.parametrize(("duration", "price"), [(5, 35), ("10", 70)])
def test_a_video_comes_to_a_folder_and_is_paid_once(
    duration: int | str, price: int, sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    operator = video(duration=duration, name="TURN", output=f"file://{tmp_path}/made/")
    run = new_try()
    assert run(operator) == [f"file://{tmp_path}/made/TURN.mp4"]
    assert run.credits == sandbox.charged() == price
    (told,) = run.images
    content = (tmp_path / "made" / "TURN.mp4").read_bytes()
    assert content[4:8] == b"ftyp"
    assert (told["mime"], told["bytes"], told["blocked"]) == ("video/mp4", len(content), False)
    assert (told["input"], told["prompt"], told["credits"]) == (PHOTO, PROMPT, price)
    again = new_try(run_id="tuesday")
    assert again(operator) == [f"file://{tmp_path}/made/TURN.mp4"]
    assert again.credits == 0
    assert sandbox.ledger("submit_video")[0].request["options"]["duration"] == str(duration)


def test_in_connected_storage_claid_writes_the_exact_file(new_try: NewTry, shop: str) -> None:
    assert new_try()(video(output="storage://shop/clips/turn.mp4")) == ["storage://shop/clips/turn.mp4"]
    assert ObjectStoragePath(f"{shop}clips/turn.mp4").exists()
    run = new_try()
    (path,) = run(video(output="storage://shop/clips/"))
    assert path == f"storage://shop/clips/photo-{run.images[0]['fingerprint'][:16]}.mp4"


def test_a_video_comes_to_a_bucket_by_the_storage_that_covers_it(
    sandbox: Sandbox, new_try: NewTry, s3: str, s3_endpoint: str, connect: Connect, shop: str
) -> None:
    bucket = s3.rpartition("@")[2]
    keys = {"access_key": "test-key", "secret_access_key": "test-secret"}
    sandbox.connect_storage("clips", bucket=bucket, where=s3_endpoint, **keys)
    extra = {"storages": {"clips": "moto"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    assert new_try()(video(output=f"{s3}/made/turn.mp4")) == [f"{s3}/made/turn.mp4"]
    assert ObjectStoragePath(f"{s3}/made/turn.mp4").read_bytes()[4:8] == b"ftyp"
    sent = sandbox.ledger("submit_video")[0].request["output"]
    assert sent.startswith("storage://clips/made/_claid/landing/")
    assert sent.endswith(".mp4")


def test_a_lost_answer_stops_for_a_person_where_nothing_can_be_looked_up(
    sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    operator = video(output=f"file://{tmp_path}/made/", lost_response_grace=0)
    assert operator.on_lost_response == "fail"
    sandbox.fault("cut", operation="submit_video", charged=True)
    with pytest.raises(Exception, match="may have been charged"):
        new_try()(operator)
    with pytest.raises(AirflowFailException, match="it may have cost 35 credits, and on_lost_response='fail'"):
        new_try(try_number=2)(operator)
    assert sandbox.charged() == 35


def test_a_lost_answer_is_found_in_connected_storage(sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    sandbox.fault("cut", operation="submit_video", charged=True)
    operator = video(output="storage://shop/clips/turn.mp4")
    with pytest.raises(Exception, match="may have been charged"):
        new_try()(operator)
    run = new_try(try_number=2)
    assert run(operator) == ["storage://shop/clips/turn.mp4"]
    assert run.credits == 0
    assert sandbox.charged() == 35


def test_a_broken_download_is_fetched_again_without_paying(
    sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    sandbox.dialect(**SIGN_IN)
    operator = video(name="TURN", output=f"file://{tmp_path}/made/")
    with pytest.raises(AirflowException):
        new_try()(operator)
    run = new_try(try_number=2)
    assert len(run(operator)) == 1
    assert run.credits == 0


def test_a_picture_that_is_too_small_ends_the_job_in_error(
    sandbox: Sandbox, new_try: NewTry, shop: str, tmp_path: Path
) -> None:
    Image.new("RGB", (299, 400)).save(tmp_path / "shop" / "small.png")
    given = [PHOTO, "storage://shop/small.png"]
    run = new_try()
    with pytest.raises(AirflowFailException, match=r"1 of 2 pictures failed.*small\.png.*300 pixels"):
        run(video(given, output=f"file://{tmp_path}/made/"))
    assert len(run.images) == 1
    assert run.credits == 70


def test_claid_writes_the_prompt_where_it_is_told_to(sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    operator = video(prompt=None, write_prompt=True, guidelines="slow", negative_prompt="hands", guidance_scale="0.5")
    (link,) = new_try()(operator)
    assert link.startswith("http")
    assert sandbox.ledger("submit_video")[0].request["options"] == {
        "prompt": {"generate": True, "guidelines": "slow"},
        "negative_prompt": "hands",
        "duration": "5",
        "guidance_scale": 0.5,
    }


def test_the_ceiling_stops_before_it_is_passed(sandbox: Sandbox, new_try: NewTry, shop: str) -> None:
    with pytest.raises(AirflowFailException, match=r"would cost 70 credits.*max_credits=69"):
        new_try()(video(duration=10, max_credits=69))
    assert sandbox.charged() == 0


def test_a_picture_that_claid_cannot_reach_is_refused_with_the_remedy(new_try: NewTry, shop: str) -> None:
    ObjectStoragePath(f"{shop}../photo.png").write_bytes(ObjectStoragePath(f"{shop}photo.png").read_bytes())
    with pytest.raises(AirflowFailException, match=r"is out of Claid's reach.*ConnectStorageOperator"):
        new_try()(video(f"{shop.removesuffix('shop/')}photo.png"))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"duration": 7}, ["duration=7", "5 or 10"]),
        ({"duration": True}, ["duration=True", "5 or 10"]),
        ({"prompt": "ab"}, ["prompt='ab'", "3 to 5000"]),
        ({"prompt": None}, ["prompt=None", "write_prompt=True"]),
        ({"guidelines": "slow"}, ["guidelines='slow'", "write_prompt=True"]),
        ({"write_prompt": True}, ["prompt=", "write_prompt=True do not go together", "guidelines"]),
        ({"guidance_scale": 2}, ["guidance_scale=2", "1"]),
        ({"negative_prompt": "x"}, ["negative_prompt='x'", "3 to 5000"]),
        ({"output": "s3://clips/a.mov"}, ["'s3://clips/a.mov'", "'.mp4'"]),
        ({"output": "storage://shop/clips"}, ["use 'storage://shop/clips/'"]),
        ({"given": []}, ["input=[]", "not empty"]),
        ({"name": "a/b"}, ["name='a/b'"]),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed(parameters: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(AirflowFailException) as refused:
        video(**parameters)
    for part in said:
        assert part in str(refused.value)


def test_one_file_is_not_for_several_videos(new_try: NewTry, shop: str) -> None:
    with pytest.raises(AirflowFailException, match=r"turn\.mp4' names one file for 2 inputs"):
        new_try()(video([PHOTO, "storage://shop/other.png"], output=f"{shop}turn.mp4"))


def test_what_a_template_tells_later_is_not_checked_at_parsing() -> None:
    video("{{ x }}", prompt="{{ p }}", duration="{{ d }}", output="{{ o }}", name="{{ n }}")
    video("{{ x }}", prompt=None, write_prompt="{{ w }}")
