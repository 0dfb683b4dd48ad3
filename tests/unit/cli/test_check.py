"""``claid check``: what it prints, how it ends, and what it never shows."""

from __future__ import annotations

import base64
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.account_check.check import GROUPS
from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.conftest import Connect
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer
from tests.unit.cli.conftest import Claid

KEY = "key-of-the-shop-5e1f0c9b7d3a"


@pytest.fixture
def account(connected: Sandbox, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox with the key, full-size pictures and a storage; the working directory is a test's own."""
    connected.change(image_size=SandboxSettings.image_size)
    connected.add_key(KEY)
    connected.connect_storage("shop", bucket="shop-pictures", where=tmp_path / "bucket")
    extra = {"storages": {"shop": f"file://{tmp_path}/bucket"}, "max_wait": 0}
    connect("claid_default", conn_type="claid", password=KEY, host=connected.url, extra=extra)
    monkeypatch.setattr("airflow_claid.account_check.probes._PAUSES", (0.0,) * 3)  # its quota hides no poll
    monkeypatch.chdir(tmp_path)
    return connected


def connect_to(connect: Connect, host: str, key: str = KEY) -> None:
    connect("claid_default", conn_type="claid", password=key, host=host, extra={"max_wait": 0})


def found(answer: Any) -> dict[str, str]:
    return {row["name"]: row["found"] for row in answer["findings"]}


def test_the_free_part_is_a_table_and_costs_nothing(account: Sandbox, command: Claid) -> None:
    ended = command("check")
    assert ended.code == 0
    assert ended.out.splitlines()[0].split() == ["FOUND", "ASSUMPTION", "SEEN"]
    assert len(re.findall(r"^(agrees|note|not tried) ", ended.out, re.MULTILINE)) == sum(
        len(group.assumptions) for group in GROUPS
    )
    assert ended.out.splitlines()[-1].endswith("0 credits spent")
    assert account.charged() == 0


def test_the_paid_part_is_paid_once_and_its_pictures_are_in_the_working_directory(
    account: Sandbox, command: Claid, tmp_path: Path
) -> None:
    first = command("check", "--spend", "2", "--json")
    second = command("check", "--spend", "2", "--json")
    assert (first.code, second.code) == (0, 0)
    assert (first.json["credits"], second.json["credits"], account.charged()) == (2, 0, 2)
    assert {one.name for one in (tmp_path / "claid-check").glob("*.png")} == {
        "claid-check_1.png",
        "claid-check-edit.png",
    }


def test_what_to_set_is_printed_after_the_table(account: Sandbox, command: Claid) -> None:
    account.dialect(operation="generate_image", links="https://cdn.example.com{path}")
    ended = command("check", "--spend", "2")
    assert ended.code == 1
    lines = ended.out.splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("links-hosts differs."))
    assumed, cure, setting = lines[number : number + 3]
    assert "Assumed: Links are on" in assumed
    assert "Add the host to `download_hosts`" in cure
    assert json.loads(setting)["download_hosts"].endswith("cdn.example.com")


def test_a_key_that_claid_does_not_know(account: Sandbox, connect: Connect, command: Claid) -> None:
    connect_to(connect, account.url, "an-unknown-key-0123456789")
    ended = command("check", "--spend", "2", "--json")
    assert ended.code == 1
    assert [name for name, outcome in found(ended.json).items() if outcome == "differs"] == ["key"]
    assert "Set `password` (API key)" in ended.out
    assert account.charged() == 0


def test_a_key_without_scopes(account: Sandbox, connect: Connect, command: Claid) -> None:
    account.add_key("a-key-without-scopes", scopes={"video_generation"})
    extra = {"storages": {"shop": "aws_default"}}
    connect("claid_default", conn_type="claid", password="a-key-without-scopes", host=account.url, extra=extra)
    ended = command("check", "--spend", "2", "--json")
    assert ended.code == 1
    assert [name for name, outcome in found(ended.json).items() if outcome == "differs"] == [
        "scope-editing",
        "scope-storage",
    ]
    assert account.charged() == 0


def test_a_key_for_images_only_is_no_fault_where_no_storage_is_mapped(
    account: Sandbox, connect: Connect, command: Claid
) -> None:
    account.add_key("a-key-for-images-only", scopes={"image_editing"})
    connect_to(connect, account.url, "a-key-for-images-only")
    ended = command("check", "--json")
    assert ended.code == 0
    assert found(ended.json)["scope-storage"] == found(ended.json)["scope-video"] == "note"


def test_no_network(connect: Connect, command: Claid) -> None:
    connect_to(connect, f"http://127.0.0.1:{free_port()}")
    ended = command("check", "--spend", "2")
    assert ended.code == 3
    assert re.search(r"^differs +reached +nothing answered", ended.out, re.MULTILINE)
    assert "Check the `host`" in ended.out
    assert KEY not in ended.out + ended.err


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (Reply(407), "a proxy asks for user"),
        (
            Reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}),
            "the answer (200) is html, as from a proxy",
        ),
        (
            Reply(503, b'{"error_message": "later"}', {"Content-Type": "application/json"}),
            "it answered 503: it cannot be used at present",
        ),
        (Reply(302, headers={"Location": "https://login.example/"}), "the answer is a redirect (302)"),
    ],
)
def test_a_proxy_that_answers_in_place_of_claid(
    reply: Reply, seen: str, scripted: ScriptedServer, connect: Connect, command: Claid, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.replies(reply)
    monkeypatch.setenv("HTTP_PROXY", f"http://user:pass-of-the-proxy@{scripted.url.partition('//')[2]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    connect_to(connect, "http://claid.example")
    ended = command("check", "--debug")
    assert ended.code == 3
    assert seen in ended.out
    assert "HTTPS_PROXY" in ended.out or "login.example" in ended.out
    assert KEY not in ended.out + ended.err
    assert "pass-of-the-proxy" not in ended.out + ended.err


def test_a_proxy_that_refuses_the_way(
    scripted: ScriptedServer, connect: Connect, command: Claid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass-of-the-proxy@{scripted.url.partition('//')[2]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    connect_to(connect, "https://claid.example")
    ended = command("check", "--debug")
    assert ended.code == 3
    assert "nothing answered through the proxy that the environment names" in ended.out
    assert KEY not in ended.out + ended.err
    assert "pass-of-the-proxy" not in ended.out + ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--spend", "-1"),
        ("--spend", "nan"),
        ("--spend", "two"),
        ("--storage", "shop"),
        ("--spend", "2", "--report", "no/such/folder/report.json"),
        ("--spend", "2", "--output", "storage://shop/check/"),
        ("--spend", "2", "--output", "check"),
        ("--spend", "2", "--storage", "shops"),
    ],
)
def test_wrong_arguments_cost_nothing(arguments: tuple[str, ...], account: Sandbox, command: Claid) -> None:
    assert command("check", *arguments).code == 2
    assert account.charged() == 0


def test_the_key_is_never_shown_however_it_comes_back(
    account: Sandbox, command: Claid, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Claid repeats the key in errors, in answers and in headers, also encoded; and it gives a signed link."""
    caplog.set_level(logging.DEBUG)
    forms = (KEY, base64.b64encode(KEY.encode()).decode(), KEY.replace("-", "%2D"))
    repeated = " ".join(forms)
    account.dialect(of_status=404, values={"error_message": repeated}, headers={"Server": repeated})
    account.dialect(of_status=422, body_json={"detail": [{"msg": repeated}]})
    account.dialect(operation="list_storages", values={"data.0.note": repeated, "data.0.type": repeated})
    account.dialect(
        operation="generate_image",
        values={"data.note": repeated, f"data.{KEY}": 1},
        links="{link}?X-Amz-Signature=0123456789abcdef",
        headers={"Content-Type": f"application/json; {repeated}"},
    )
    account.dialect(operation="get_edit", values={"data.status": KEY})
    report = tmp_path / "report.json"
    texts = []
    for arguments in ((), ("--json",)):
        ended = command("check", "--spend", "2", "--debug", "--report", str(report), *arguments)
        texts += [ended.out, ended.err]
    texts += [caplog.text, report.read_text()]
    texts += [file.read_text() for file in (tmp_path / "claid-check" / "_claid").glob("account-check-*.json")]
    for text in texts:
        for secret in (*forms, "0123456789abcdef"):
            assert secret not in text


def test_a_failure_of_the_check_itself_shows_no_key_in_its_traceback(
    account: Sandbox, command: Claid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"the header was Bearer {KEY}")

    monkeypatch.setattr("airflow_claid.account_check.probes._look_at_storages", fail)
    ended = command("check", "--debug")
    assert ended.code == 3
    assert "Traceback" in ended.err
    assert KEY not in ended.out + ended.err


def test_a_report_has_the_shapes_of_the_answers_and_no_names(account: Sandbox, command: Claid, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ended = command("check", "--spend", "2", "--storage", "shop", "--report", str(report))
    assert ended.code == 0
    text = report.read_text()
    facts = json.loads(text)
    assert len(facts["findings"]) == sum(len(group.assumptions) for group in GROUPS)
    generation = next(one for one in facts["answers"] if one["operation"] == "generate_image")
    assert generation["status"] == 200
    assert generation["shape"]["data"]["output"][0]["width"] == "int"
    assert generation["headers"]["ratelimit-limit"]
    request_id = account.ledger("generate_image")[0].request_id
    for private in ("shop", KEY, str(tmp_path), "red apple", request_id):
        assert private not in text


def test_a_spend_limit_of_the_connection_holds(
    account: Sandbox, connect: Connect, command: Claid, redis_url: str
) -> None:
    extra = {"quota_store": redis_url, "spend_limit": "1 per day", "max_wait": 0}
    connect("claid_default", conn_type="claid", password=KEY, host=account.url, extra=extra)
    ended = command("check", "--spend", "2", "--json")
    assert account.charged() == 1
    edit = next(row for row in ended.json["findings"] if row["name"] == "edit-read")
    assert (edit["found"], edit["seen"]) == ("not tried", "it was not sent (SpendLimitError)")
