from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.delivery.judging import HEAD_BYTES, Verdict, judge, judge_whole
from tests.support.pictures import noise, picture, png_that_claims

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
