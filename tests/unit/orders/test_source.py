from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_claid.client import ClaidValidationError
from airflow_claid.orders.source import Source, source
from airflow_claid.storage.object_storage import write_whole
from tests.conftest import Connect, s3_connection
from tests.support.scripted_server import Reply, ScriptedServer


class Storages:
    """Connected storages that cover the addresses they are told."""

    def __init__(self, **covered: str) -> None:
        self._covered = covered

    def covering(self, uri: str) -> str | None:
        return next((uri.replace(root, name) for name, root in self._covered.items() if uri.startswith(root)), None)


class ShopStorage(Storages):
    """``storage://shop/`` is one bucket."""

    def __init__(self, root: str) -> None:
        super().__init__(**{"storage://shop": root})


NONE = Storages()


@pytest.mark.parametrize(
    "path",
    ["https://shop.example/a/chair.png?size=1", "http://shop.example/chair.png", "storage://shop/a/chair.png"],
)
def test_what_claid_can_reach_goes_as_it_is(path: str) -> None:
    found = source(path, ShopStorage("https://shop.example"))
    assert found.address() == path
    assert found.path == path
    assert found.version is None
    assert found.stem == "chair"
    assert found.file_name == "chair.png"


def test_the_file_name_is_the_objects_own_though_it_has_a_hash(tmp_path: Path) -> None:
    (tmp_path / "chair#1?.png").write_bytes(b"picture")
    found = source(f"file://{tmp_path}/chair#1?.png", NONE)
    assert (found.file_name, found.content()) == ("chair#1?.png", b"picture")


def test_a_file_in_a_covered_bucket_is_read_by_claid_itself(s3: str) -> None:
    write_whole(f"{s3}/a/chair.png", b"picture")
    found = source(f"{s3}/a/chair.png", ShopStorage(s3))
    assert found.address() == "storage://shop/a/chair.png"
    assert found.version


def test_a_file_of_this_machine_is_sent_along(tmp_path: Path) -> None:
    (tmp_path / "chair.png").write_bytes(b"picture")
    found = source(f"file://{tmp_path}/chair.png", NONE)
    assert found.address() is None
    assert found.content() == b"picture"
    assert (found.stem, found.file_name) == ("chair", "chair.png")


@pytest.mark.parametrize("bucket", ["s3", "gcs"])
def test_a_file_that_claid_could_not_reach_by_a_link_is_sent_along(bucket: str, request: pytest.FixtureRequest) -> None:
    """Emulators sign for ``http://127.0.0.1`` or not at all; Claid would get nowhere with either."""
    path = f"{request.getfixturevalue(bucket)}/chair.png"
    write_whole(path, b"picture")
    found = source(path, NONE)
    assert found.address() is None
    assert found.content() == b"picture"


def test_a_bucket_that_signs_gives_a_link_of_an_hour_made_anew_each_time(
    connect: Connect, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn_id = connect(f"s3_{urlsplit(scripted.url).port}", **s3_connection(scripted.url))
    scripted.replies(Reply(200, headers={"ETag": '"abc"', "Last-Modified": "Thu, 01 Oct 2026 10:00:00 GMT"}))
    found = source(f"s3://{conn_id}@bucket/a/chair.png", NONE)
    assert found.version == '"abc"'
    asked = len(scripted.received)

    monkeypatch.setattr("airflow_claid.orders.source.scheme_of", lambda _: "https")  # as if it were outside
    link = found.address() or ""
    assert link.startswith(scripted.url)
    assert found.reached_unless_long() == found.reached() == link
    query = urlsplit(link).query
    assert "Signature=" in query
    assert "Expires=" in query
    assert len(scripted.received) == asked
    assert "Signature" not in repr(found)
    assert found.stem == "chair"


@pytest.mark.parametrize("kind", ["local", "s3", "gcs"])
def test_the_version_follows_the_content(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    root = f"file://{tmp_path}" if kind == "local" else request.getfixturevalue(kind)
    write_whole(f"{root}/a.png", b"first")
    first = source(f"{root}/a.png", NONE).version
    assert first == source(f"{root}/a.png", NONE).version
    write_whole(f"{root}/a.png", b"other")
    assert source(f"{root}/a.png", NONE).version != first


@pytest.mark.parametrize("kind", ["local", "s3", "gcs"])
def test_a_missing_file_and_a_folder_are_refused_before_anything_is_sent(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root = f"file://{tmp_path}" if kind == "local" else request.getfixturevalue(kind)
    write_whole(f"{root}/folder/a.png", b"picture")
    for path in (f"{root}/missing.png", f"{root}/folder", f"{root}/folder/"):
        with pytest.raises(ClaidValidationError) as caught:
            source(path, ShopStorage(root))
        assert f"input={path!r} does not exist, or is a folder: name one file" in str(caught.value)
        assert "Nothing was sent" in str(caught.value)


def test_a_file_that_goes_away_before_it_is_sent_along_is_told(tmp_path: Path) -> None:
    (tmp_path / "chair.png").write_bytes(b"picture")
    found = source(f"file://{tmp_path}/chair.png", NONE)
    (tmp_path / "chair.png").unlink()
    with pytest.raises(ClaidValidationError, match="does not exist"):
        found.content()


@pytest.mark.parametrize("path", ["", "chair.png", "/srv/chair.png", "data:image/png;base64,AAAA", "C:\\chair.png"])
def test_what_is_no_address_is_refused_with_the_forms_there_are(path: str) -> None:
    with pytest.raises(
        ClaidValidationError, match=r"is not an address: use https://…, storage://NAME/…, s3://…"
    ) as caught:
        source(path, NONE)
    assert f"input={path!r}" in str(caught.value)


def test_a_bucket_that_may_not_be_read_is_not_taken_for_a_missing_file(
    connect: Connect, scripted: ScriptedServer
) -> None:
    conn_id = connect(f"s3_{urlsplit(scripted.url).port}", **s3_connection(scripted.url))
    scripted.replies(Reply(403))
    with pytest.raises(PermissionError):
        source(f"s3://{conn_id}@bucket/a.png", NONE)


def test_an_input_that_is_quoted_as_a_link_is_refused_with_its_plain_address(tmp_path: Path) -> None:
    (tmp_path / "my chair.png").write_bytes(b"picture")
    with pytest.raises(ClaidValidationError) as caught:
        source((tmp_path / "my chair.png").as_uri(), NONE)
    assert "is quoted as a link is" in str(caught.value)
    assert f"use 'file://{tmp_path}/my chair.png'" in str(caught.value)
    (tmp_path / "50%20off.png").write_bytes(b"picture")
    assert source(f"file://{tmp_path}/50%20off.png", NONE).version


LONG = "https://bucket.test/chair.png?X-Amz-Security-Token=" + "t" * 600


def test_a_signed_link_that_may_be_too_long_is_sent_along_where_that_is_possible(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "chair.png").write_bytes(b"picture")
    found = Source(f"file://{tmp_path}/chair.png", "version", lambda: LONG)
    assert found.reached_unless_long() is None
    assert found.content() == b"picture"
    with caplog.at_level(logging.WARNING):
        assert found.reached() == LONG
    assert "name a limit of 512" in caplog.text
    assert "ttt" not in caplog.text


def test_a_users_long_link_is_sent_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    found = source(f"{LONG}&X-Amz-Signature=0", NONE)
    with caplog.at_level(logging.WARNING):
        assert found.reached_unless_long() == found.path
    assert "https://bucket.test/chair.png" in caplog.text
    assert "ttt" not in caplog.text


@pytest.mark.parametrize("path", ["https://[::1/a.png?sig=SESAME", "https://dam:SESAME@[/a.png"])
def test_a_link_that_cannot_be_read_is_refused_without_its_secrets(path: str) -> None:
    with pytest.raises(ClaidValidationError, match=r"input=.* is not an address") as caught:
        source(path, NONE)
    assert "SESAME" not in str(caught.value)


def test_neither_signature_nor_login_is_in_a_source_as_it_is_shown() -> None:
    found = source("https://dam:SESAME@dam.test/chair.png?sig=SESAME", NONE)
    assert found.shown == found.unsigned_path == "https://dam.test/chair.png"
    assert found.address() == found.path
    assert "SESAME" not in repr(found)
