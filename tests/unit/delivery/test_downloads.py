from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.delivery import downloads
from airflow_claid.delivery.download_rules import DEFAULT_HOSTS, DownloadRules, without_query
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.delivery.memory import MemoryBudget
from airflow_claid.errors import (
    DeadLinkError,
    DownloadFailedError,
    DownloadRefusedError,
    LinkNotAllowedError,
    PictureError,
)
from airflow_claid.sandbox import Sandbox
from tests.support.pictures import noise
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer

PNG = {"Content-Type": "image/png"}
PICTURE = noise()


def fetch(downloader: Downloader, link: str) -> bytes:
    with downloader.fetched(link) as content:
        return content


def _raising(error: Exception) -> Callable[..., None]:
    def get(*_: object, **__: object) -> None:
        raise error

    return get


@pytest.fixture
def downloader(scripted: ScriptedServer) -> Downloader:
    """Takes the scripted server for a sandbox, which may serve its own pictures."""
    return Downloader(DownloadRules(f"{scripted.url}/v1", max_bytes=100_000))


@pytest.fixture
def link(scripted: ScriptedServer) -> str:
    return f"{scripted.url}/tmp/a.png"


@pytest.fixture
def elsewhere() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.replies(Reply(200, PICTURE, PNG))
        yield server


def test_a_picture_arrives_whole(downloader: Downloader, scripted: ScriptedServer, link: str) -> None:
    scripted.replies(Reply(200, PICTURE, PNG))
    assert fetch(downloader, link) == PICTURE
    assert [request.path for request in scripted.received] == ["/tmp/a.png"]


def test_no_log_of_a_download_has_the_signature_of_its_link(
    downloader: Downloader, scripted: ScriptedServer, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for reply in (Reply(200, PICTURE, PNG), Reply(502), Reply(cut=True)):
        scripted.replies(reply)
        with suppress(PictureError):
            fetch(downloader, f"{link}?X-Goog-Signature=f00ba4")
    assert "/tmp/a.png?…" in caplog.text
    assert "f00ba4" not in caplog.text


def test_what_claid_generates_can_be_fetched(claid: ClaidClient, sandbox: Sandbox) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    content = fetch(Downloader(DownloadRules(claid.base_url)), link)
    assert content.startswith(b"\x89PNG")


def test_no_credentials_go_along_neither_the_key_nor_a_netrcs(
    downloader: Downloader, scripted: ScriptedServer, link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin somebody\npassword else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    scripted.replies(Reply(200, PICTURE, {**PNG, "Set-Cookie": "session=1"}))
    fetch(downloader, link)
    downloader.part(link, 0, 100_000)
    for request in scripted.received:
        assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    "address",
    [
        "https://dl.claid.ai/a/b.png",
        "https://DL.CLAID.AI/a/b.png",
        "https://storage.googleapis.com/bucket/a.png?X-Goog-Signature=1",
        "https://eu.dl.claid.ai:443/a.png",
        "https://production-leapi.storage.googleapis.com/a.png?X-Goog-Signature=1",
    ],
)
def test_links_to_claids_own_hosts_are_good(address: str) -> None:
    assert DownloadRules("https://api.claid.ai/v1").check(address) == address


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("http://dl.claid.ai/a.png?b=c", "https://dl.claid.ai/a.png?b=c"),
        ("HTTP://dl.claid.ai:80/a.png", "https://dl.claid.ai/a.png"),
        ("http://dl.claid.ai:8443/a.png", "https://dl.claid.ai:8443/a.png"),
    ],
)
def test_a_plain_http_link_on_a_host_of_the_list_is_followed_by_https(address: str, safe: str) -> None:
    assert DownloadRules("https://api.claid.ai/v1").check(address) == safe


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ftp://dl.claid.ai/a.png", "is not https"),
        ("file:///etc/passwd", "does not name a host"),
        ("data:image/png;base64,AAAA", "does not name a host"),
        ("", "does not name a host"),
        ("https://evil.example/a.png", "on the host 'evil.example', which is not on the list"),
        ("https://claid.ai.evil.example/a.png", "not on the list"),
        ("https://notclaid.ai/a.png", "not on the list"),
        ("https://evil.example/dl.claid.ai/a.png", "not on the list"),
        ("https://evil.example?.claid.ai/a.png", "not on the list"),
        ("https://evil.example#.claid.ai", "not on the list"),
        ("https://evil.example\\.claid.ai/a.png", "does not name a host"),
        ("https://127.0.0.1\\@dl.claid.ai/a.png", "does not name a host"),
        ("https://dl.claid.ai@evil.example/a.png", "does not name a host"),
        ("https://user:password@dl.claid.ai/a.png", "does not name a host"),
        ("https://evil.example\uff0f.claid.ai/a.png", "does not name a host"),
        ("https://[::1/a.png", "does not name a host"),
        ("https://dl.claid.ai:99999/a.png", "does not name a host"),
        ("https://evil.example%2f.claid.ai/a.png", "does not name a host"),
        ("https://127.0.0.1/a.png", "not on the list"),
        ("https://10.0.0.5/a.png", "not on the list"),
        ("https://169.254.169.254/latest/meta-data/", "not on the list"),
        ("https://[::1]/a.png", "not on the list"),
        ("https://2130706433/a.png", "not on the list"),
        ("http://127.0.0.1:8765/a.png", "not on the list.*as http://127.0.0.1:8765 if it has no https"),
        ("http://localhost/a.png", "not on the list"),
        ("http://evil.example/a.png", "not on the list"),
        ("gopher://dl.claid.ai/a.png", "is not https"),
        ("http://[", "does not name a host"),
    ],
)
def test_a_link_that_must_not_be_followed_is_refused_before_anything_is_sent(address: str, reason: str) -> None:
    downloader = Downloader(DownloadRules("https://api.claid.ai/v1"))
    for follow in (lambda link: fetch(downloader, link), lambda link: downloader.part(link, 0, 5)):
        with pytest.raises(LinkNotAllowedError, match=reason) as caught:
            follow(address)
        assert not caught.value.retryable


def test_a_refusal_shows_no_password() -> None:
    for address in ("https://somebody:secret@dl.claid.ai/a.png", "https://cdn.example/a.png?sig=secret#secret"):
        with pytest.raises(LinkNotAllowedError) as caught:
            DownloadRules("https://api.claid.ai/v1").check(address)
        assert "secret" not in str(caught.value)
    assert without_query("s3://connection@bucket/a.png") == "s3://connection@bucket/a.png"


def test_the_refusal_tells_how_to_allow_a_host() -> None:
    with pytest.raises(LinkNotAllowedError, match="add it to download_hosts in the connection's extra"):
        DownloadRules("https://api.claid.ai/v1").check("https://cdn.example/a.png")
    DownloadRules("https://api.claid.ai/v1", hosts=(*DEFAULT_HOSTS, "cdn.example")).check("https://cdn.example/a.png")


def test_a_sandbox_may_serve_its_own_pictures_and_only_those(
    downloader: Downloader, scripted: ScriptedServer, elsewhere: ScriptedServer
) -> None:
    scripted.replies(Reply(200, PICTURE, PNG))
    assert fetch(downloader, f"{scripted.url}/tmp/a.png") == PICTURE
    for address in (f"{elsewhere.url}/a.png", scripted.url.replace("127.0.0.1", "localhost") + "/a.png"):
        with pytest.raises(LinkNotAllowedError, match="not on the list"):
            fetch(downloader, address)
    assert elsewhere.received == []


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(LinkNotAllowedError, match="not on the list"):
        DownloadRules("http://claid.internal:8765/v1").check("http://claid.internal:8765/tmp/a.png")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_one_redirect_to_an_allowed_host_is_followed(
    scripted: ScriptedServer, elsewhere: ScriptedServer, link: str, status: int
) -> None:
    downloader = Downloader(DownloadRules(f"{scripted.url}/v1", hosts=(elsewhere.url,)))
    scripted.replies(Reply(status, headers={"Location": f"{elsewhere.url}/b.png?c=d"}))
    assert fetch(downloader, link) == PICTURE
    assert downloader.part(link, 0, 9) == (PICTURE[:9], len(PICTURE))
    assert [request.path for request in elsewhere.received] == ["/b.png?c=d"] * 2
    assert all("Authorization" not in request.headers for request in elsewhere.received)


def test_a_redirect_to_a_path_stays_on_the_host(downloader: Downloader, scripted: ScriptedServer, link: str) -> None:
    scripted.replies(Reply(302, headers={"Location": "../b.png"}), Reply(200, PICTURE, PNG))
    assert fetch(downloader, link) == PICTURE
    assert [request.path for request in scripted.received] == ["/tmp/a.png", "/b.png"]


def test_a_second_redirect_is_not_followed(scripted: ScriptedServer, elsewhere: ScriptedServer, link: str) -> None:
    downloader = Downloader(DownloadRules(f"{scripted.url}/v1", hosts=(elsewhere.url,)))
    scripted.replies(Reply(302, headers={"Location": "/tmp/b.png"}), Reply(302, headers={"Location": elsewhere.url}))
    with pytest.raises(LinkNotAllowedError, match="more than once"):
        fetch(downloader, link)
    assert len(scripted.received) == 2
    assert elsewhere.received == []


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("{elsewhere}/a.png?X-Amz-Signature=secret", "not on the list"),
        ("http://169.254.169.254/latest/meta-data/", "not on the list"),
        ("//evil.example/a.png", "not on the list"),
        ("file:///etc/passwd", "does not name a host"),
        ("ftp://dl.claid.ai/a.png", "is not https"),
        ("https://user:secret@dl.claid.ai/a.png", "does not name a host"),
        ("http://[", "no address|does not name a host"),
        ("https://[::1/a.png", "no address|does not name a host"),
        ("", "without saying where"),
    ],
)
def test_a_redirect_that_must_not_be_followed_is_that_pictures_error(
    downloader: Downloader, scripted: ScriptedServer, elsewhere: ScriptedServer, link: str, target: str, reason: str
) -> None:
    scripted.replies(Reply(302, headers={"Location": target.format(elsewhere=elsewhere.url)}))
    with pytest.raises(LinkNotAllowedError, match=reason) as caught:
        fetch(downloader, link)
    assert "secret" not in str(caught.value)
    assert elsewhere.received == []
    assert len(scripted.received) == 1


@pytest.mark.parametrize("length", ["true", "none"])
def test_a_body_larger_than_the_cap_is_refused_announced_or_not(
    downloader: Downloader, scripted: ScriptedServer, link: str, length: str
) -> None:
    scripted.replies(Reply(200, b"x" * 100_001, PNG, length=length))
    with pytest.raises(DownloadRefusedError, match="more than 100000 bytes, which is the cap"):
        fetch(downloader, link)
    assert len(scripted.received) == 1
    scripted.replies(Reply(200, b"x" * 100_000, PNG, length=length))
    assert len(fetch(downloader, link)) == 100_000


def test_an_endless_body_is_left_at_the_cap(sandbox: Sandbox, claid: ClaidClient) -> None:
    sandbox.fault("huge", operation="download")
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    with pytest.raises(DownloadRefusedError, match="the cap"):
        fetch(Downloader(DownloadRules(claid.base_url, max_bytes=1_000_000)), link)


def test_a_small_body_that_unpacks_beyond_the_cap_is_refused(
    downloader: Downloader, scripted: ScriptedServer, link: str
) -> None:
    packed = gzip.compress(bytes(50_000_000))
    assert len(packed) < 100_000
    scripted.replies(Reply(200, packed, {**PNG, "Content-Encoding": "gzip"}))
    with pytest.raises(DownloadRefusedError, match="the cap"):
        fetch(downloader, link)


@pytest.mark.parametrize(
    "kind",
    ["image/png", "IMAGE/PNG", "application/octet-stream", "binary/octet-stream", "text/plain", "video/mp4", "²", ""],
)
def test_the_bytes_tell_and_not_the_type(
    downloader: Downloader, scripted: ScriptedServer, link: str, kind: str
) -> None:
    scripted.replies(Reply(200, PICTURE, {"Content-Type": kind} if kind else {}))
    assert fetch(downloader, link) == PICTURE


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "²"},
        {"Content-Length": "9" * 5000},
        {"Content-Length": "-1"},
        {"Content-Length": "1, 2"},
        {"Content-Encoding": "gzip"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_no_header_raises_anything_but_that_pictures_error(
    downloader: Downloader, scripted: ScriptedServer, link: str, headers: dict[str, str]
) -> None:
    scripted.replies(Reply(200, PICTURE, {**PNG, **headers}, length="none"))
    for follow in (lambda: fetch(downloader, link), lambda: downloader.part(link, 0, 10)[0]):
        with suppress(PictureError):
            assert PICTURE.startswith(follow())


def test_what_the_network_library_raises_is_that_pictures_error(
    downloader: Downloader, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (ValueError("x"), OSError("no CA bundle"), MemoryError(), RecursionError(), UnicodeError("x")):
        monkeypatch.setattr(downloader._adapter, "send", _raising(error))
        with pytest.raises(DownloadFailedError, match=type(error).__name__):
            fetch(downloader, link)


def test_a_body_that_drips_is_left_after_the_time_limit(scripted: ScriptedServer, link: str) -> None:
    seconds = iter(range(0, 100_000, 400))
    downloader = Downloader(DownloadRules(f"{scripted.url}/v1"), clock=lambda: next(seconds))
    scripted.replies(Reply(200, bytes(1_000_000), PNG))
    with pytest.raises(DownloadFailedError, match="not arrive within 600 seconds"):
        fetch(downloader, link)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_expired_link_is_dead_and_not_asked_again(
    downloader: Downloader, scripted: ScriptedServer, link: str, status: int
) -> None:
    scripted.replies(Reply(status, b"<Error><Code>ExpiredToken</Code></Error>", {"Content-Type": "application/xml"}))
    with pytest.raises(DeadLinkError, match=f"answered {status}: the link is dead"):
        fetch(downloader, link)
    with pytest.raises(DeadLinkError):
        downloader.part(link, 0, 10)
    assert len(scripted.received) == 2


def test_a_link_of_claid_is_dead_after_24_hours(claid: ClaidClient, sandbox: Sandbox) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    downloader = Downloader(DownloadRules(claid.base_url))
    sandbox.advance(24 * 3600 - 1)
    assert fetch(downloader, link)
    sandbox.advance(2)
    with pytest.raises(DeadLinkError):
        fetch(downloader, link)


@pytest.mark.parametrize(
    "broken",
    [Reply(500), Reply(503, b"<html>"), Reply(429), Reply(cut=True), Reply(200, PICTURE[:-9], PNG, length=9999)],
)
def test_what_did_not_arrive_is_asked_for_four_times(
    downloader: Downloader, scripted: ScriptedServer, link: str, broken: Reply
) -> None:
    scripted.replies(broken, broken, broken, Reply(200, PICTURE, PNG))
    assert fetch(downloader, link) == PICTURE
    assert len(scripted.received) == 4
    scripted.replies(broken)
    with pytest.raises(DownloadFailedError) as caught:
        fetch(downloader, link)
    assert caught.value.retryable
    assert len(scripted.received) == 8


def test_a_truncated_picture_is_never_taken_for_a_whole_one(sandbox: Sandbox, claid: ClaidClient) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    downloader = Downloader(DownloadRules(claid.base_url))
    whole = fetch(downloader, link)
    sandbox.fault("truncated", operation="download")
    assert fetch(downloader, link) == whole
    sandbox.fault("truncated", operation="download", count=4)
    with pytest.raises(DownloadFailedError):
        fetch(downloader, link)


def test_a_host_that_is_not_there_is_told_as_such() -> None:
    base = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(DownloadFailedError, match="did not arrive: ConnectionError"):
        fetch(Downloader(DownloadRules(base)), f"{base}/a.png")


def test_a_picture_that_stops_coming_is_given_up(sandbox: Sandbox, claid: ClaidClient) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    sandbox.fault("slow", operation="download", seconds=40, count=4)
    with pytest.raises(DownloadFailedError):
        fetch(Downloader(DownloadRules(claid.base_url, timeout=(1, 0.1))), link)


def test_a_part_of_a_picture_is_read_from_a_server_that_knows_ranges(
    downloader: Downloader, scripted: ScriptedServer, link: str
) -> None:
    scripted.replies(Reply(206, PICTURE[5:9], {**PNG, "Content-Range": f"bytes 5-8/{len(PICTURE)}"}))
    assert downloader.part(link, 5, 9) == (PICTURE[5:9], len(PICTURE))
    assert scripted.received[0].headers["Range"] == "bytes=5-8"
    scripted.replies(Reply(206, PICTURE[5:9], {**PNG, "Content-Range": "bytes 5-8/*"}))
    assert downloader.part(link, 5, 9) == (PICTURE[5:9], None)
    scripted.replies(Reply(416, b"", {**PNG, "Content-Range": "bytes */0"}))
    assert downloader.part(link, 0, 9) == (b"", 0)


@pytest.mark.parametrize("length", ["true", "none"])
def test_a_part_of_a_picture_is_read_from_a_server_that_knows_none(
    downloader: Downloader, scripted: ScriptedServer, link: str, length: str
) -> None:
    scripted.replies(Reply(200, PICTURE, PNG, length=length))
    size = len(PICTURE) if length == "true" else None
    assert downloader.part(link, 5, 9) == (PICTURE[5:9], size)
    assert downloader.part(link, 5, 10**6) == (PICTURE[5:], size)


class TestMemory:
    """Bytes of pictures count in one budget."""

    @pytest.fixture
    def files(self, monkeypatch: pytest.MonkeyPatch) -> MemoryBudget:
        budget = MemoryBudget(100_000)
        monkeypatch.setattr(downloads, "FILES", budget)
        monkeypatch.setattr(downloads, "_STEP", 1_000)
        return budget

    def test_so_long_as_a_picture_is_in_hand_its_bytes_are_reserved(
        self, downloader: Downloader, scripted: ScriptedServer, link: str, files: MemoryBudget
    ) -> None:
        scripted.replies(Reply(200, PICTURE, PNG))
        with downloader.fetched(link), files.reservation() as rest:
            assert not rest.grows_to(100_000 - len(PICTURE) + 1)
            assert rest.grows_to(100_000 - len(PICTURE))
        with files.reservation() as rest:
            assert rest.grows_to(100_000)

    @pytest.mark.parametrize("length", ["true", "none"])
    def test_where_no_memory_is_free_a_picture_waits_without_a_connection(
        self, downloader: Downloader, scripted: ScriptedServer, link: str, files: MemoryBudget, length: str
    ) -> None:
        scripted.replies(Reply(200, PICTURE, PNG, length=length))
        arrived: list[bytes] = []
        with files.reservation(95_000):
            thread = threading.Thread(target=lambda: arrived.append(fetch(downloader, link)))
            thread.start()
            while thread.is_alive() and not files.waiting:
                thread.join(0.01)
            assert thread.is_alive()
            assert arrived == []
        thread.join()
        assert arrived == [PICTURE]
        assert len(scripted.received) == 2

    def test_what_fails_gives_its_memory_back(
        self, downloader: Downloader, scripted: ScriptedServer, link: str, files: MemoryBudget
    ) -> None:
        scripted.replies(Reply(200, PICTURE[:-9], PNG, length=9999))
        with pytest.raises(DownloadFailedError):
            fetch(downloader, link)
        with files.reservation() as rest:
            assert rest.grows_to(100_000)


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(302), Reply(304), Reply(500), Reply(200, b"<html>", length=99), Reply(cut=True)]
)
def test_no_error_shows_a_signature(downloader: Downloader, scripted: ScriptedServer, link: str, reply: Reply) -> None:
    scripted.replies(reply)
    with pytest.raises(PictureError) as caught:
        fetch(downloader, f"{link}?X-Goog-Signature=secret")
    assert "secret" not in str(caught.value)
    assert link in str(caught.value)
    assert without_query(f"{link}?X-Goog-Signature=secret") == link
