from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_claid.operators import ConnectStorageOperator, DisconnectStorageOperator, ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.scripted_server import Reply, ScriptedServer, as_json
from tests.unit.client.test_storage_operations import everything_told
from tests.unit.operators.conftest import NewTry

SECRET = "wJalrXUtnFEMI-never-to-be-seen"
GOOGLE_SECRET = "bGoa+V7g/yqDXvKRqq-never-to-be-seen"


@pytest.fixture(autouse=True)
def keys(connect: Connect) -> None:
    connect("shop_aws", conn_type="aws", login="AKIA1", password=SECRET)
    hmac = {"hmac_access_key": "GOOG1", "hmac_secret": GOOGLE_SECRET}
    connect("shop_google", conn_type="google_cloud_platform", extra={**hmac, "project": "p"})


def connecting(**parameters: Any) -> ConnectStorageOperator:
    usual = {"task_id": "connect", "name": "shop", "connection_id": "shop_aws", "bucket": "pictures"}
    return ConnectStorageOperator(**{**usual, **parameters})


def sent(sandbox: Sandbox) -> list[str]:
    """The operations that change something."""
    names = ("create_storage", "update_storage", "delete_storage")
    return [entry.operation for entry in sandbox.ledger() if entry.operation in names]


def settings(sandbox: Sandbox) -> Any:
    """The one storage of the account, as Claid keeps it."""
    (storage,) = sandbox.service.storages.all()
    return storage.settings


@pytest.mark.parametrize(
    ("connection_id", "kind", "access_key", "secret"),
    [("shop_aws", "s3", "AKIA1", SECRET), ("shop_google", "gcs", "GOOG1", GOOGLE_SECRET)],
)
def test_a_bucket_is_connected_by_the_keys_of_an_airflow_connection(
    connection_id: str, kind: str, access_key: str, secret: str, sandbox: Sandbox, new_try: NewTry
) -> None:
    address = new_try()(connecting(connection_id=connection_id, path="/catalogue/2026/"))
    assert address == "storage://shop/"
    kept = settings(sandbox)
    assert (kept.name, kept.type, kept.bucket, kept.path) == ("shop", kind, "pictures", "catalogue/2026")
    assert (kept.access_key, kept.secret_access_key) == (access_key, secret)
    assert sandbox.charged() == 0


def test_google_keys_may_be_login_and_password(sandbox: Sandbox, new_try: NewTry, connect: Connect) -> None:
    connect("hmac", conn_type="google_cloud_platform", login="GOOG2", password=GOOGLE_SECRET)
    new_try()(connecting(connection_id="hmac"))
    assert (settings(sandbox).access_key, settings(sandbox).secret_access_key) == ("GOOG2", GOOGLE_SECRET)


def test_the_amazon_provider_finds_a_key_pair_where_the_connection_names_none(
    sandbox: Sandbox, new_try: NewTry, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA9")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    connect("ambient", conn_type="aws", extra={"region_name": "us-east-1"})
    new_try()(connecting(connection_id="ambient"))
    assert (settings(sandbox).access_key, settings(sandbox).secret_access_key) == ("AKIA9", SECRET)


def test_pictures_generated_into_the_connected_storage_lie_in_the_bucket(
    sandbox: Sandbox, new_try: NewTry, connect: Connect, s3: str, s3_client: Any, s3_endpoint: str
) -> None:
    bucket = s3.partition("@")[2]
    sandbox.service.storages.locate(bucket, s3_endpoint)
    root = new_try()(connecting(connection_id="moto", bucket=bucket, path="catalogue"))
    (path,) = new_try()(ImageGenerationOperator(task_id="g", prompt="A linen sofa", output=f"{root}spring/"))
    objects = s3_client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in objects] == ["catalogue/" + path.removeprefix("storage://shop/")]


def test_again_nothing_is_sent_unless_something_differs(sandbox: Sandbox, new_try: NewTry, connect: Connect) -> None:
    new_try()(connecting(path="catalogue"))
    assert new_try()(connecting(path="catalogue/")) == "storage://shop/"
    assert sent(sandbox) == ["create_storage"]

    new_try()(connecting(bucket="others", path="catalogue"))
    assert sandbox.ledger()[-1].request == {"parameters": {"bucket": "others"}}
    new_try()(connecting(bucket="others"))
    assert sandbox.ledger()[-1].request == {"parameters": {"path": ""}}
    connect("shop_aws", conn_type="aws", login="AKIA2", password="a new secret")
    new_try()(connecting(bucket="others"))
    assert (settings(sandbox).access_key, settings(sandbox).secret_access_key) == ("AKIA2", "a new secret")
    assert sent(sandbox) == ["create_storage", *["update_storage"] * 3]


ROW = {"id": 7, "name": "shop", "type": "s3", "parameters": {"bucket": "pictures", "path": ""}}


@pytest.mark.parametrize(
    "replies",
    [
        [as_json({"data": [ROW]}), as_json({"data": ROW})],
        [as_json({"data": [ROW]}), as_json({"data": {**ROW, "parameters": {"bucket": "pictures", "path": None}}})],
        [as_json({"data": [ROW]}), as_json({"data": {**ROW, "parameters": None}})],
        [as_json({"data": [ROW]}), Reply(204)],
        [as_json({"data": [{**ROW, "id": None}]})],
        [as_json({"data": [{"id": 8}, None, {**ROW, "type": None}]}), as_json({"data": {**ROW, "type": None}})],
    ],
)
def test_nothing_is_changed_where_claid_does_not_tell_all(
    replies: list[Reply], new_try: NewTry, connect: Connect, scripted: ScriptedServer
) -> None:
    run = new_try()
    connect("claid_default", conn_type="claid", host=scripted.url, password="key-of-a-test")
    scripted.replies(*replies)
    assert run(connecting()) == "storage://shop/"
    assert [one.method for one in scripted.received] == ["GET"] * len(replies)


def test_a_key_pair_is_sent_when_told_though_claid_tells_no_access_key(
    new_try: NewTry, connect: Connect, scripted: ScriptedServer
) -> None:
    run = new_try()
    connect("claid_default", conn_type="claid", host=scripted.url, password="key-of-a-test")
    scripted.replies(as_json({"data": [ROW]}), as_json({"data": ROW}), Reply(204), as_json({"data": ROW}))
    run(connecting(rotate=True))
    assert [one.method for one in scripted.received] == ["GET", "GET", "PATCH", "GET"]


def test_a_storage_whose_id_is_not_told_cannot_be_changed(
    new_try: NewTry, connect: Connect, scripted: ScriptedServer
) -> None:
    run = new_try()
    connect("claid_default", conn_type="claid", host=scripted.url, password="key-of-a-test")
    scripted.replies(as_json({"data": [{**ROW, "id": None}]}))
    with pytest.raises(AirflowFailException, match="does not tell this storage's id"):
        run(connecting(bucket="others"))


@pytest.mark.parametrize("rotate", [True, "True", "true"])
def test_a_new_secret_of_the_same_access_key_is_sent_when_told(
    rotate: Any, sandbox: Sandbox, new_try: NewTry, connect: Connect
) -> None:
    new_try()(connecting())
    connect("shop_aws", conn_type="aws", login="AKIA1", password="a new secret")
    new_try()(connecting())
    assert settings(sandbox).secret_access_key == SECRET
    new_try()(connecting(rotate=rotate))
    assert settings(sandbox).secret_access_key == "a new secret"
    assert settings(sandbox).bucket == "pictures"


@pytest.mark.parametrize("kind", ["gcs", "web_folder"])
def test_a_storage_of_another_type_is_left_alone(kind: str, sandbox: Sandbox, new_try: NewTry) -> None:
    sandbox.connect_storage("shop", bucket="https://a.example" if kind == "web_folder" else "pictures", type=kind)
    with pytest.raises(AirflowFailException, match=f"of type '{kind}'.*DisconnectStorageOperator"):
        new_try()(connecting(rotate=True))
    assert sent(sandbox) == []


def test_a_try_whose_answer_is_lost_is_mended_without_a_second_storage(sandbox: Sandbox, new_try: NewTry) -> None:
    sandbox.fault("cut", operation="create_storage", charged=True)
    assert new_try()(connecting()) == "storage://shop/"
    assert sent(sandbox) == ["create_storage"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"conn_type": "aws", "login": "ASIA1", "password": SECRET}, "temporary keys"),
        ({"conn_type": "aws", "login": "AKIA1", "password": SECRET, "extra": {"role_arn": "arn:x"}}, "has role_arn"),
        (
            {"conn_type": "aws", "login": "A", "password": SECRET, "extra": {"aws_session_token": SECRET}},
            "has aws_session_token",
        ),
        ({"conn_type": "aws"}, "has no login and password"),
        ({"conn_type": "google_cloud_platform", "extra": {"key_path": "/k.json"}}, "gcloud storage hmac create"),
        ({"conn_type": "google_cloud_platform", "extra": {"hmac_access_key": "GOOG1"}}, "has no HMAC key"),
        ({"conn_type": "http", "password": SECRET}, "is of type 'http': use one of type 'aws'"),
        (None, "is not defined"),
    ],
)
def test_a_connection_without_a_usable_key_pair_is_refused_with_the_remedy(
    fields: dict[str, Any] | None,
    problem: str,
    sandbox: Sandbox,
    new_try: NewTry,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    if fields is not None:
        connect("unusable", **fields)
    with pytest.raises(AirflowFailException) as refused:
        new_try()(connecting(connection_id="unusable"))
    assert "connection_id='unusable'" in str(refused.value)
    assert problem in str(refused.value)
    assert SECRET not in everything_told(refused.value)
    assert sent(sandbox) == []


@pytest.mark.parametrize(
    ("parameters", "remedy"),
    [
        ({"name": "x" * 51}, "shorten it by 1"),
        ({"name": "shop/spring"}, "folders belong in path"),
        ({"name": ""}, "such as 'shop'"),
        ({"bucket": ""}, "must name the bucket"),
        ({"bucket": "s3://pictures/a/"}, "use bucket='pictures' and path='a'"),
        ({"path": "../a"}, "must not climb"),
        ({"rotate": "perhaps"}, "true or false"),
    ],
)
def test_a_wrong_parameter_is_refused_when_the_dag_is_parsed_or_the_task_starts(
    parameters: dict[str, Any], remedy: str, sandbox: Sandbox, new_try: NewTry
) -> None:
    with pytest.raises(AirflowFailException, match=remedy):
        connecting(**parameters)
    templated = connecting(**dict.fromkeys(parameters, "{{ params.value }}"))
    for name, value in parameters.items():
        setattr(templated, name, value)
    with pytest.raises(AirflowFailException, match=remedy):
        new_try()(templated)
    assert sandbox.ledger() == []


def test_a_key_without_the_scope_fails_at_once(sandbox: Sandbox, new_try: NewTry, connect: Connect) -> None:
    run = new_try()
    sandbox.add_key("pictures-only-key", scopes={"image_editing"})
    connect("claid_default", conn_type="claid", password="pictures-only-key", host=sandbox.url)
    with pytest.raises(AirflowFailException, match="scope 'storage'"):
        run(connecting())


def test_a_storage_is_disconnected_and_its_bucket_keeps_all_it_has(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Any
) -> None:
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    (path,) = new_try()(ImageGenerationOperator(task_id="g", prompt="A linen sofa", output="storage://shop/a/"))
    run = new_try()
    assert run(DisconnectStorageOperator(task_id="d", name="shop")) is None
    assert sandbox.service.storages.all() == []
    assert (tmp_path / path.removeprefix("storage://shop/")).exists()
    run(DisconnectStorageOperator(task_id="d", name="shop"))
    with pytest.raises(AirflowFailException, match="no such storage"):
        run(DisconnectStorageOperator(task_id="d", name="shop", missing_ok="False"))
    assert sent(sandbox) == ["delete_storage"]


@pytest.mark.parametrize(("name", "remedy"), [("", "such as"), ("a/b", "folders"), ("x" * 51, "shorten")])
def test_a_wrong_name_to_disconnect_is_refused(name: str, remedy: str, new_try: NewTry) -> None:
    with pytest.raises(AirflowFailException, match=remedy):
        DisconnectStorageOperator(task_id="d", name=name)
    templated = DisconnectStorageOperator(task_id="d", name="{{ params.name }}")
    templated.name = name
    with pytest.raises(AirflowFailException, match=remedy):
        new_try()(templated)


def test_the_secret_is_in_no_log_error_xcom_or_rendered_field(
    sandbox: Sandbox,
    new_try: NewTry,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    run = new_try()
    for connection_id, name in (("shop_aws", "one"), ("shop_google", "two")):
        operator = connecting(connection_id=connection_id, name=name)
        returned = run(operator)
        run(connecting(connection_id=connection_id, name=name, rotate=True, path="other"))
        rendered = {field: getattr(operator, field) for field in operator.template_fields}
        shown = json.dumps([returned, rendered, run.ti.pushed]) + repr(vars(operator)) + repr(vars(operator.hook))
        assert SECRET not in shown
        assert GOOGLE_SECRET not in shown
        for kind in ("cut", "500"):
            sandbox.fault(kind, operation="update_storage")
            with pytest.raises(Exception, match="update_storage") as failed:
                run(connecting(connection_id=connection_id, name=name, rotate=True))
            assert SECRET not in everything_told(failed.value)
    told = caplog.text + "".join(capfd.readouterr())
    assert "Connected the storage" in told
    assert "Changed the storage" in told
    assert SECRET not in told
    assert GOOGLE_SECRET not in told


def test_the_template_fields_are_attributes() -> None:
    for operator in (connecting(), DisconnectStorageOperator(task_id="d", name="shop")):
        assert all(hasattr(operator, field) for field in operator.template_fields)
        assert "claid_conn_id" in operator.template_fields
