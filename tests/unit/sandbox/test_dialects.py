"""Answers unlike the contract, over real HTTP: what is said changes, what is done and charged does not."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from pydantic import ValidationError

from airflow_claid.sandbox import Dialect, Sandbox, SandboxSettings
from airflow_claid.sandbox.conditions import OPERATIONS
from airflow_claid.sandbox.dialects import read_dialects
from airflow_claid.sandbox.operations import ALL
from tests.support.sandbox_client import Client, wait_until

LINK = "data.output.*.tmp_url"


def links_of(items: list[dict[str, Any]], name: str = "tmp_url") -> list[str]:
    return [item[name] for item in items]


def data_of(answer: requests.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_the_sandbox_knows_the_operations_by_name() -> None:
    assert {operation.name for operation in ALL} == OPERATIONS


class TestFields:
    def test_a_field_is_left_out(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(operation="generate_image", without="data.input")
        data = data_of(client.generate())
        assert "input" not in data
        assert len(data["output"]) == 4
        assert sandbox.charged() == 4

    def test_several_fields_of_all_items_are_left_out(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(without=["data.output.*.tmp_url", "data.output.*.width", "data.profiling"])
        data = data_of(client.generate())
        assert "profiling" not in data
        assert all({"tmp_url", "width"}.isdisjoint(item) and "height" in item for item in data["output"])

    def test_all_items_of_a_list_are_left_out(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(without="data.output.*")
        assert data_of(client.generate())["output"] == []

    @pytest.mark.parametrize("value", [None, 7, "text", ["list"], {"an": "object"}, False])
    def test_a_field_has_another_value(self, client: Client, sandbox: Sandbox, value: Any) -> None:
        sandbox.dialect(values={"data.input": value})
        assert data_of(client.generate())["input"] == value

    def test_a_value_of_all_items_or_of_one(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(values={"data.output.*.format": {"type": "png"}, "data.output.1": None})
        first, second, third, _ = data_of(client.generate())["output"]
        assert (first["format"], second, third["format"]) == ({"type": "png"}, None, {"type": "png"})

    def test_a_field_that_is_not_in_the_contract_is_added(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(values={"meta.cost.credits": 4, "data.output.*.new": True})
        answer = client.generate().json()
        assert answer["meta"] == {"cost": {"credits": 4}}
        assert all(item["new"] for item in answer["data"]["output"])

    @pytest.mark.usefixtures("full_size")
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [("text", "1024"), ("float", 1024.0), ("integer", 1024), ("list", [1024]), ("object", {"value": 1024})],
    )
    def test_a_value_has_another_type(self, client: Client, sandbox: Sandbox, kind: str, expected: Any) -> None:
        sandbox.dialect(cast={"data.output.*.width": kind})
        widths = [item["width"] for item in data_of(client.generate())["output"]]
        assert json.dumps(widths) == json.dumps([expected] * 4)

    @pytest.mark.parametrize(
        ("move", "found"),
        [
            ({"data.output": "output"}, lambda answer: links_of(answer["output"])),
            ({"data.output": "data.images"}, lambda answer: links_of(answer["data"]["images"])),
            ({"data": ""}, lambda answer: links_of(answer["output"])),
            ({"": "result"}, lambda answer: links_of(answer["result"]["data"]["output"])),
            ({"data.output": "data.output.0"}, lambda answer: links_of(answer["data"]["output"][0])),
            ({"data.output": "data.output.images"}, lambda answer: links_of(answer["data"]["output"]["images"])),
            ({LINK: "data.output.*.url"}, lambda answer: links_of(answer["data"]["output"], "url")),
            ({LINK: "data.output.*"}, lambda answer: answer["data"]["output"]),
            ({LINK: "links.*"}, lambda answer: answer["links"]),
        ],
    )
    def test_a_field_moves_or_has_another_name(
        self, client: Client, sandbox: Sandbox, move: dict[str, str], found: Callable[[Any], list[str]]
    ) -> None:
        sandbox.dialect(move=move)
        answer = client.generate().json()
        links = sandbox.ledger()[0].pictures
        assert found(answer) == links
        assert json.dumps(answer).count(links[0]) == 1, "it is no longer where it was"

    def test_one_item_takes_the_place_of_its_list(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(move={"data.output.0": "data.output"})
        assert data_of(client.generate())["output"]["tmp_url"] == sandbox.ledger()[0].pictures[0]

    def test_a_path_that_leads_nowhere_changes_nothing(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(without="data.outputs.*.tmp_url", move={"datum": "data"}, cast={"data.output.9": "text"})
        assert len(data_of(client.generate())["output"]) == 4

    def test_an_answer_can_be_nested_deeper_than_json_is_read(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(nesting=200_000)
        answer = client.generate()
        assert answer.content.startswith(b'{"nested": [[[[')
        with pytest.raises(RecursionError):
            answer.json()
        assert sandbox.charged() == 4


class TestLinks:
    @pytest.mark.parametrize(
        ("links", "expected"),
        [
            ("https://cdn.example.com{path}", "https://cdn.example.com/tmp/"),
            ("http://storage.googleapis.com/bucket{path}", "http://storage.googleapis.com/bucket/tmp/"),
            ("{path}", "/tmp/"),
            ("http://[", "http://["),
        ],
    )
    def test_links_lead_elsewhere(self, client: Client, sandbox: Sandbox, links: str, expected: str) -> None:
        sandbox.dialect(links=links)
        assert all(item["tmp_url"].startswith(expected) for item in data_of(client.generate())["output"])

    def test_a_signed_link_still_leads_to_the_picture(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(links="{link}?X-Amz-Signature=abc")
        address = client.picture_address()
        assert address.endswith(".png?X-Amz-Signature=abc")
        assert requests.get(address, timeout=10).headers["content-type"] == "image/png"


class TestBody:
    @pytest.mark.parametrize(
        ("given", "content"),
        [
            ({"body_text": "null"}, b"null"),
            ({"body_text": ""}, b""),
            ({"body_json": {"detail": {"error_code": "1"}}}, b'{"detail": {"error_code": "1"}}'),
            ({"body_json": {"text": "\ud800"}}, b'{"text": "\\ud800"}'),
            ({"body_base64": base64.b64encode(b"\xff\xfe\x00").decode()}, b"\xff\xfe\x00"),
        ],
    )
    def test_another_body(self, client: Client, sandbox: Sandbox, given: dict[str, Any], content: bytes) -> None:
        sandbox.dialect(**given)
        assert client.generate().content == content
        assert sandbox.charged() == 4

    @pytest.mark.parametrize(("charset", "start"), [("utf-8-sig", b"\xef\xbb\xbf{"), ("utf-16", b"\xff\xfe{\x00")])
    def test_another_charset(self, client: Client, sandbox: Sandbox, charset: str, start: bytes) -> None:
        sandbox.dialect(charset=charset)
        content = client.generate().content
        assert content.startswith(start)
        assert len(json.loads(content.decode(charset))["data"]["output"]) == 4

    def test_gzip(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(compress="gzip")
        answer = client.generate()
        assert answer.headers["content-encoding"] == "gzip"
        assert len(data_of(answer)["output"]) == 4

    def test_gzip_that_does_not_say_so(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(compress="gzip", headers={"Content-Encoding": None})
        assert b"tmp_url" in gzip.decompress(client.generate().content)


class TestStatusAndHeaders:
    def test_another_status_of_a_paid_answer(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(status=201)
        assert client.generate().status_code == 201
        assert (sandbox.charged(), sandbox.ledger()[0].status) == (4, 201)

    def test_a_status_without_a_body(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(status=204)
        answer = client.generate()
        assert (answer.status_code, answer.content) == (204, b"")

    def test_a_status_that_http_does_not_have(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(status=799)
        answer = client.generate()
        assert answer.status_code == 799
        assert len(answer.json()["data"]["output"]) == 4

    @pytest.mark.parametrize("reason", ["Fine", "", "OK sandbox-key", "é"])
    def test_another_reason(self, client: Client, sandbox: Sandbox, reason: str) -> None:
        sandbox.dialect(operation="generate_image", reason=reason)
        sandbox.dialect(without="data.input")
        assert raw_answers(sandbox, "a lamp").startswith(f"HTTP/1.1 200 {reason}\r\n".encode("latin-1"))
        assert sorted(data_of(client.generate())) == ["output", "profiling"]

    def test_chunks_of_ones_own(self, sandbox: Sandbox) -> None:
        sandbox.dialect(headers={"Transfer-Encoding": "chunked"}, body_text="zz;sandbox-key\r\n")
        head, _, body = raw_answers(sandbox, "a lamp").partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        assert b"content-length" not in head.lower()
        assert body == b"zz;sandbox-key\r\n"

    def test_a_redirect(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(status=307, headers={"Location": "https://elsewhere.example/v1"}, body_text="")
        answer = client.call("POST", "/image/generate", json={"input": "a lamp"}, allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "https://elsewhere.example/v1")

    def test_headers_are_added_changed_and_removed(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.change(quota="1000/60")
        sandbox.dialect(
            headers={"RateLimit-Limit": "9" * 20, "RateLimit-Reset": None, "X-New": "1", "Content-Type": None}
        )
        headers = client.generate().headers
        assert (headers["ratelimit-limit"], headers["x-new"]) == ("9" * 20, "1")
        assert {"ratelimit-reset", "content-type"}.isdisjoint(name.lower() for name in headers)

    def test_a_refusal_is_said_in_another_way_and_still_costs_nothing(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.add_key("poor", credits=1)
        sandbox.dialect(operation="generate_image", of_status=402, status=403, values={"error_type": "user"})
        answer = Client(sandbox, "poor").generate()
        assert (answer.status_code, answer.json()["error_type"]) == (403, "user")
        assert client.generate().status_code == 200
        assert sandbox.charged() == 4

    def test_a_refusal_before_the_body_is_read_has_dialects_too(self, sandbox: Sandbox) -> None:
        sandbox.dialect(of_status=401, body_text="<h1>no</h1>", headers={"Content-Type": "text/html"})
        answer = Client(sandbox, "wrong").generate()
        assert (answer.status_code, answer.text) == (401, "<h1>no</h1>")


class TestConnection:
    """What comes before the answer, or too late, on the same connection."""

    @pytest.mark.parametrize("status", [100, 102, 103])
    def test_informational_answers_come_first(self, client: Client, sandbox: Sandbox, status: int) -> None:
        sandbox.dialect(operation="generate_image", informational=[status, status])
        answer = raw_answers(sandbox, "a lamp")
        assert [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1")] == [
            *[f"HTTP/1.1 {status} {http.client.responses[status]}".encode()] * 2, b"HTTP/1.1 200 OK",
        ]  # fmt: skip
        assert sandbox.charged() == 4

    def test_informational_answers_are_there_while_the_answer_is_held(self, sandbox: Sandbox) -> None:
        sandbox.dialect(informational=103)
        sandbox.fault("hold")
        connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
        ask(connection, sandbox, "a lamp")
        wait_until(lambda: sandbox.held == 1)
        assert connection.sock.recv(4096) == b"HTTP/1.1 103 Early Hints\r\n\r\n"
        sandbox.release()
        assert connection.getresponse().status == 200

    def test_after_a_504_each_answer_is_that_of_the_request_before(self, sandbox: Sandbox) -> None:
        sandbox.dialect(operation="generate_image", late=True, count=1)
        connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
        said = []
        for prompt in ("a lamp", "a chair", "a sofa"):
            ask(connection, sandbox, prompt)
            answer = connection.getresponse()
            said.append((answer.status, answer.read()))
        assert said[0][0] == 504
        assert b"504 Gateway" in said[0][1]
        assert [json.loads(body)["data"]["input"]["text"] for _, body in said[1:]] == ["a lamp", "a chair"]
        assert sandbox.charged() == 12
        assert data_of(Client(sandbox).generate("a desk"))["input"]["text"] == "a desk", "another connection"

    def test_the_ledger_says_what_was_changed_and_delivered(self, client: Client, sandbox: Sandbox) -> None:
        first, second = sandbox.dialect(without="data.input"), sandbox.dialect(prompt="late", late=True)
        client.generate("in time")
        client.generate("late")
        wait_until(lambda: sandbox.ledger()[1].delivered is not None)
        assert [(entry.dialects, entry.delivered) for entry in sandbox.ledger()] == [
            ([first], True),
            ([first, second], False),
        ]

    def test_an_answer_that_was_written_raw_is_delivered(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(headers={"Content-Length": None})
        answer = client.generate()
        assert "content-length" not in answer.headers
        assert answer.headers["x-request-id"] == sandbox.ledger()[0].request_id
        wait_until(lambda: sandbox.ledger()[0].delivered is True)


class TestDownloads:
    @pytest.mark.parametrize("mime", [None, "binary/octet-stream", "text/html", "image/gif"])
    def test_the_content_type_is_missing_or_wrong(self, client: Client, sandbox: Sandbox, mime: str | None) -> None:
        address = client.picture_address()
        sandbox.dialect(operation="download", headers={"Content-Type": mime})
        answer = requests.get(address, timeout=10)
        assert answer.headers.get("content-type") == mime
        assert answer.content.startswith(b"\x89PNG")

    @pytest.mark.parametrize("length", ["²", "-1", "5000000", "10", "1e3", "10, 20"])
    def test_the_length_is_not_the_length(self, client: Client, sandbox: Sandbox, length: str) -> None:
        address = client.picture_address()
        sandbox.dialect(operation="download", headers={"Content-Length": length})
        parts = urlsplit(address)
        with raw_connection(sandbox) as connection:
            connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            answer = read_all(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert f"content-length: {length}".encode("latin-1") in head.lower()
        assert body.startswith(b"\x89PNG")
        assert body.endswith(b"IEND\xaeB`\x82")

    def test_a_redirect_to_another_host(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.dialect(
            operation="download", count=1, status=302, headers={"Location": "https://elsewhere.example/a.png"}
        )
        answer = requests.get(address, timeout=10, allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, "https://elsewhere.example/a.png")
        assert requests.get(address, timeout=10).status_code == 200

    def test_another_body(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.dialect(operation="download", prompt="_1.png", body_text="%!PS-Adobe-3.0 EPSF-3.0")
        answer = requests.get(address, timeout=10)
        assert (answer.headers["content-type"], answer.text) == ("image/png", "%!PS-Adobe-3.0 EPSF-3.0")

    def test_dialects_of_operations_leave_downloads_alone(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.dialect(status=500)
        assert requests.get(address, timeout=10).status_code == 200


class TestWhich:
    def test_by_operation_prompt_and_count(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(operation="generate_image", prompt="LAMP", count=2, status=201)
        prompts = ["a lamp", "a sofa", "a lamp", "a lamp"]
        assert [client.generate(prompt).status_code for prompt in prompts] == [201, 200, 201, 200]
        sandbox.dialect(operation="edit_image", status=202)
        assert client.generate("a lamp").status_code == 200
        assert client.edit(client.picture_address()).status_code == 202

    def test_refused_requests_do_not_count(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(count=1, status=201)
        assert client.generate("").status_code == 422
        assert [client.generate().status_code for _ in range(2)] == [201, 200]

    def test_a_probability_is_repeatable_by_its_seed(self, client: Client, sandbox: Sandbox) -> None:
        def pattern(seed: int) -> list[int]:
            sandbox.reset()
            sandbox.dialect(operation="list_storage_types", probability=0.5, seed=seed, status=202)
            return [client.call("GET", "/storage/storage-types").status_code for _ in range(12)]

        assert pattern(1) == pattern(1) != pattern(3)
        assert set(pattern(1)) == {200, 202}

    def test_a_wrong_length_survives_another_dialect(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(headers={"Content-Length": "7"})
        sandbox.dialect(without="data.input")
        head, _, body = raw_answers(sandbox, "a lamp").partition(b"\r\n\r\n")
        assert b"content-length: 7\r\n" in head.lower()
        assert json.loads(body)["data"].keys() == {"output", "profiling"}

    def test_a_missing_length_survives_another_dialect(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(headers={"Content-Length": None})
        sandbox.dialect(without="data.input")
        assert "content-length" not in client.generate().headers

    def test_dialects_apply_in_turn_and_before_faults(self, client: Client, sandbox: Sandbox) -> None:
        sandbox.dialect(move={"data": "result"})
        sandbox.dialect(without="result.input")
        sandbox.fault("truncated")
        text = client.generate().text
        assert text.startswith('{"result": {"output": [{')
        with pytest.raises(ValueError, match=r"."):
            json.loads(text)
        assert sorted(client.generate().json()["result"]) == ["output", "profiling"]

    def test_a_job_has_its_own_id_as_text(self, client: Client, sandbox: Sandbox) -> None:
        address = client.picture_address()
        sandbox.dialect(operation="submit_edit", cast={"data.id": "text"})
        job = data_of(client.call("POST", "/image/edit/async", json={"input": address, "operations": {}}))
        assert isinstance(job["id"], str)
        assert client.wait("/image/edit/async", job)["status"] == "DONE"


class TestComeAndGo:
    def test_over_http(self, client: Client, sandbox: Sandbox) -> None:
        dialects = f"{sandbox.url}/sandbox/dialects"
        given = {"operation": "generate_image", "values": {"data.input": "\ud800"}, "count": 3}
        number = requests.post(dialects, json=given, timeout=10).json()["number"]
        assert json.dumps(data_of(client.generate())["input"]) == '"\\ud800"'
        (listed,) = requests.get(dialects, timeout=10).json()["dialects"]
        assert listed == {**given, "number": number, "left": 2, "struck": 1}
        assert requests.delete(dialects, params={"number": number}, timeout=10).json() == {"dialects": []}
        assert data_of(client.generate())["input"] == {"text": "a red bicycle"}

    def test_a_wrong_one_is_refused_over_http_with_its_field(self, sandbox: Sandbox) -> None:
        answer = requests.post(f"{sandbox.url}/sandbox/dialects", json={"values": {"a..b": 1}}, timeout=10)
        assert answer.status_code == 422
        assert "has an empty part" in answer.text

    def test_from_the_settings_and_back_after_a_reset(self) -> None:
        with Sandbox(SandboxSettings(dialects=(Dialect(status=201),))) as sandbox:
            client = Client(sandbox)
            assert client.generate().status_code == 201
            sandbox.clear_dialects()
            assert client.generate().status_code == 200
            sandbox.dialect(status=202)
            sandbox.reset()
            assert client.generate().status_code == 201

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("d.json", '[{"operation": "generate_image", "without": "data.input"}, {"status": 201}]'),
            (
                "d.toml",
                '[[dialect]]\noperation = "generate_image"\nwithout = "data.input"\n[[dialect]]\nstatus = 201\n',
            ),
        ],
    )
    def test_from_a_file(self, tmp_path: Path, name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        first, second = read_dialects(str(tmp_path / name))
        assert first == Dialect(operation="generate_image", without="data.input")
        assert second == Dialect(status=201)

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("d.json", '[{"status": 201}, {"withot": "a"}]', r"d\.json, dialect 2: withot: Extra inputs"),
            ("d.json", '{"status": 201}', r"d\.json is not a list of dialects"),
            ("d.json", "[", r"d\.json cannot be read: "),
            ("d.toml", "status = 201", r"d\.toml has no table \[\[dialect\]\]"),
            ("d.toml", "[[dialect", r"d\.toml cannot be read: "),
        ],
    )
    def test_a_wrong_file_is_refused_with_its_place(self, tmp_path: Path, name: str, text: str, message: str) -> None:
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=message):
            read_dialects(str(tmp_path / name))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"none\.json cannot be read: .*No such file"):
            read_dialects(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "changes nothing"),
        ({"operation": "generate_image"}, "changes nothing"),
        ({"operation": "generate_imag", "status": 201}, "'generate_imag' is not one of create_scene"),
        ({"without": "data..input"}, "has an empty part"),
        ({"cast": {"data.id": "string"}}, "text"),
        ({"move": {"data.output": "data.output.*"}}, "has more '\\*'"),
        ({"body_text": "", "body_json": {}}, "Give one of body_text"),
        ({"body_base64": "!"}, "body_base64"),
        ({"charset": "klingon"}, "'klingon' is not a charset"),
        ({"status": 102}, "greater than or equal to 200"),
        ({"informational": [200]}, "less than or equal to 199"),
        ({"headers": {"X Y": "1"}}, "'X Y' is not the name of a header"),
        ({"headers": {"X": "a\r\nb"}}, "a line break"),
        ({"reason": "a\nb"}, "a line break"),
        ({"headers": {"X": "€"}}, "a letter beyond Latin-1"),
        ({"operation": "download", "without": "data"}, "A download is no JSON"),
        ({"late": True, "headers": {"content-length": "3"}}, "A late answer has no reason"),
        ({"probability": 2, "status": 201}, "less than or equal to 1"),
        ({"count": 0, "status": 201}, "greater than or equal to 1"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_dialect_that_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dialect(**given)


def test_many_connections_fall_behind_each_for_itself(sandbox: Sandbox) -> None:
    sandbox.dialect(late=True, prompt="first")

    def two_requests(number: int) -> list[Any]:
        connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
        said = []
        for prompt in (f"first {number}", f"second {number}"):
            ask(connection, sandbox, prompt)
            answer = connection.getresponse()
            said.append((answer.status, answer.read()))
        return [said[0][0], json.loads(said[1][1])["data"]["input"]["text"]]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(two_requests, range(8))) == [[504, f"first {number}"] for number in range(8)]


def ask(connection: http.client.HTTPConnection, sandbox: Sandbox, prompt: str) -> None:
    headers = {"Authorization": f"Bearer {sandbox.api_key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/image/generate", json.dumps({"input": prompt}), headers)


def raw_connection(sandbox: Sandbox) -> Any:
    import socket

    parts = urlsplit(sandbox.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def raw_answers(sandbox: Sandbox, prompt: str) -> bytes:
    """Everything that is sent back for one request."""
    body = json.dumps({"input": prompt})
    head = (
        f"POST /v1/image/generate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {sandbox.api_key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with raw_connection(sandbox) as connection:
        connection.sendall((head + body).encode())
        return read_all(connection)


def read_all(connection: Any) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def test_the_headers_that_the_sandbox_adds_may_differ_too(sandbox: Sandbox) -> None:
    plain = Client(sandbox).generate(options={"number_of_images": 1}).headers
    assert plain["Date"]
    assert plain["x-request-id"]
    sandbox.dialect(headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT", "x-request-id": None})
    told = Client(sandbox).generate(options={"number_of_images": 1}).headers
    assert told["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert "x-request-id" not in told
