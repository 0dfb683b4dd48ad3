from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.sandbox import Sandbox
from airflow_claid.triggers.image import ClaidImageTrigger
from airflow_claid.waiting.decision import PATIENCE
from tests.conftest import Connect
from tests.support.pictures import noise, picture
from tests.support.scripted_server import Reply, ScriptedServer


def trigger(output: str, *, seconds: float = 20.0, **parameters: Any) -> ClaidImageTrigger:
    return ClaidImageTrigger(output=output, deadline=time.time() + seconds, poke_interval=0.1, **parameters)


async def first_event(waiting: ClaidImageTrigger) -> dict[str, Any]:
    event = await anext(waiting.run())
    payload: dict[str, Any] = event.payload
    assert json.loads(json.dumps(payload)) == payload
    return payload


def test_it_fires_once_enough_good_images_are_there(tmp_path: Path) -> None:
    async def scene() -> dict[str, Any]:
        waiting = asyncio.create_task(first_event(trigger(f"file://{tmp_path}/", number_of_images=2)))
        for name, content in (
            ("a.png", noise()),
            ("black.png", picture(64, 64, "black")),
            ("b.png", noise()[:900]),
            ("b.png", noise()),
        ):
            await asyncio.sleep(0.3)
            assert not waiting.done()
            (tmp_path / name).write_bytes(content)
        return await waiting

    event = asyncio.run(scene())
    assert event["status"] == "ended"
    assert event["paths"] == [f"file://{tmp_path}/a.png", f"file://{tmp_path}/b.png"]
    assert "1 blocked" in event["message"]


@pytest.mark.parametrize("place", ["s3", "gcs"])
def test_it_waits_for_buckets(place: str, request: pytest.FixtureRequest) -> None:
    from airflow.sdk import ObjectStoragePath

    root = request.getfixturevalue(place)

    async def scene() -> dict[str, Any]:
        waiting = asyncio.create_task(first_event(trigger(f"{root}/a/", recursive=True)))
        await asyncio.sleep(0.4)
        await asyncio.to_thread(ObjectStoragePath(f"{root}/a/b/c.png").write_bytes, noise())
        return await waiting

    assert asyncio.run(scene())["paths"] == [f"{root}/a/b/c.png"]


def test_a_restart_makes_it_anew_with_the_same_deadline_and_without_secrets(sandbox: Sandbox, connect: Connect) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    before = trigger("storage://shop/a/", number_of_images=3, recursive=True)
    path, parameters = before.serialize()
    assert path == f"{ClaidImageTrigger.__module__}.{ClaidImageTrigger.__qualname__}"
    assert json.loads(json.dumps(parameters)) == parameters
    assert ClaidImageTrigger(**parameters).serialize() == before.serialize()
    assert sandbox.api_key not in repr(before)


def test_when_the_time_is_over_it_polls_a_last_time_and_says_so(tmp_path: Path) -> None:
    started = time.monotonic()
    event = asyncio.run(first_event(trigger(f"file://{tmp_path}/", seconds=0.5)))
    assert event["status"] == "timed out"
    assert 0.4 < time.monotonic() - started < 3
    (tmp_path / "a.png").write_bytes(noise())
    assert asyncio.run(first_event(trigger(f"file://{tmp_path}/", seconds=-100)))["status"] == "ended"
    assert asyncio.run(first_event(trigger(f"file://{tmp_path}/none/", seconds=-100)))["status"] == "timed out"


def test_a_few_failures_pass_but_not_five_in_a_row(scripted: ScriptedServer, connect: Connect) -> None:
    connect("claid_default", conn_type="claid", password="some-key", host=scripted.url)
    scripted.replies(*[Reply(cut=True)] * 4, Reply(200, noise(), {"Content-Type": "image/png"}))
    link = f"{scripted.url}/a.png"
    event = asyncio.run(first_event(trigger(link)))
    assert (event["status"], event["paths"]) == ("ended", [link])
    nowhere = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    connect("nowhere", conn_type="aws", login="a", password="b", extra=nowhere)
    event = asyncio.run(first_event(trigger("s3://nowhere@shop/a/", seconds=100)))
    assert event["status"] == "unreachable"
    assert "Could not connect" in event["message"]
    assert f"failed polls in a row: {PATIENCE}" in event["message"]


def test_what_no_waiting_cures_ends_it_at_once(sandbox: Sandbox, connect: Connect) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    sandbox.connect_storage("shop", bucket="pictures")
    event = asyncio.run(first_event(trigger("storage://shop/a/")))
    assert event["status"] == "refused"
    assert "is not mapped" in event["message"]
    event = asyncio.run(first_event(trigger("storage://shop/a/", claid_conn_id="unknown")))
    assert event["status"] == "refused"
    assert "unknown" in event["message"]


def test_a_slow_poll_does_not_hold_up_the_event_loop(sandbox: Sandbox, claid: ClaidClient, connect: Connect) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    link = claid.generate_image("A linen sofa").output[0].tmp_url or ""

    async def scene() -> tuple[dict[str, Any], float]:
        """Wait for the event, and measure how late the loop ever is."""
        waiting = asyncio.create_task(first_event(trigger(link)))
        longest = 0.0
        while not waiting.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
        return await waiting, longest

    asyncio.run(scene())
    sandbox.fault("slow", operation="download", seconds=1.0)
    event, longest = asyncio.run(scene())
    assert event["status"] == "ended"
    assert longest < 0.5


def test_many_triggers_share_a_few_threads_of_their_own(tmp_path: Path) -> None:
    async def scene() -> list[dict[str, Any]]:
        waiting = [asyncio.create_task(first_event(trigger(f"file://{tmp_path}/{n}/"))) for n in range(60)]
        await asyncio.sleep(0.5)
        for n in range(60):
            (tmp_path / str(n)).mkdir()
            (tmp_path / str(n) / "a.png").write_bytes(noise())
        return await asyncio.gather(*waiting)

    events = asyncio.run(scene())
    assert {event["status"] for event in events} == {"ended"}
    assert 1 <= sum(thread.name.startswith("claid-images") for thread in threading.enumerate()) <= 8


def test_polls_do_not_come_all_at_once() -> None:
    pauses = {trigger("file:///none/", seconds=1000)._pause() for _ in range(50)}
    assert len(pauses) == 50
    assert all(0.08 <= pause <= 0.12 for pause in pauses)


def test_it_can_be_cancelled_during_a_poll_and_between_two(tmp_path: Path) -> None:
    async def scene() -> None:
        waiting = asyncio.create_task(first_event(trigger(f"file://{tmp_path}/")))
        await asyncio.sleep(0.35)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(asyncio.wait_for(scene(), 5))
