from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.delivery.inspection import inspect, inspect_video, is_plain_black, most_bytes_when_black
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError, PictureError
from tests.support.pictures import noise, picture, png_that_claims

CAP = 200_000_000
SIZES = [(1, 1), (64, 48), (333, 1000), (1024, 1024), (2048, 2048), (4096, 4096)]
LIKE_BLACK = [
    {"colour": "black", "kind": "PNG"},
    {"colour": "black", "kind": "JPEG"},
    {"colour": (1, 1, 1), "kind": "JPEG", "quality": 75},
    {"colour": 0, "kind": "PNG", "mode": "L"},
    {"colour": (0, 0, 0, 255), "kind": "PNG", "mode": "RGBA"},
    {"colour": 0, "kind": "PNG", "mode": "P"},
    {"colour": 0, "kind": "PNG", "mode": "1"},
    {"colour": "black", "kind": "WEBP"},
]


def blocked(content: bytes) -> bool:
    return inspect(content, announced=(None, None), max_pixels=CAP).blocked


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_plain_black_of_the_content_filter_is_recognised_at_any_size(size: tuple[int, int], kind: str) -> None:
    content = picture(*size, colour="black", kind=kind)
    assert blocked(content)
    assert len(content) <= most_bytes_when_black(size[0] * size[1])


@pytest.mark.parametrize("drawn", LIKE_BLACK)
def test_black_is_black_in_every_encoding(drawn: dict[str, object]) -> None:
    assert blocked(picture(1024, 1024, **drawn))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_dark_picture_is_not_taken_for_black(size: tuple[int, int], kind: str) -> None:
    assert not blocked(picture(*size, colour=(8, 8, 8), kind=kind))


def test_a_night_sky_with_one_star_is_not_taken_for_black() -> None:
    import io

    from PIL import Image

    image = Image.new("RGB", (1024, 1024), "black")
    image.putpixel((700, 20), (40, 40, 60))
    target = io.BytesIO()
    image.save(target, "PNG")
    assert not blocked(target.getvalue())


def test_a_very_dark_photograph_is_not_taken_for_black() -> None:
    assert not blocked(noise(256, 256, brightest=12))


def test_a_large_file_is_not_decoded_only_to_see_that_it_is_not_black() -> None:
    content = noise(256, 256)
    assert len(content) > most_bytes_when_black(256 * 256)
    assert not is_plain_black(content, 256 * 256)
    assert not is_plain_black(b"no picture at all" * 10_000, 256 * 256)


def test_what_is_seen_is_told() -> None:
    content = noise(64, 48)
    seen = inspect(content, announced=(64, 48), max_pixels=CAP)
    assert (seen.width, seen.height, seen.mime, seen.bytes) == (64, 48, "image/png", len(content))
    assert seen.sha256 == hashlib.sha256(content).hexdigest()
    assert not seen.blocked


@pytest.mark.parametrize(
    ("kind", "mime"),
    [
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("AVIF", "image/avif"),
        ("GIF", "image/gif"),
    ],
)
def test_the_type_is_told_by_the_bytes(kind: str, mime: str) -> None:
    assert inspect(picture(kind=kind), announced=(64, 48), max_pixels=CAP).mime == mime


@pytest.mark.parametrize("announced", [(64, None), (None, 48), (None, None)])
def test_a_size_that_was_not_announced_is_not_compared(announced: tuple[int | None, int | None]) -> None:
    assert inspect(picture(), announced=announced, max_pixels=CAP).width == 64


@pytest.mark.parametrize("announced", [(65, 48), (64, 47), (48, 64), (None, 1)])
def test_a_picture_of_another_size_is_refused(announced: tuple[int | None, int | None]) -> None:
    with pytest.raises(
        DownloadRefusedError, match=f"has 64x48 pixels, but {announced[0]}x{announced[1]} were announced"
    ):
        inspect(picture(), announced=announced, max_pixels=CAP)


@pytest.mark.parametrize("size", [(60_000, 60_000), (20_000, 15_000), (2**31 - 1, 1)])
def test_a_header_that_claims_more_pixels_than_the_cap_is_refused_without_decoding(size: tuple[int, int]) -> None:
    with pytest.raises(DownloadRefusedError, match="pixels"):
        inspect(png_that_claims(*size), announced=size, max_pixels=CAP)


def test_the_cap_is_the_callers() -> None:
    assert inspect(picture(100, 100), announced=(100, 100), max_pixels=10_000).width == 100
    with pytest.raises(DownloadRefusedError, match="the cap is 9999 in all"):
        inspect(picture(100, 100), announced=(100, 100), max_pixels=9_999)


@pytest.mark.parametrize(
    "content", [b"", b"<html><body>Sign in</body></html>", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\0" * 99]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(PictureError):
        inspect(content, announced=(None, None), max_pixels=CAP)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
def test_a_picture_of_which_the_end_is_missing_is_broken(kind: str, part: float) -> None:
    content = noise(kind=kind)
    with pytest.raises(PictureError):
        inspect(content[: int(len(content) * part)], announced=(64, 48), max_pixels=CAP)


def test_a_truncated_png_may_arrive_whole_the_next_time() -> None:
    with pytest.raises(DownloadFailedError, match="broken") as caught:
        inspect(noise()[:-20], announced=(64, 48), max_pixels=CAP)
    assert caught.value.retryable


def test_a_png_with_a_bit_turned_is_broken() -> None:
    content = bytearray(noise())
    content[len(content) // 2] ^= 1
    with pytest.raises(DownloadFailedError, match="broken"):
        inspect(bytes(content), announced=(64, 48), max_pixels=CAP)


def test_a_small_png_whose_pixels_are_missing_is_broken_and_not_black() -> None:
    content = png_that_claims(64, 48)
    with pytest.raises(DownloadFailedError, match="broken"):
        inspect(content, announced=(64, 48), max_pixels=CAP)
    for bytes_ in (content, b"<html>", b"", png_that_claims(60_000, 60_000)):
        with pytest.raises(DownloadFailedError, match="broken"):
            is_plain_black(bytes_, 64 * 48)


@given(cut=st.integers(0, 500), at=st.integers(0, 500), put=st.binary(max_size=20))
def test_whatever_is_done_to_a_picture_it_is_seen_or_refused(cut: int, at: int, put: bytes) -> None:
    content = picture(colour="black")
    content = content[:at] + put + content[at + cut :]
    try:
        seen = inspect(content, announced=(64, 48), max_pixels=CAP)
    except PictureError:
        return
    assert (seen.width, seen.height) == (64, 48)


def box(name: bytes, content: bytes = b"", *, size: int | None = None) -> bytes:
    return (len(content) + 8 if size is None else size).to_bytes(4, "big") + name + content


FTYP, MOOV = box(b"ftyp", b"isom"), box(b"moov", b"x" * 40)
LONG_MDAT = box(b"mdat", (116).to_bytes(8, "big") + b"y" * 100, size=1)


@pytest.mark.parametrize("rest", [MOOV, MOOV + LONG_MDAT, LONG_MDAT + MOOV, MOOV + box(b"mdat", b"y" * 9, size=0)])
def test_a_whole_video_is_told_by_its_boxes(rest: bytes) -> None:
    content = FTYP + rest
    seen = inspect_video(content, announced=(640, None))
    assert (seen.mime, seen.bytes, seen.width, seen.height, seen.blocked) == (
        "video/mp4",
        len(content),
        640,
        None,
        False,
    )
    assert seen.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("missing", [1, 20, len(MOOV), len(MOOV) + 10])
def test_a_video_of_which_a_part_is_missing_is_fetched_again(missing: int) -> None:
    content = FTYP + LONG_MDAT + MOOV
    with pytest.raises(DownloadFailedError, match="a part of it is missing"):
        inspect_video(content[:-missing], announced=(None, None))


@pytest.mark.parametrize("content", [b"", b"<html>", picture(), MOOV])
def test_what_is_no_video_is_refused(content: bytes) -> None:
    with pytest.raises(DownloadRefusedError, match="no MP4 video"):
        inspect_video(content, announced=(None, None))


@given(st.binary(max_size=200))
def test_any_bytes_are_told_whole_or_not(tail: bytes) -> None:
    try:
        inspect_video(FTYP + tail, announced=(None, None))
    except PictureError:
        return
    assert b"moov" in tail
