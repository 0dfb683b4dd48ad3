from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from airflow_claid.client import ClaidAnswerLostError, ClaidClient, ClaidError, ClaidRequestError, ClaidValidationError
from airflow_claid.client.models.storage import StorageIn, StoragePatch
from airflow_claid.sandbox import Sandbox
from tests.support.scripted_server import Reply, ScriptedServer, as_json
from tests.unit.client.conftest import ClientOf
from tests.unit.client.models.test_contract import Checker, schema

SECRET = "wJalrXUtnFEMI-never-to-be-seen"


def bucket(**parameters: Any) -> StorageIn:
    usual = {"name": "shop", "bucket": "pictures", "access_key": "AKIA1", "secret_access_key": SECRET}
    return StorageIn.of_bucket(**{**usual, **parameters})


def everything_told(error: BaseException) -> str:
    told = "".join(traceback.format_exception(error)) + repr(error.args) + repr(vars(error))
    behind = error.__cause__ or error.__context__
    return told + (everything_told(behind) if behind else "")


def test_a_storage_is_connected_changed_and_disconnected_and_nothing_is_charged(
    sandbox: Sandbox, claid: ClaidClient
) -> None:
    made = claid.create_storage(bucket(path="/catalogue/"))
    assert (made.name, made.type, made.parameters.bucket, made.parameters.path) == (
        "shop",
        "s3",
        "pictures",
        "catalogue",
    )
    assert made.parameters.access_key == "AKIA1"
    changed = claid.update_storage(made.id, StoragePatch.of(name="store", path=""))
    assert (changed.id, changed.name, changed.parameters.path) == (made.id, "store", "")
    assert changed.parameters.access_key == "AKIA1"
    assert claid.list_storages()[0].parameters.access_key is None
    claid.delete_storage(made.id)
    assert claid.list_storages() == []
    with pytest.raises(ClaidRequestError) as gone:
        claid.delete_storage(made.id)
    assert gone.value.status == 404
    assert sandbox.charged() == 0


def test_requests_and_answers_keep_to_the_contract(sandbox: Sandbox, claid: ClaidClient) -> None:
    checker = Checker(sandbox.url)
    checker.watch(claid)
    numbers = [
        claid.create_storage(bucket()).id,
        claid.create_storage(bucket(name="google", type="gcs")).id,
        claid.create_storage(StorageIn.of_web_folder("web", "https://shop.example/pictures")).id,
    ]
    claid.update_storage(numbers[0], StoragePatch.of(bucket="b", access_key="AKIA2", secret_access_key="s"))
    claid.update_storage(numbers[2], StoragePatch.of(base_url="https://shop.example/other"))
    for number in numbers:
        claid.delete_storage(number)
    assert len(checker.seen) == 8
    assert {status for _, _, status in checker.seen} == {200}


@pytest.mark.parametrize(
    ("parameters", "named", "remedy"),
    [
        ({"name": "x" * 51}, "name=", "shorten it by 1"),
        ({"name": "a/b"}, "name='a/b'", "folders belong in path"),
        ({"name": "a@b"}, "name='a@b'", "holds '@'"),
        ({"name": ""}, "name=''", "such as 'shop'"),
        ({"name": " shop"}, "name=' shop'", "without blanks"),
        ({"name": 5}, "name=5", "must be a text"),
        ({"type": "ftp"}, "type='ftp'", "'s3' or 'gcs'"),
        ({"bucket": ""}, "bucket=''", "must name the bucket"),
        ({"bucket": "s3://moto@pictures/a/b/"}, "bucket='s3://", "use bucket='pictures' and path='a/b'"),
        ({"bucket": "pictures/a"}, "bucket='pictures/a'", "use bucket='pictures' and path='a'"),
        ({"path": "../x"}, "path='../x'", "must not climb"),
        ({"path": "s3://pictures/x"}, "path='s3://pictures/x'", "the bucket belongs in bucket"),
        ({"access_key": ""}, "access_key=''", "at least 1"),
        ({"secret_access_key": ""}, "secret_access_key=", "is empty"),
        ({"secret_access_key": 7}, "secret_access_key", "must be a text"),
    ],
)
def test_a_wrong_parameter_is_refused_with_the_remedy(parameters: dict[str, Any], named: str, remedy: str) -> None:
    with pytest.raises(ClaidValidationError) as refused:
        bucket(**parameters)
    assert named in str(refused.value)
    assert remedy in str(refused.value)
    assert SECRET not in everything_told(refused.value)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({}, "nothing to change"),
        ({"access_key": "AKIA2"}, "go together"),
        ({"secret_access_key": SECRET}, "go together"),
        ({"base_url": "https://a.example", "path": "b"}, "one or the other"),
        ({"base_url": "ftp://a.example"}, "must be the folder's address"),
        ({"name": "a/b"}, "folders belong in path"),
    ],
)
def test_changes_that_make_no_sense_are_refused(changes: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ClaidValidationError, match=remedy) as refused:
        StoragePatch.of(**changes)
    assert SECRET not in everything_told(refused.value)


texts = st.text(max_size=60) | st.sampled_from(["", "shop", "a/b", "x" * 50, "x" * 51, "s3://b"])


@given(name=texts, bucket=texts, path=texts, access_key=texts, secret=texts)
def test_a_storage_is_refused_or_of_the_contract(
    name: str, bucket: str, path: str, access_key: str, secret: str
) -> None:
    keys = {"access_key": access_key, "secret_access_key": secret}
    for build, contract in (
        (lambda: StorageIn.of_bucket(name, bucket=bucket, path=path, **keys), "StorageIn"),  # type: ignore[arg-type]
        (lambda: StoragePatch.of(name=name, bucket=bucket, path=path, **keys), "StoragePatch"),  # type: ignore[arg-type]
    ):
        try:
            request = build()  # type: ignore[no-untyped-call]
        except ClaidValidationError:
            continue
        schema(contract).validate(json.loads(json.dumps(request.to_json())))


def test_no_representation_shows_the_secret_but_the_body_holds_it() -> None:
    for request in (bucket(), StoragePatch.of(access_key="AKIA1", secret_access_key=SecretStr(SECRET))):
        body = request.to_json()
        assert body["parameters"]["credentials"]["secret_access_key"] == SECRET
        for shown in (repr(request), str(request), f"{body}", request.model_dump_json(), repr(request.model_dump())):
            assert SECRET not in shown


def failing(client: ClaidClient) -> list[Callable[[], object]]:
    patch = StoragePatch.of(access_key="AKIA1", secret_access_key=SECRET)
    return [lambda: client.create_storage(bucket()), lambda: client.update_storage(1, patch)]


def test_no_error_and_no_log_shows_the_secret_even_where_the_answer_quotes_it(
    scripted: ScriptedServer, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "airflow_claid"):
        caplog.set_level(logging.DEBUG, name)
    quoting = {"error_message": f"bad {SECRET}", "error_code": "1", "error_details": {f"p.{SECRET}": [SECRET]}}
    fastapi = {"detail": [{"loc": ["body", SECRET], "msg": f"no {SECRET}", "type": "x"}]}
    replies = [
        *(as_json(quoting, status) for status in (400, 401, 403, 404, 422, 500)),
        as_json(fastapi, 422),
        Reply(502, f"<html>{SECRET}".encode()),
        Reply(200, SECRET.encode()),
        as_json({"data": SECRET}),
        Reply(cut=True),
    ]
    client = client_of(scripted.url, max_wait=0)
    for reply in replies:
        for call in failing(client):
            scripted.replies(reply, as_json({"data": []}))
            with pytest.raises(ClaidError) as caught:
                call()
            assert SECRET not in everything_told(caught.value)
            assert not caught.value.may_have_been_charged
            assert "charged" not in str(caught.value)
    sent = [request.method for request in scripted.received if SECRET.encode() in request.body]
    assert sent == ["POST", "PATCH"] * len(replies)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("kind", ["cut", "500", "truncated"])
def test_a_lost_answer_is_looked_up_by_listing(kind: str, sandbox: Sandbox, claid: ClaidClient) -> None:
    sandbox.fault(kind, operation="create_storage", charged=True)
    made = claid.create_storage(bucket())
    assert made.name == "shop"
    assert [storage.id for storage in claid.list_storages()] == [made.id]
    assert len(sandbox.ledger("create_storage")) == 1


def test_a_lost_request_that_made_nothing_fails_so_that_it_can_be_done_again(
    sandbox: Sandbox, claid: ClaidClient
) -> None:
    sandbox.fault("cut", operation="create_storage", charged=False)
    with pytest.raises(ClaidAnswerLostError, match="it costs nothing and is safe to repeat") as lost:
        claid.create_storage(bucket())
    assert lost.value.retryable
    assert claid.create_storage(bucket()).name == "shop"


def test_a_storage_of_the_name_with_other_keys_is_not_taken_for_the_lost_one(
    sandbox: Sandbox, claid: ClaidClient
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", access_key="AKIA0")
    sandbox.fault("cut", operation="create_storage", charged=False)
    with pytest.raises(ClaidAnswerLostError):
        claid.create_storage(bucket())


ROW = {"id": 7, "name": "shop", "type": "s3", "parameters": {"bucket": "pictures", "path": ""}}


def test_one_odd_row_of_the_list_does_not_take_the_others_along(
    client_of: ClientOf, scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    odd = [
        {**ROW, "id": None},
        {name: value for name, value in ROW.items() if name != "id"},
        {**ROW, "parameters": None},
        {**ROW, "parameters": {"bucket": "pictures", "path": None}},
        {**ROW, "type": None, "created_at": 1759312800},
    ]
    scripted.replies(as_json({"data": [*odd, {"id": 8}, None, "shop", ROW]}))
    storages = client_of(scripted.url).list_storages()
    assert [storage.name for storage in storages] == ["shop"] * 6
    assert [storage.id for storage in storages] == [None, None, 7, 7, 7, 7]
    assert [storage.parameters.path for storage in storages] == [""] * 6
    assert [storage.parameters.bucket for storage in storages][1:4] == ["pictures", None, "pictures"]
    assert caplog.text.count("A row of list_storages cannot be read") == 3


@pytest.mark.parametrize("reply", [Reply(204), Reply(200), Reply(202, b"null"), Reply(201, b'{"data": null}')])
def test_any_answer_of_success_is_one_and_the_storage_is_looked_up(
    reply: Reply, client_of: ClientOf, scripted: ScriptedServer
) -> None:
    client = client_of(scripted.url)
    scripted.replies(reply, as_json({"data": [ROW]}), as_json({"data": ROW}))
    assert client.create_storage(bucket()).id == 7
    scripted.replies(reply, as_json({"data": ROW}))
    assert client.update_storage(7, StoragePatch.of(path="a")).name == "shop"
    scripted.replies(reply)
    client.delete_storage(7)
    scripted.replies(reply)
    assert client.list_storages() == []


def test_a_storage_that_is_made_but_not_in_the_list_is_told_as_lost(
    client_of: ClientOf, scripted: ScriptedServer
) -> None:
    scripted.replies(Reply(204), as_json({"data": []}))
    with pytest.raises(ClaidAnswerLostError, match="costs nothing and is safe to repeat"):
        client_of(scripted.url).create_storage(bucket())
