from __future__ import annotations

import os
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_claid.delivery.formats import TAKEN
from airflow_claid.delivery.judging import HEAD_BYTES, Verdict, is_black, judge, judge_whole
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError
from tests.support.pictures import noise, photograph, picture, png_that_claims, png_with, saved

LARGE_PNG = noise(300, 300)
LARGE_JPEG = noise(600, 600, kind="JPEG")


class Bytes:
    """A file that counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.read_bytes = 0

    def __call__(self, start: int, end: int) -> bytes:
        part = self.content[start:end]
        self.read_bytes += len(part)
        return part


def verdict(content: bytes) -> Verdict:
    return judge(len(content), Bytes(content))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
@pytest.mark.parametrize("side", [64, 400])
def test_a_whole_picture_of_any_format_is_good(kind: str, side: int) -> None:
    content = noise(side, side, kind=kind)
    assert verdict(content) is Verdict.USABLE
    assert judge_whole(content) is Verdict.USABLE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("side", [1, 64, 1024, 4096])
def test_a_plain_black_one_is_blocked(kind: str, side: int) -> None:
    assert verdict(picture(side, side, "black", kind)) is Verdict.BLOCKED


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {"compress_level": 0}),
        ("PNG", {"icc_profile": os.urandom(70_000)}),
        ("PNG", {"compress_level": 0, "mode": "P", "colour": 0}),
        ("PNG", {"compress_level": 0, "mode": "I;16", "colour": 0}),
        ("JPEG", {"quality": 100}),
        ("JPEG", {"progressive": True, "icc_profile": os.urandom(90_000)}),
        ("JPEG", {"icc_profile": os.urandom(200_000)}),
        ("WEBP", {"exif": b"Exif\0\0" + os.urandom(90_000)}),
        ("AVIF", {"xmp": os.urandom(90_000)}),
        ("TIFF", {}),
        ("BMP", {}),
    ],
)
def test_black_is_blocked_however_large_its_file(kind: str, options: dict[str, Any]) -> None:
    content = picture(2048, 2048, **{"colour": "black", "kind": kind, **options})
    assert len(content) > HEAD_BYTES
    assert verdict(content) is Verdict.BLOCKED
    assert judge_whole(content) is Verdict.BLOCKED
    assert is_black(len(content), Bytes(content))


@pytest.mark.parametrize("credentials", [30_000, 300_000])
@pytest.mark.parametrize("behind", [False, True])
def test_black_with_credentials_is_blocked(credentials: int, behind: bool) -> None:
    content = picture(2048, 2048, colour="black")
    named = png_with(content, b"caBX", os.urandom(credentials))
    assert verdict(named) is Verdict.BLOCKED
    segments = b"".join(b"\xff\xeb\xff\xff" + os.urandom(65533) for _ in range(credentials // 30_000))
    jpeg = picture(2048, 2048, colour="black", kind="JPEG")
    assert verdict(jpeg + segments if behind else jpeg[:2] + segments + jpeg[2:]) is Verdict.BLOCKED


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("metadata", [0, 1, 6])
def test_of_a_large_picture_its_own_data_is_looked_at_and_no_more(kind: str, metadata: int) -> None:
    content = photograph(2048, 2048, kind)
    if kind == "PNG":
        content = png_with(content, b"caBX", os.urandom(65_000 * metadata))
    else:
        content = content[:2] + b"".join(b"\xff\xfe\xff\xff" + bytes(65533) for _ in range(metadata)) + content[2:]
    file = Bytes(content)
    assert judge(len(content), file) is Verdict.USABLE
    assert file.read_bytes <= HEAD_BYTES * (2 + metadata) + 64
    assert is_black(len(content), Bytes(content)) is False


def test_a_large_picture_that_begins_black_is_good() -> None:
    image = Image.new("RGB", (2048, 2048), "black")
    image.paste(Image.effect_noise((2048, 300), 90).convert("RGB"), (0, 1700))
    for kind in ("PNG", "JPEG"):
        content = saved(image, kind)
        assert len(content) > HEAD_BYTES
        assert verdict(content) is Verdict.USABLE
        assert not is_black(len(content), Bytes(content))


def test_a_silhouette_in_a_large_file_is_good() -> None:
    image = Image.new("RGBA", (1024, 1024), (0, 0, 0, 0))
    image.putalpha(Image.effect_noise((1024, 1024), 90))
    content = saved(image, "PNG")
    assert len(content) > HEAD_BYTES
    assert verdict(content) is Verdict.USABLE


def test_what_cannot_be_told_black_or_not_is_an_error_of_this_picture() -> None:
    for content in (noise()[:900], picture(2048, 2048, "black", compress_level=0)[:-90_000]):
        with pytest.raises(DownloadFailedError, match="missing or damaged"):
            is_black(len(content), Bytes(content))
    for content in (b"<html>", b"%!PS-Adobe-3.0 EPSF-3.0" + bytes(100_000)):
        with pytest.raises(DownloadRefusedError, match="no picture"):
            is_black(len(content), Bytes(content))


def test_an_announced_size_beyond_the_cap_is_not_read() -> None:
    file = Bytes(png_with(png_that_claims(200_000, 200_000), b"caBX", bytes(100_000_000)))
    assert judge(len(file.content), file) is Verdict.NO_PICTURE
    assert file.read_bytes <= 2 * HEAD_BYTES


def test_postscript_is_not_opened_whatever_its_name() -> None:
    for content in (picture(kind="EPS"), picture(400, 400, kind="EPS"), picture(kind="PPM"), picture(kind="PDF")):
        assert verdict(content) is Verdict.NO_PICTURE
        assert judge_whole(content) is Verdict.NO_PICTURE


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("seed", range(25))
def test_a_large_damaged_file_has_a_verdict(kind: str, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(noise(200, 200, kind=kind))
    for _ in range(chance.randint(1, 30)):
        content[chance.randrange(min(len(content), chance.choice((100, 3000, 10**9))))] = chance.randrange(256)
    assert verdict(bytes(content)) in Verdict


def test_a_plain_picture_of_another_colour_is_good() -> None:
    assert verdict(picture(1024, 1024, "navy")) is Verdict.USABLE


@pytest.mark.parametrize("content", [LARGE_PNG, LARGE_JPEG])
def test_of_a_large_picture_only_the_beginning_and_the_end_are_read(content: bytes) -> None:
    file = Bytes(content)
    assert len(content) > 3 * HEAD_BYTES
    assert judge(len(content), file) is Verdict.USABLE
    assert file.read_bytes <= HEAD_BYTES + 64


@pytest.mark.parametrize("content", [LARGE_PNG, LARGE_JPEG, noise(), noise(kind="JPEG"), noise(400, 400, kind="WEBP")])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_picture_of_which_a_part_is_missing_is_never_good(content: bytes, part: float) -> None:
    assert verdict(content[: int(len(content) * part)]) in (Verdict.UNFINISHED, Verdict.NO_PICTURE)


def test_a_large_picture_with_something_after_its_end_is_good() -> None:
    assert verdict(LARGE_JPEG + b"\0" * 20) is Verdict.USABLE
    assert verdict(LARGE_JPEG + b"trailer" * 30) is Verdict.USABLE


def test_a_jpeg_with_a_long_description_is_good() -> None:
    header = b"".join(b"\xff\xfe\xff\xff" + bytes(65533) for _ in range(3))
    assert verdict(LARGE_JPEG[:2] + header + LARGE_JPEG[2:]) is Verdict.USABLE


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"<html>",
        b"\0" * 500_000,
        b"%PDF-1.7",
        b"\0\0\0\x18ftypmp42" + b"\0" * 100,
        b"BM",
        b"II*\0",
        b"\xff\xd8\xff",
    ],
)
def test_what_is_no_picture_is_none(content: bytes) -> None:
    assert verdict(content) is Verdict.NO_PICTURE


def test_of_a_large_file_that_is_no_picture_only_the_beginning_is_read() -> None:
    file = Bytes(b"video" * 1_000_000)
    assert judge(len(file.content), file) is Verdict.NO_PICTURE
    assert file.read_bytes <= HEAD_BYTES


@pytest.mark.parametrize("side", [20_000, 60_000])
def test_a_picture_with_too_many_pixels_is_none(side: int) -> None:
    assert verdict(png_that_claims(side, side)) is Verdict.NO_PICTURE


def test_a_server_that_knows_no_ranges_is_understood() -> None:
    assert judge(len(LARGE_PNG), lambda start, end: LARGE_PNG) is Verdict.USABLE


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0"]))
def test_no_bytes_whatever_raise_or_are_good(rest: bytes, start: bytes) -> None:
    assert verdict(start + rest) in (Verdict.NO_PICTURE, Verdict.UNFINISHED)
