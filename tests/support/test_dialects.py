"""The named dialects are what they say, in the answers of every operation that makes pictures or jobs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from airflow_claid.sandbox import Sandbox
from tests.support.dialects import LOST_SUBMISSIONS, PLACES, SUBMISSIONS, UNREADABLE, readable, redirect, said
from tests.support.sandbox_client import Client, png, wait_until
from tests.support.submissions import SUBMISSIONS as JOBS

WITH_PICTURES = sorted(operation for operation in PLACES if not operation.startswith("submit_"))
SUBMITTED = {job.operation: job for job in JOBS}


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    sandbox.change(image_size=320)  # a video is made of no smaller picture
    return Client(sandbox)


def ask(client: Client, operation: str) -> requests.Response:
    """Send a request of an operation that answers with pictures."""
    if operation == "generate_image":
        return client.generate()
    if operation == "upload_and_edit":
        files = {"file": ("photo.png", png()), "data": (None, '{"operations": {}}')}
        return client.call("POST", "/image/edit/upload", files=files)
    photo = client.picture_address()
    if operation == "edit_image":
        return client.edit(photo)
    if operation == "create_scene":
        body = {"object": {"image_url": photo}, "scene": {"prompt": "a beach"}, "output": {"number_of_images": 1}}
        return client.call("POST", "/scene/create", json=body)
    job = SUBMITTED[operation.replace("get_", "submit_")]
    body = json.loads(json.dumps(job.body).replace("storage://shop/photo.png", photo))
    number = client.call("POST", job.path, json=body).json()["data"]["id"]
    jobs = client.sandbox.service.jobs
    wait_until(lambda: jobs.get(job.operation, number).ended)
    return client.call("GET", f"{job.path}/{number}")


def pictures(sandbox: Sandbox, operation: str) -> list[str]:
    """The links that the last answer of an operation would have."""
    name = operation.replace("get_", "submit_")
    return sandbox.ledger(name)[-1].pictures


@pytest.mark.parametrize("operation", WITH_PICTURES)
def test_readable_answers_differ_from_the_contract_and_hold_every_link(
    client: Client, sandbox: Sandbox, operation: str
) -> None:
    usual = shape(ask(client, operation))
    for name in readable(operation):
        sandbox.clear_dialects()
        sandbox.dialect(**said(name, operation))
        answer = ask(client, operation)
        text = answer.content.decode(said(name).get("charset", "utf-8"))
        assert all(link in text for link in pictures(sandbox, operation)), name
        assert pictures(sandbox, operation), name
        assert shape(answer) != usual, name


@pytest.mark.parametrize("operation", WITH_PICTURES)
def test_unreadable_answers_hold_no_link_or_are_no_json(client: Client, sandbox: Sandbox, operation: str) -> None:
    for name in UNREADABLE:
        sandbox.clear_dialects()
        sandbox.dialect(**said(name, operation))
        answer = ask(client, operation)
        try:
            text = json.dumps(answer.json())
        except (ValueError, RecursionError):
            text = ""
        assert not any(link in text for link in pictures(sandbox, operation)), name


@pytest.mark.parametrize("operation", SUBMITTED)
def test_answers_to_submissions_hold_the_id_or_not(client: Client, sandbox: Sandbox, operation: str) -> None:
    job = SUBMITTED[operation]
    body = json.loads(json.dumps(job.body).replace("storage://shop/photo.png", client.picture_address()))
    usual = shape(client.call("POST", job.path, json=body))
    for name in SUBMISSIONS | LOST_SUBMISSIONS:
        sandbox.clear_dialects()
        sandbox.dialect(**said(name, operation))
        answer = client.call("POST", job.path, json=body)
        number = str(sandbox.service.jobs._last_id)
        assert (number in answer.text) == (name in SUBMISSIONS), name
        assert shape(answer) != usual, name


def test_a_download_is_redirected_once(client: Client, sandbox: Sandbox) -> None:
    address = client.picture_address()
    sandbox.dialect(**redirect("http://127.0.0.1:9/"))
    answers = [requests.get(address, timeout=10, allow_redirects=False) for _ in range(2)]
    assert [(answer.status_code, answer.headers.get("location")) for answer in answers] == [
        (302, "http://127.0.0.1:9/"),
        (200, None),
    ]


def shape(answer: requests.Response) -> object:
    """What two answers to the same request have in common: status, headers, and the fields with their types."""
    changing = {"x-request-id", "date", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in changing}
    told = [headers.get("content-type"), headers.get("ratelimit-limit")]
    return answer.status_code, headers.keys(), told, _types(answer.content)


def _types(content: bytes) -> object:
    try:
        value = json.loads(content.decode())
    except ValueError:
        return content[:10]

    def typed(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: typed(inner) for name, inner in item.items()}
        if isinstance(item, list):
            return [typed(inner) for inner in item]
        return type(item).__name__ if not isinstance(item, str) or item.isascii() else ascii(item)

    return typed(value)
