from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_claid.client import ClaidMissingConnectionError, ClaidValidationError
from airflow_claid.delivery.download_rules import DEFAULT_HOSTS
from airflow_claid.errors import DownloadRefusedError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.hooks.connection_form import CONN_FIELDS, CONN_TYPE, UI_FIELD_BEHAVIOUR
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.pictures import picture
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer, as_json

KEY = "hook-key-never-to-be-seen"
Fields = dict[str, Any]


def hook(connect: Connect, **fields: Any) -> ClaidHook:
    return ClaidHook(connect("claid_test", **{"conn_type": "claid", "password": KEY, **fields}))


@pytest.mark.parametrize(
    ("fields", "base"),
    [
        ({}, "https://api.claid.ai/v1"),
        ({"host": ""}, "https://api.claid.ai/v1"),
        ({"host": "  "}, "https://api.claid.ai/v1"),
        ({"host": "https://api.claid.ai/v1"}, "https://api.claid.ai/v1"),
        ({"host": "http://127.0.0.1:8765"}, "http://127.0.0.1:8765/v1"),
        ({"host": "127.0.0.1", "port": 8765, "schema": "http"}, "http://127.0.0.1:8765/v1"),
        ({"host": "fd00::2"}, "https://[fd00::2]/v1"),
        ({"host": "gateway.example:8443"}, "https://gateway.example:8443/v1"),
        ({"host": "gateway.example"}, "https://gateway.example/v1"),
        ({"host": "gateway.example", "port": 8443}, "https://gateway.example:8443/v1"),
        ({"host": "gateway.example", "schema": "http"}, "http://gateway.example/v1"),
        ({"host": "http://[::1]:8765"}, "http://[::1]:8765/v1"),
        ({"host": "::1", "port": 8765, "schema": "http"}, "http://[::1]:8765/v1"),
        ({"host": "[::1]", "port": 8765, "schema": "http"}, "http://[::1]:8765/v1"),
        ({"host": "2001:DB8::1", "port": 443}, "https://[2001:db8::1]:443/v1"),
    ],
)
def test_the_base_url_comes_from_the_host_or_from_its_parts(connect: Connect, fields: Fields, base: str) -> None:
    assert hook(connect, **fields).client.base_url == base


def test_a_connection_given_as_a_uri_works_too(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    address = sandbox.url.removeprefix("http://")
    monkeypatch.setenv("AIRFLOW_CONN_CLAID_URI", f"claid://:{sandbox.api_key}@{address}/http")
    assert ClaidHook("claid_uri").test_connection() == (True, "OK: the API key works; connected storages: none")


def test_a_hook_makes_one_client_and_that_only_when_it_is_needed(connect: Connect) -> None:
    assert ClaidHook("nobody_knows").claid_conn_id == "nobody_knows"
    made = hook(connect)
    assert made.client is made.get_conn()
    assert made.storages is made.storages
    assert made.downloader is made.downloader
    assert ClaidHook().claid_conn_id == "claid_default"


def test_a_connection_without_a_key_is_told(connect: Connect) -> None:
    with pytest.raises(ClaidValidationError, match=r"'claid_test' has no API key.*'API key'"):
        assert hook(connect, password=None).client
    works, said = hook(connect, password="").test_connection()
    assert not works
    assert "has no API key" in said


def test_a_connection_that_airflow_does_not_have_is_named_and_may_be_there_later() -> None:
    missing = ClaidHook("nobody_knows")
    with pytest.raises(ClaidMissingConnectionError, match=r"claid_conn_id='nobody_knows': .* Define it") as caught:
        assert missing.client
    assert caught.value.retryable
    works, said = missing.test_connection()
    assert not works
    assert "'nobody_knows'" in said


def test_the_quota_store_comes_from_the_extra_and_its_password_is_shown_nowhere(connect: Connect) -> None:
    one = hook(connect, extra={"quota_store": "redis://user:pass-word@127.0.0.1:1/0"}).client
    same = hook(connect, extra={"quota_store": "redis://user:pass-word@127.0.0.1:1/0"}).client
    assert one._transport.quota is same._transport.quota
    assert one._transport.quota is not hook(connect, extra={"quota_store": ""}).client._transport.quota
    assert "pass-word" not in repr(one._transport)
    works, said = hook(connect, extra={"quota_store": "http://user:pass-word@127.0.0.1"}).test_connection()
    assert not works
    assert "redis://HOST:PORT/DB" in said
    assert "pass-word" not in said


def test_the_waits_come_from_the_extra(connect: Connect) -> None:
    plain = hook(connect).client._transport
    assert (plain.timeout, plain.max_wait) == ((10, 120), 300)
    extra = {"connect_timeout": 3, "read_timeout": " 60.5 ", "max_wait": 0}
    told = hook(connect, extra=extra).client._transport
    assert (told.timeout, told.max_wait) == ((3, 60.5), 0)
    empty = hook(connect, extra={"read_timeout": "", "max_wait": None}).client._transport
    assert (empty.timeout, empty.max_wait) == ((10, 120), 300)


def test_the_form_of_airflow_3_1_has_only_fields_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(name: str) -> Any:
        return lambda *, label, description: (name, label, description)

    taken = ("BooleanField", "IntegerField", "PasswordField", "StringField")
    monkeypatch.setitem(sys.modules, "wtforms", SimpleNamespace(**{name: kind(name) for name in taken}))
    widgets = ClaidHook.get_connection_form_widgets()
    assert set(widgets) == set(CONN_FIELDS)
    assert widgets["quota_store"][0] == "PasswordField", "its address may hold a password"
    assert widgets["read_timeout"] == (
        "StringField", CONN_FIELDS["read_timeout"]["label"], CONN_FIELDS["read_timeout"]["description"],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout", "max_wait"])
@pytest.mark.parametrize("value", ["soon", [1], {}, -1, "nan", "inf", 1e9, True, "9" * 400, 10**400])
def test_a_wait_that_is_no_number_in_its_range_is_told(connect: Connect, name: str, value: object) -> None:
    made = hook(connect, extra={name: value})
    with pytest.raises(ClaidValidationError, match=rf"{name}=.*'claid_test' must be seconds, from .* to ") as caught:
        assert made.client
    assert len(str(caught.value)) < 300
    works, said = made.test_connection()
    assert not works
    assert f"{name}=" in said


@pytest.mark.parametrize("name", ["connect_timeout", "read_timeout"])
@pytest.mark.parametrize("value", [0, "0", 0.0])
def test_no_time_at_all_is_no_timeout(connect: Connect, name: str, value: object) -> None:
    with pytest.raises(ClaidValidationError, match=f"{name}=.* must be seconds, from 0.01"):
        assert hook(connect, extra={name: value}).client


@pytest.mark.parametrize(
    ("extra", "hosts"),
    [
        ({}, DEFAULT_HOSTS),
        ({"download_hosts": ""}, DEFAULT_HOSTS),
        ({"download_hosts": "cdn.example, *.claid.ai ,"}, ("cdn.example", "*.claid.ai")),
        ({"download_hosts": ["cdn.example"]}, ("cdn.example",)),
    ],
)
def test_the_hosts_of_downloads_come_from_the_extra(connect: Connect, extra: Fields, hosts: tuple[str, ...]) -> None:
    rules = hook(connect, extra=extra).downloader.rules
    assert rules.hosts == hosts
    assert rules.base_url == "https://api.claid.ai/v1"
    with pytest.raises(DownloadRefusedError):
        rules.check("https://evil.example/a.png")


def test_as_many_threads_as_a_batch_has_may_download_at_once_and_their_connections_are_kept(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    threads = 100
    all_have_asked = threading.Barrier(threads, timeout=60)

    class Pictures(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            all_have_asked.wait()
            self.send_response(200)
            self.send_header("Content-Length", str(len(picture())))
            self.end_headers()
            self.wfile.write(picture())

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = threads

    with Server(("127.0.0.1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        downloader = hook(connect, host=url).downloader

        def fetch(number: int) -> bytes:
            with downloader.fetched(f"{url}/{number}.png") as content:
                return content

        with ThreadPoolExecutor(threads) as pool:
            assert set(pool.map(fetch, range(2 * threads))) == {picture()}
        server.shutdown()
    assert "Connection pool is full" not in caplog.text


def test_the_form_is_that_of_a_key_and_a_base_url() -> None:
    behaviour = ClaidHook.get_ui_field_behaviour()
    assert behaviour["hidden_fields"] == UI_FIELD_BEHAVIOUR["hidden-fields"] == ["schema", "login", "port"]
    assert behaviour["relabeling"] == {"password": "API key", "host": "Base URL"}
    assert ClaidHook.conn_type == CONN_TYPE == "claid"


def test_a_working_connection_names_its_storages_and_costs_nothing(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.connect_storage("shop", bucket="pictures")
    sandbox.connect_storage("archive", bucket="old")
    made = hook(connect, host=sandbox.url, password=sandbox.api_key)
    assert made.test_connection() == (True, "OK: the API key works; connected storages: shop, archive")
    assert sandbox.charged() == 0
    assert {entry.operation for entry in sandbox.ledger()} == {"get_edit", "list_storages"}


def test_a_key_that_claid_does_not_know_is_told(connect: Connect, sandbox: Sandbox) -> None:
    assert hook(connect, host=sandbox.url).test_connection() == (False, "Claid does not know this API key")


@pytest.mark.parametrize(
    ("scopes", "works", "said"),
    [
        ({"image_editing"}, True, "OK: the API key works. It lacks the scope 'Storage' (or 'Admin')"),
        ({"storage"}, True, "OK: the API key is known. It lacks the scope 'Image editing' (or 'Admin')"),
        (set(), True, "It lacks the scope 'Image editing' (or 'Admin')"),
        ({"image_editing", "storage"}, True, "connected storages: none"),
    ],
)
def test_each_missing_scope_is_told(
    connect: Connect, sandbox: Sandbox, scopes: set[str], works: bool, said: str
) -> None:
    sandbox.add_key(KEY, scopes=scopes)
    answer = hook(connect, host=sandbox.url).test_connection()
    assert answer[0] is works
    assert said in answer[1]


def test_a_host_that_is_not_there_is_told(connect: Connect) -> None:
    host = f"http://127.0.0.1:{free_port()}"
    works, said = hook(connect, host=host, extra={"max_wait": 0}).test_connection()
    assert not works
    assert f"could not reach {host}/v1" in said
    assert KEY not in said


@pytest.mark.parametrize(
    "host",
    [
        "https://user:s3cr3t@gateway.example",
        "https://user:s3 cr3t/x@gateway.example",
        "user:s3cr3t@gateway.example",
        "https://gateway.example/?token=s3cr3t",
        "http://user:s3cr3t@[gateway",
    ],
)
def test_a_login_or_a_token_in_the_base_url_is_refused_and_not_shown(connect: Connect, host: str) -> None:
    works, said = hook(connect, host=host).test_connection()
    assert not works
    assert "base_url=" in said
    assert "cr3t" not in said


def test_a_host_that_is_no_address_is_told(connect: Connect) -> None:
    works, said = hook(connect, host="ftp://api.claid.ai").test_connection()
    assert not works
    assert "base_url='ftp://api.claid.ai' is not an address" in said


@pytest.mark.parametrize("status", [404, 422])
def test_an_answer_that_there_is_no_such_job_is_what_is_hoped_for(
    connect: Connect, scripted: ScriptedServer, status: int
) -> None:
    scripted.replies(Reply(status), as_json({"data": []}))
    assert hook(connect, host=scripted.url).test_connection()[0]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(302, headers={"Location": "https://login.example/"}), "check the base URL"),
        (Reply(200, b"<html>Sign in</html>"), "not with readable JSON"),
        (Reply(407, b"proxy"), "407"),
    ],
)
def test_an_answer_that_is_not_of_claid_is_told(
    connect: Connect, scripted: ScriptedServer, reply: Reply, said: str
) -> None:
    scripted.replies(reply)
    works, message = hook(connect, host=scripted.url, extra={"max_wait": 0}).test_connection()
    assert not works
    assert said in message
    assert KEY not in message


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(502, b"<html>Bad Gateway</html>"), "get_edit answered 502"),
        (Reply(500), "get_edit answered 500"),
        (Reply(402), "buy credits"),
        (Reply(403), "It lacks the scope 'Image editing' (or 'Admin')"),
        (Reply(409), "get_edit answered 409"),
        (Reply(429), "get_edit answered 429"),
        (Reply(400), "OK: the API key works"),
        (Reply(204), "OK: the API key works"),
        (Reply(200, b"null"), "OK: the API key works"),
        (as_json({"data": {"id": 0, "status": "DONE"}}), "OK: the API key works"),
        (as_json({"data": []}), "OK: the API key works"),
    ],
)
def test_any_answer_of_claids_but_401_shows_that_it_knows_the_key(
    connect: Connect, scripted: ScriptedServer, reply: Reply, said: str
) -> None:
    scripted.replies(reply, as_json({"data": []}))
    works, message = hook(connect, host=scripted.url, extra={"max_wait": 0}).test_connection()
    assert works
    assert said in message
    assert "connected storages: none" in message
    assert KEY not in message


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(500), "list_storages answered 500"),
        (Reply(404), "list_storages answered 404"),
        (Reply(403), "It lacks the scope 'Storage' (or 'Admin')"),
        (Reply(401), "cannot be checked"),
        (Reply(200, b"<html>"), "cannot be checked"),
        (as_json({"data": "none"}), "cannot be checked"),
        (Reply(204), "connected storages: none"),
        (Reply(200, b"null"), "connected storages: none"),
        (as_json({"data": None}), "connected storages: none"),
        (
            as_json({"data": [{"name": "shop"}, {"id": 2}, None, {"id": 3, "name": "old", "parameters": None}]}),
            "shop, old",
        ),
    ],
)
def test_the_list_of_storages_never_fails_the_test(
    connect: Connect, scripted: ScriptedServer, reply: Reply, said: str
) -> None:
    scripted.replies(Reply(404), reply)
    works, message = hook(connect, host=scripted.url, extra={"max_wait": 0}).test_connection()
    assert works
    assert message.startswith("OK: the API key works")
    assert said in message


@pytest.mark.parametrize("form", [dict, json.dumps])
def test_the_mapping_of_storages_is_an_object_or_its_text(connect: Connect, sandbox: Sandbox, form: Any) -> None:
    sandbox.connect_storage("shop", bucket="pictures", path="catalogue")
    extra = {"storages": form({"shop": "aws_default"})}
    made = hook(connect, host=sandbox.url, password=sandbox.api_key, extra=extra)
    assert made.storages.find_readable_uri("storage://shop/a.png") == "s3://aws_default@pictures/catalogue/a.png"


@pytest.mark.parametrize("mapping", ["shop=aws_default", '["shop"]', ["shop"], {"shop": 5}, {"shop": {"conn": "aws"}}])
def test_a_mapping_of_another_form_is_told_with_an_example(connect: Connect, mapping: object) -> None:
    with pytest.raises(ClaidValidationError, match=r'must be a JSON object.*\{"shop": "aws_default"\}'):
        assert hook(connect, extra={"storages": mapping}).storages
