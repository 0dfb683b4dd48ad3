from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.sandbox_client import Client

KEYS = {"access_key": "AKIA", "secret_access_key": "secret"}


def connect(client: Client, **body: Any) -> requests.Response:
    usual = {"name": "shop", "type": "s3", "parameters": {"bucket": "b", "path": "p", "credentials": KEYS}}
    return client.call("POST", "/storage/storages", json={**usual, **body})


def test_a_storage_is_connected_listed_changed_and_removed_and_never_shows_its_secret(client: Client) -> None:
    made = connect(client)
    data = made.json()["data"]
    assert data["parameters"] == {"path": "p", "bucket": "b", "credentials": {"access_key": "AKIA"}}
    listed = client.call("GET", "/storage/storages")
    assert listed.json()["data"][0]["parameters"] == {"path": "p", "bucket": "b"}
    one = f"/storage/storages/{data['id']}"
    changed = client.call("PATCH", one, json={"name": "store", "parameters": {"path": "q"}})
    assert changed.json()["data"]["name"] == "store"
    assert changed.json()["data"]["parameters"]["path"] == "q"
    assert changed.json()["data"]["created_at"] == data["created_at"]
    assert client.call("GET", one).json() == changed.json()
    assert client.call("DELETE", one).json() == {"data": None}
    assert client.call("GET", one).status_code == 404
    assert "secret" not in made.text.replace("secret_access_key", "") + listed.text + changed.text


def test_the_types_are_those_of_the_contract(client: Client) -> None:
    assert client.call("GET", "/storage/storage-types").json() == {"data": ["web_folder", "s3", "gcs"]}


def test_a_name_is_taken_only_once(client: Client) -> None:
    assert connect(client).status_code == 200
    again = connect(client)
    assert again.status_code == 400
    assert again.json()["error_type"] == "storage"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 51},
        {"type": "ftp"},
        {"parameters": {}},
        {"parameters": {"bucket": "", "credentials": KEYS}},
        {"parameters": {"bucket": "b"}},
        {"type": "web_folder"},
        {"parameters": {"base_url": "http://example.com"}},
        {"extra": 1},
    ],
)
def test_a_storage_that_makes_no_sense_is_422(client: Client, body: dict[str, Any]) -> None:
    assert connect(client, **body).status_code == 422
