from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_claid.client import ClaidClient
from airflow_claid.delivery import downloads
from airflow_claid.delivery.downloads import DEFAULT_HOSTS, Downloader, DownloadRules, without_query
from airflow_claid.errors import DeadLinkError, DownloadFailedError, DownloadRefusedError, PictureError
from airflow_claid.sandbox import Sandbox
from tests.support.pictures import noise
from tests.support.processes import free_port
from tests.support.scripted_server import Reply, ScriptedServer

PNG = {"Content-Type": "image/png"}
PICTURE = noise()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts no time passes."""
    monkeypatch.setattr(downloads._attempts, "sleep", lambda _: None)


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
    assert downloader.fetch(link) == PICTURE
    assert [request.path for request in scripted.received] == ["/tmp/a.png"]


def test_what_claid_generates_can_be_fetched(claid: ClaidClient, sandbox: Sandbox) -> None:
    content = Downloader(DownloadRules(claid.base_url)).fetch(
        claid.generate_image("a red bicycle").output[0].tmp_url or ""
    )
    assert content.startswith(b"\x89PNG")


def test_no_credentials_go_along_neither_the_key_nor_a_netrcs(
    downloader: Downloader, scripted: ScriptedServer, link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin somebody\npassword else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    scripted.replies(Reply(200, PICTURE, {**PNG, "Set-Cookie": "session=1"}))
    downloader.fetch(link)
    downloader.fetch_if_small(link, 100_000)
    for request in scripted.received:
        assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    "address",
    [
        "https://dl.claid.ai/a/b.png",
        "https://DL.CLAID.AI/a/b.png",
        "https://storage.googleapis.com/bucket/a.png?X-Goog-Signature=1",
        "https://eu.dl.claid.ai:443/a.png",
    ],
)
def test_links_to_claids_own_hosts_are_good(address: str) -> None:
    DownloadRules("https://api.claid.ai/v1").check(address)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://dl.claid.ai/a.png", "is not https"),
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
        ("http://127.0.0.1:8765/a.png", "is not https"),
        ("http://localhost/a.png", "is not https"),
    ],
)
def test_a_link_that_must_not_be_followed_is_refused_before_anything_is_sent(address: str, reason: str) -> None:
    downloader = Downloader(DownloadRules("https://api.claid.ai/v1"))
    for fetch in (downloader.fetch, lambda link: downloader.fetch_if_small(link, 5)):
        with pytest.raises(DownloadRefusedError, match=reason) as caught:
            fetch(address)
        assert not caught.value.retryable


def test_the_refusal_tells_how_to_allow_a_host() -> None:
    with pytest.raises(DownloadRefusedError, match="add it to download_hosts in the connection's extra"):
        DownloadRules("https://api.claid.ai/v1").check("https://cdn.example/a.png")
    DownloadRules("https://api.claid.ai/v1", hosts=(*DEFAULT_HOSTS, "cdn.example")).check("https://cdn.example/a.png")


def test_a_sandbox_may_serve_its_own_pictures_and_only_those(
    downloader: Downloader, scripted: ScriptedServer, elsewhere: ScriptedServer
) -> None:
    scripted.replies(Reply(200, PICTURE, PNG))
    assert downloader.fetch(f"{scripted.url}/tmp/a.png") == PICTURE
    for address in (f"{elsewhere.url}/a.png", scripted.url.replace("127.0.0.1", "localhost") + "/a.png"):
        with pytest.raises(DownloadRefusedError, match="not https"):
            downloader.fetch(address)
    assert elsewhere.received == []


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(DownloadRefusedError, match="not https"):
        DownloadRules("http://claid.internal:8765/v1").check("http://claid.internal:8765/tmp/a.png")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(
    downloader: Downloader, scripted: ScriptedServer, elsewhere: ScriptedServer, link: str, status: int
) -> None:
    scripted.replies(Reply(status, headers={"Location": f"{elsewhere.url}/a.png"}))
    with pytest.raises(DownloadRefusedError, match="redirects are not followed"):
        downloader.fetch(link)
    assert elsewhere.received == []
    assert len(scripted.received) == 1


def test_a_redirect_to_the_same_host_is_not_followed_either(
    downloader: Downloader, scripted: ScriptedServer, link: str
) -> None:
    scripted.replies(Reply(302, headers={"Location": "/tmp/b.png"}), Reply(200, PICTURE, PNG))
    with pytest.raises(DownloadRefusedError):
        downloader.fetch(link)
    assert len(scripted.received) == 1


@pytest.mark.parametrize("length", ["true", "none"])
def test_a_body_larger_than_the_cap_is_refused_announced_or_not(
    downloader: Downloader, scripted: ScriptedServer, link: str, length: str
) -> None:
    scripted.replies(Reply(200, b"x" * 100_001, PNG, length=length))
    with pytest.raises(DownloadRefusedError, match="more than 100000 bytes, which is the cap"):
        downloader.fetch(link)
    assert len(scripted.received) == 1
    scripted.replies(Reply(200, b"x" * 100_000, PNG, length=length))
    assert len(downloader.fetch(link)) == 100_000


def test_an_endless_body_is_left_at_the_cap(sandbox: Sandbox, claid: ClaidClient) -> None:
    sandbox.fault("huge", operation="download")
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    with pytest.raises(DownloadRefusedError, match="the cap"):
        Downloader(DownloadRules(claid.base_url, max_bytes=1_000_000)).fetch(link)


def test_a_small_body_that_unpacks_beyond_the_cap_is_refused(
    downloader: Downloader, scripted: ScriptedServer, link: str
) -> None:
    packed = gzip.compress(bytes(50_000_000))
    assert len(packed) < 100_000
    scripted.replies(Reply(200, packed, {**PNG, "Content-Encoding": "gzip"}))
    with pytest.raises(DownloadRefusedError, match="the cap"):
        downloader.fetch(link)


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", "text/plain", "application/xml"])
def test_a_page_that_is_named_png_is_refused(
    downloader: Downloader, scripted: ScriptedServer, link: str, kind: str
) -> None:
    scripted.replies(Reply(200, b"<html>Sign in</html>", {"Content-Type": kind}))
    with pytest.raises(DownloadRefusedError, match=f"gave '{kind.split(';')[0]}', not a picture"):
        downloader.fetch(link)


@pytest.mark.parametrize("kind", ["image/png", "IMAGE/PNG", "application/octet-stream", "video/mp4", ""])
def test_types_that_buckets_give_are_taken(
    downloader: Downloader, scripted: ScriptedServer, link: str, kind: str
) -> None:
    scripted.replies(Reply(200, PICTURE, {"Content-Type": kind} if kind else {}))
    assert downloader.fetch(link) == PICTURE


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_expired_link_is_dead_and_not_asked_again(
    downloader: Downloader, scripted: ScriptedServer, link: str, status: int
) -> None:
    scripted.replies(Reply(status, b"<Error><Code>ExpiredToken</Code></Error>", {"Content-Type": "application/xml"}))
    with pytest.raises(DeadLinkError, match=f"answered {status}: the link is dead"):
        downloader.fetch(link)
    with pytest.raises(DeadLinkError):
        downloader.fetch_if_small(link, 10)
    assert len(scripted.received) == 2


def test_a_link_of_claid_is_dead_after_24_hours(claid: ClaidClient, sandbox: Sandbox) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    downloader = Downloader(DownloadRules(claid.base_url))
    sandbox.advance(24 * 3600 - 1)
    assert downloader.fetch(link)
    sandbox.advance(2)
    with pytest.raises(DeadLinkError):
        downloader.fetch(link)


@pytest.mark.parametrize(
    "broken",
    [Reply(500), Reply(503, b"<html>"), Reply(429), Reply(cut=True), Reply(200, PICTURE[:-9], PNG, length=9999)],
)
def test_what_did_not_arrive_is_asked_for_four_times(
    downloader: Downloader, scripted: ScriptedServer, link: str, broken: Reply
) -> None:
    scripted.replies(broken, broken, broken, Reply(200, PICTURE, PNG))
    assert downloader.fetch(link) == PICTURE
    assert len(scripted.received) == 4
    scripted.replies(broken)
    with pytest.raises(DownloadFailedError) as caught:
        downloader.fetch(link)
    assert caught.value.retryable
    assert len(scripted.received) == 8


def test_a_truncated_picture_is_never_taken_for_a_whole_one(sandbox: Sandbox, claid: ClaidClient) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    downloader = Downloader(DownloadRules(claid.base_url))
    whole = downloader.fetch(link)
    sandbox.fault("truncated", operation="download")
    assert downloader.fetch(link) == whole
    sandbox.fault("truncated", operation="download", count=4)
    with pytest.raises(DownloadFailedError):
        downloader.fetch(link)


def test_a_host_that_is_not_there_is_told_as_such() -> None:
    base = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(DownloadFailedError, match="did not arrive: ConnectionError"):
        Downloader(DownloadRules(base)).fetch(f"{base}/a.png")


def test_a_picture_that_stops_coming_is_given_up(sandbox: Sandbox, claid: ClaidClient) -> None:
    link = claid.generate_image("a red bicycle").output[0].tmp_url or ""
    sandbox.fault("slow", operation="download", seconds=40, count=4)
    with pytest.raises(DownloadFailedError):
        Downloader(DownloadRules(claid.base_url, timeout=(1, 0.1))).fetch(link)


def test_only_a_small_picture_is_read_when_only_a_small_one_is_wanted(
    downloader: Downloader, scripted: ScriptedServer, link: str
) -> None:
    scripted.replies(Reply(200, PICTURE, PNG))
    assert downloader.fetch_if_small(link, len(PICTURE)) == PICTURE
    assert downloader.fetch_if_small(link, len(PICTURE) - 1) is None
    scripted.replies(Reply(200, PICTURE, PNG, length="none"))
    assert downloader.fetch_if_small(link, len(PICTURE) - 1) is None


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(302), Reply(500), Reply(200, b"<html>", {"Content-Type": "text/html"})]
)
def test_no_error_shows_a_signature(downloader: Downloader, scripted: ScriptedServer, link: str, reply: Reply) -> None:
    scripted.replies(reply)
    with pytest.raises(PictureError) as caught:
        downloader.fetch(f"{link}?X-Goog-Signature=secret")
    assert "secret" not in str(caught.value)
    assert link in str(caught.value)
    assert without_query(f"{link}?X-Goog-Signature=secret") == link
