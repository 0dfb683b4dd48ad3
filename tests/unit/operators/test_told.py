"""What the log of a task says: what was asked, where it is, what it cost, the request, and what was reused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_claid.operators import ImageGenerationBatchOperator, ImageGenerationOperator, ImageResizeOperator
from airflow_claid.sandbox import Sandbox
from tests.support.pictures import noise
from tests.unit.operators.conftest import NewTry

Log = pytest.CaptureFixture[str]


def test_one_picture_is_told_with_its_place_price_and_request(
    new_try: NewTry, sandbox: Sandbox, tmp_path: Path, capsys: Log
) -> None:
    def operator() -> ImageGenerationOperator:
        return ImageGenerationOperator(task_id="l", prompt="A lamp", name="LAMP", output=f"file://{tmp_path}/")

    run = new_try()
    (path,) = run(operator())
    request = run.images[0]["request_id"]
    told = capsys.readouterr().out
    assert f"'A lamp' (1 picture, 1 credit, request {request}): {path}" in told
    assert "1 picture; 1 credit spent" in told
    new_try(run_id="tuesday")(operator())
    told = capsys.readouterr().out
    assert f"'A lamp' (1 picture, reused, nothing was paid, request {request}): {path}" in told
    assert "1 picture, reused; 0 credits spent" in told


def test_several_pictures_and_blocked_ones_are_told(
    new_try: NewTry, sandbox: Sandbox, tmp_path: Path, capsys: Log
) -> None:
    sandbox.change(blocked_words=("nude",))
    for prompt in ("A nude", "A lamp"):
        operator = ImageGenerationOperator(
            task_id="l", prompt=prompt, number_of_images=3, output=f"file://{tmp_path}/", on_blocked="keep"
        )
        new_try()(operator)
    told = capsys.readouterr().out
    assert "'A nude' (3 pictures, 3 blocked, 3 credits, request " in told
    assert "3 pictures, 0 of them usable; 3 credits spent" in told
    assert "_1.png and 2 more" in told


def test_of_a_long_list_no_path_is_told(new_try: NewTry, tmp_path: Path, capsys: Log) -> None:
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(noise(60 + number))
    paths = [f"file://{tmp_path}/{number}.png" for number in range(6)]
    for day in ("monday", "tuesday"):
        new_try(run_id=day)(ImageResizeOperator(task_id="l", input=paths, width=20, output=f"file://{tmp_path}/out/"))
    told = capsys.readouterr().out
    assert "/out/" not in told
    assert "6 pictures; 6 credits spent" in told
    assert "6 pictures, reused; 0 credits spent" in told


def test_the_end_of_a_batch_is_told_in_words(new_try: NewTry, tmp_path: Path, capsys: Log) -> None:
    def batch(prompts: list[str]) -> dict[str, Any]:
        summary: dict[str, Any] = new_try()(
            ImageGenerationBatchOperator(task_id="l", prompts=prompts, output=f"file://{tmp_path}/")
        )
        return summary

    manifest = batch(["A lamp"])["manifest"]
    told = capsys.readouterr().out
    assert "1 item: 1 done; 0 reused; 1 picture, 1 credit spent, in " in told
    assert f"The manifest is {manifest}" in told


def test_what_is_not_known_is_not_in_the_images(new_try: NewTry, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.change(blocked_words=("nude",))
    images = []
    for prompt in ("A lamp", "A nude"):
        run = new_try()
        run(ImageGenerationOperator(task_id="l", prompt=prompt, output=f"file://{tmp_path}/", on_blocked="keep"))
        images += run.images
    lamp, nude = images
    assert None not in (*lamp.values(), *nude.values())
    assert {"path", "credits", "prompt", "blocked", "fingerprint"} <= lamp.keys()
    assert lamp.keys().isdisjoint({"input", "name", "expires_at", "tmp_url", "object_key"})
    assert (nude["blocked"], nude["credits"], nude.get("path")) == (True, 1.0, None)
