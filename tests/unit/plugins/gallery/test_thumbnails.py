"""Small pictures: made within bounds, kept for a while, and their files found."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from airflow_claid.client import ClaidClient
from airflow_claid.plugins.gallery import files, thumbnails
from airflow_claid.plugins.gallery.files import Reach
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.plugins.gallery.thumbnails import Thumbnails
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.clock import Clock
from tests.support.pictures import photograph, picture, saved


def nobody() -> str:
    return "claid_default"


def decoded(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_each_format_that_claid_takes_is_shown(folder: Path, kind: str) -> None:
    (folder / "a").write_bytes(photograph(800, 400, kind))
    shown = Thumbnails(Reach()).get(f"file://{folder}/a", "thumbnail", nobody)
    assert (decoded(shown.content).size, shown.width, shown.height) == ((360, 180), 800, 400)


def test_transparency_stays_and_a_photograph_is_turned_upright(folder: Path) -> None:
    (folder / "clear.png").write_bytes(picture(mode="RGBA", colour=(0, 0, 0, 0)))
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "turned.jpg").write_bytes(saved(Image.new("RGB", (400, 200)), "JPEG", exif=exif))
    made = Thumbnails(Reach())
    assert decoded(made.get(f"file://{folder}/clear.png", "thumbnail", nobody).content).mode == "RGBA"
    assert decoded(made.get(f"file://{folder}/turned.jpg", "thumbnail", nobody).content).size == (180, 360)


def test_a_picture_is_opened_once_and_again_when_its_file_has_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, made, opened = Clock(), [], thumbnails.reduced
    monkeypatch.setattr(thumbnails, "reduced", lambda *all_: made.append(1) or opened(*all_))
    kept = Thumbnails(Reach(), clock=clock)
    (folder / "a.png").write_bytes(picture(colour="teal"))
    first = [kept.get(f"file://{folder}/a.png", "thumbnail", nobody) for _ in range(3)]
    (folder / "b.png").write_bytes(picture(colour="red"))
    (folder / "b.png").replace(folder / "a.png")
    clock.now += 60
    second = kept.get(f"file://{folder}/a.png", "thumbnail", nobody)
    assert (len(made), len({each.etag for each in first})) == (2, 1)
    assert second.etag != first[0].etag
    (folder / "a.png").unlink()
    clock.now += 60
    with pytest.raises(NotShownError, match="removed") as error:
        kept.get(f"file://{folder}/a.png", "thumbnail", nobody)
    assert error.value.state == "gone"


def test_no_more_is_kept_than_the_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, opened = [], thumbnails.reduced
    monkeypatch.setattr(thumbnails, "reduced", lambda *all_: made.append(1) or opened(*all_))
    for number in range(6):
        (folder / f"{number}.png").write_bytes(photograph(64 + number, 64))
    one = len(Thumbnails(Reach()).get(f"file://{folder}/0.png", "thumbnail", nobody).content)
    kept = Thumbnails(Reach(), kept_bytes=one * 9 // 2)
    for number in (0, 1, 2, 0, 3, 4, 5, 0):
        kept.get(f"file://{folder}/{number}.png", "thumbnail", nobody)
    assert len(made) == 1 + 6
    kept.get(f"file://{folder}/1.png", "thumbnail", nobody)
    assert len(made) == 1 + 7


def test_what_takes_too_much_memory_or_disk_is_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wide.png").write_bytes(saved(Image.new("1", (12_000, 9_000)), "PNG"))
    (folder / "heavy.png").write_bytes(picture())
    made = Thumbnails(Reach())
    with pytest.raises(NotShownError, match="12000 x 9000 pixels take too much memory") as error:
        made.get(f"file://{folder}/wide.png", "thumbnail", nobody)
    assert error.value.status == 413
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    with pytest.raises(NotShownError, match="too large"):
        made.get(f"file://{folder}/heavy.png", "thumbnail", nobody)


def test_a_bucket_that_cannot_be_reached_is_asked_once_for_all_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(), []

    def find(uri: str) -> None:
        asked.append(uri)
        raise PermissionError("403 for https://b/?X-Amz-Signature=5ec3e7")

    monkeypatch.setattr(files, "find", find)
    reach = Reach(clock)
    for number in range(5):
        with pytest.raises(NotShownError, match="cannot read s3://bucket") as error:
            reach.file(f"s3://bucket/{number}.png", nobody)
    assert (len(asked), error.value.lacking, "5ec3e7" in error.value.reason) == (1, "access to s3://bucket", False)
    clock.now += 60
    with pytest.raises(NotShownError):
        reach.file("s3://bucket/0.png", nobody)
    assert len(asked) == 2


def test_pictures_in_a_bucket_are_shown(s3: str) -> None:
    from airflow_claid.storage.object_storage import write_whole

    write_whole(f"{s3}/a.png", picture(800, 400))
    shown = Thumbnails(Reach()).get(f"{s3}/a.png", "thumbnail", nobody)
    assert decoded(shown.content).size == (360, 180)
    with pytest.raises(NotShownError, match="no longer at its place"):
        Thumbnails(Reach()).get(f"{s3}/b.png", "thumbnail", nobody)


def test_claids_temporary_links_are_fetched_by_the_rules_of_the_connection(sandbox: Sandbox, connect: Connect) -> None:
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    connect("other", conn_type="claid", password="other-key")
    with ClaidClient(sandbox.api_key, sandbox.url) as client:
        link = client.generate_image("A linen sofa").output[0].tmp_url
    assert link is not None
    made = Thumbnails(Reach())
    assert decoded(made.get(link, "thumbnail", nobody).content).size == (64, 64)
    with pytest.raises(NotShownError, match="not on the list"):
        made.get(link, "thumbnail", lambda: "other")
    with pytest.raises(NotShownError, match="expired") as error:
        made.get(link.replace("/tmp/", "/tmp/0"), "thumbnail", nobody)
    assert error.value.state == "expired"
    with pytest.raises(NotShownError, match="not on the list"):
        made.get("https://elsewhere.example/a.png", "thumbnail", nobody)


def test_connected_storage_is_read_by_the_connection_that_maps_it(
    sandbox: Sandbox, connect: Connect, folder: Path
) -> None:
    (folder / "a.png").write_bytes(picture())
    sandbox.connect_storage("shop", bucket="pictures", where=folder)
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    extra = {"storages": {"shop": f"file://{folder}"}}
    connect("mapped", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    made = Thumbnails(Reach())
    assert made.get("storage://shop/a.png", "thumbnail", lambda: "mapped").width == 64
    with pytest.raises(NotShownError, match="lacks the storage 'shop' in the extra 'storages'"):
        made.get("storage://shop/a.png", "thumbnail", nobody)
