from __future__ import annotations

import pytest

from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.unit.cli.conftest import Claid


@pytest.fixture
def shop(connected: Sandbox) -> Sandbox:
    connected.connect_storage("shop", bucket="b", where="/tmp", access_key="AKIA-shop", secret_access_key="open-sesame")
    return connected


def test_storages_are_listed_with_what_airflow_reads(shop: Sandbox, connect: Connect, command: Claid) -> None:
    connect(
        "claid_default",
        conn_type="claid",
        password=shop.api_key,
        host=shop.url,
        extra={"storages": {"shop": "file:///data/shop"}},
    )
    ended = command("storages", "--json")
    (found,) = ended.lines
    assert (ended.code, found["name"], found["type"], found["bucket"]) == (0, "shop", "s3", "b")
    assert (found["writable"], found["readable_as"]) == (True, "file:///data/shop/")
    assert "open-sesame" not in ended.out
    table = command("storages").out
    assert [line.split()[0] for line in table.splitlines()] == ["NAME", "shop"]


def test_an_account_without_storages_has_an_empty_list(connected: Sandbox, command: Claid) -> None:
    ended = command("storages", "--json")
    assert (ended.code, ended.out) == (0, "")


def test_the_key_comes_from_the_environment(sandbox: Sandbox, command: Claid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAID_API_KEY", sandbox.api_key)
    monkeypatch.setenv("CLAID_BASE_URL", sandbox.url)
    assert command("storages").code == 0
