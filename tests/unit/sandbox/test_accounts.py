from __future__ import annotations

import time

import pytest
import requests

from airflow_claid.sandbox import KeySettings, Sandbox, SandboxSettings
from tests.support.sandbox_client import Client


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic sandbox-key", "sandbox-key", "Bearer "])
def test_a_missing_or_wrong_key_is_401_and_in_the_ledger_without_a_key(
    client: Client, sandbox: Sandbox, header: str | None
) -> None:
    headers = {"Authorization": header} if header else {}
    answer = client.call("POST", "/image/generate", json={"input": "abc"}, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {
        "error_code": "111",
        "error_type": "auth",
        "error_message": "Authorization is required.",
        "error_details": {},
    }
    (entry,) = sandbox.ledger()
    assert (entry.key, entry.status, entry.credits) == (None, 401, 0)


def test_a_key_without_the_scope_is_403(sandbox: Sandbox) -> None:
    sandbox.add_key("storage-only", scopes={"storage"})
    client = Client(sandbox, "storage-only")
    assert client.call("GET", "/storage/storages").status_code == 200
    answer = client.generate()
    assert answer.status_code == 403
    assert "image_editing" in answer.json()["error_message"]


def test_a_purse_that_cannot_pay_is_402_and_stays_as_it_was(sandbox: Sandbox) -> None:
    sandbox.add_key("poor", credits=5)
    client = Client(sandbox, "poor")
    assert client.generate().status_code == 200
    assert client.generate().status_code == 402
    assert client.generate(options={"number_of_images": 1}).status_code == 200
    assert sandbox.charged() == 5


def test_work_that_fails_gives_its_credits_back(client: Client, sandbox: Sandbox) -> None:
    assert client.edit("storage://nowhere/a.png").status_code == 400
    assert sandbox.charged() == 0
    left = requests.get(f"{sandbox.url}/sandbox/credits", timeout=10).json()["left"]
    assert list(left.values()) == [1_000_000]


def test_every_answer_has_a_request_id_and_the_ledger_knows_it(client: Client, sandbox: Sandbox) -> None:
    answers = [client.generate(), client.generate("x"), client.call("GET", "/image/edit/async/1")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert ids == [entry.request_id for entry in sandbox.ledger()]
    assert client.call("GET", "/nothing/here").headers["x-request-id"]


def test_the_ledger_tells_what_was_asked_by_whom_and_what_it_cost_without_the_key(
    client: Client, sandbox: Sandbox
) -> None:
    client.generate("a green chair", options={"number_of_images": 2})
    deadline = time.monotonic() + 5
    while sandbox.ledger()[0].delivered is None and time.monotonic() < deadline:
        time.sleep(0.01)
    text = requests.get(f"{sandbox.url}/sandbox/ledger", timeout=10)
    assert sandbox.api_key not in text.text
    (entry,) = text.json()
    assert entry["operation"] == "generate_image"
    assert entry["prompt"] == "a green chair"
    assert entry["request"]["options"] == {"number_of_images": 2}
    assert (entry["sequence"], entry["number_of_images"], entry["credits"], entry["status"]) == (1, 2, 2, 200)
    assert entry["delivered"] is True
    assert len(entry["pictures"]) == 2


def test_the_ledger_can_be_read_from_where_one_left_off(client: Client, sandbox: Sandbox) -> None:
    for prompt in ("one", "two", "three"):
        client.generate(prompt)
    found = requests.get(f"{sandbox.url}/sandbox/ledger", params={"since": 1, "last": 1}, timeout=10).json()
    assert [entry["prompt"] for entry in found] == ["three"]


def test_secrets_of_storages_are_not_in_the_ledger(client: Client, sandbox: Sandbox) -> None:
    keys = {"access_key": "AKIA-visible", "secret_access_key": "very-secret"}
    body = {"name": "shop", "type": "s3", "parameters": {"bucket": "b", "credentials": keys}}
    assert client.call("POST", "/storage/storages", json=body).status_code == 200
    assert "very-secret" not in str(sandbox.ledger())


def test_a_reset_begins_anew(client: Client, sandbox: Sandbox) -> None:
    address = client.picture_address()
    assert requests.post(f"{sandbox.url}/sandbox/reset", timeout=10).ok
    assert sandbox.ledger() == []
    assert sandbox.charged() == 0
    assert requests.get(address, timeout=10).status_code == 404


def test_the_page_for_people_shows_the_latest_pictures_and_escapes_prompts(client: Client, sandbox: Sandbox) -> None:
    client.generate("<script>alert(1)</script>")
    page = requests.get(sandbox.url, timeout=10)
    assert page.headers["content-type"].startswith("text/html")
    assert "sandbox" in page.text
    assert page.text.count("<img") == 4
    assert "<script>" not in page.text


def test_keys_are_read_from_the_command_lines_form() -> None:
    assert KeySettings.parse("abc") == KeySettings("abc")
    assert KeySettings.parse("abc:storage,image_editing=7.5") == KeySettings(
        "abc", frozenset({"storage", "image_editing"}), 7.5
    )
    with pytest.raises(ValueError, match="Unknown scopes"):
        KeySettings.parse("abc:everything")


def test_it_starts_within_a_second_and_leaves_no_thread() -> None:
    import threading
    import time

    before = set(threading.enumerate())
    begun = time.monotonic()
    with Sandbox(SandboxSettings()) as sandbox:
        assert time.monotonic() - begun < 1
        Client(sandbox).generate()
    assert set(threading.enumerate()) <= before  # threads of other tests may have ended
