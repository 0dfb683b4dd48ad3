from __future__ import annotations

import contextlib
import hashlib
import os
import random
import struct
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_claid.delivery import opening
from airflow_claid.delivery.formats import TAKEN
from airflow_claid.delivery.inspection import inspect, inspect_video
from airflow_claid.delivery.memory import OPENED, MemoryBudget
from airflow_claid.errors import DownloadFailedError, DownloadRefusedError, PictureError
from tests.support.pictures import (
    bmp_that_claims,
    noise,
    photograph,
    picture,
    png_chunks,
    png_that_claims,
    png_with,
    saved,
    webp_that_claims,
)

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
    {"colour": "black", "kind": "WEBP", "lossless": True},
    {"colour": "black", "kind": "AVIF"},
    {"colour": "black", "kind": "TIFF"},
    {"colour": "black", "kind": "TIFF", "compression": "tiff_lzw"},
    {"colour": "black", "kind": "BMP"},
    {"colour": "black", "kind": "GIF"},
    {"colour": "black", "kind": "PNG", "compress_level": 0},
    {"colour": "black", "kind": "JPEG", "progressive": True},
    {"colour": 0, "kind": "JPEG", "mode": "L"},
    {"colour": (0, 0, 0, 255), "kind": "JPEG", "mode": "CMYK"},
    {"colour": 0, "kind": "PNG", "mode": "I;16"},
    {"colour": 700, "kind": "PNG", "mode": "I;16"},
    {"colour": (0, 255), "kind": "PNG", "mode": "LA"},
    {"colour": 0, "kind": "TIFF", "mode": "F"},
    {"colour": "black", "kind": "PNG", "icc_profile": os.urandom(60_000)},
    {"colour": "black", "kind": "JPEG", "icc_profile": os.urandom(90_000)},
    {"colour": "black", "kind": "WEBP", "exif": b"Exif\0\0" + os.urandom(60_000)},
]


def blocked(content: bytes) -> bool | None:
    return inspect(content, max_pixels=CAP, formats=TAKEN).blocked


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_plain_black_of_the_content_filter_is_recognised_at_any_size(size: tuple[int, int], kind: str) -> None:
    content = picture(*size, colour="black", kind=kind)
    assert blocked(content)


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


def test_what_is_seen_is_told() -> None:
    content = noise(64, 48)
    seen = inspect(content, max_pixels=CAP)
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
    ],
)
def test_the_type_is_told_by_the_bytes(kind: str, mime: str) -> None:
    assert inspect(picture(kind=kind), max_pixels=CAP).mime == mime


@pytest.mark.parametrize("kind", ["GIF", "BMP", "EPS", "PPM", "ICO", "PCX", "TGA"])
def test_what_claid_never_makes_is_not_opened(kind: str) -> None:
    with pytest.raises(DownloadRefusedError, match="no picture"):
        inspect(picture(kind=kind), max_pixels=CAP)


@pytest.mark.parametrize("size", [(60_000, 60_000), (20_000, 15_000), (2**31 - 1, 1)])
def test_a_header_that_claims_more_pixels_than_the_cap_is_refused_without_decoding(size: tuple[int, int]) -> None:
    with pytest.raises(DownloadRefusedError, match="pixels"):
        inspect(png_that_claims(*size), max_pixels=CAP)


def test_the_cap_is_the_callers() -> None:
    assert inspect(picture(100, 100), max_pixels=10_000).width == 100
    with pytest.raises(DownloadRefusedError, match="the cap is 9999 in all"):
        inspect(picture(100, 100), max_pixels=9_999)


@pytest.mark.parametrize(
    "content", [b"", b"<html><body>Sign in</body></html>", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\0" * 99]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(PictureError):
        inspect(content, max_pixels=CAP)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
def test_a_picture_of_which_the_end_is_missing_is_broken(kind: str, part: float) -> None:
    content = noise(kind=kind)
    with pytest.raises(PictureError):
        inspect(content[: int(len(content) * part)], max_pixels=CAP)


def test_a_truncated_png_may_arrive_whole_the_next_time() -> None:
    with pytest.raises(DownloadFailedError, match="broken") as caught:
        inspect(noise()[:-20], max_pixels=CAP)
    assert caught.value.retryable


def test_a_png_with_a_bit_turned_is_broken() -> None:
    content = bytearray(noise())
    content[len(content) // 2] ^= 1
    with pytest.raises(DownloadFailedError, match="broken"):
        inspect(bytes(content), max_pixels=CAP)


def test_a_small_png_whose_pixels_are_missing_is_broken_and_not_black() -> None:
    with pytest.raises(DownloadFailedError, match="bytes of its data are missing"):
        inspect(png_that_claims(64, 48), max_pixels=CAP)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("rows", [0, 1, 24, 47])
def test_a_png_of_which_data_is_missing_under_right_checksums_is_broken(mode: str, rows: int) -> None:
    """Its chunks are whole, and the data in them unpacks to too little."""
    content = picture(mode=mode, colour=0 if mode not in ("RGB", "RGBA", "LA") else "teal")
    assert inspect(content, max_pixels=CAP).width == 64
    data = zlib.decompress(dict(png_chunks(content))[b"IDAT"])
    short = data[: len(data) // 48 * rows]
    with pytest.raises(DownloadFailedError, match="are missing"):
        inspect(png_with(content, b"IDAT", zlib.compress(short)), max_pixels=CAP)


def test_an_interlaced_png_is_measured_by_its_passes() -> None:
    for width, height in ((1, 1), (3, 5), (64, 48), (65, 47)):
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        data = b"".join(
            (b"\0" + bytes(3) * len(range(left, width, across))) * len(range(top, height, down))
            for left, top, across, down in passes
            if range(left, width, across)
        )
        content = png_that_claims(width, height, data=data, interlaced=True)
        assert blocked(content)
        with pytest.raises(DownloadFailedError):
            inspect(png_that_claims(width, height, data=data[:-1], interlaced=True), max_pixels=CAP)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 95, "subsampling": 0}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("part", [0.3, 0.7])
def test_a_jpeg_of_which_data_is_missing_before_its_end_is_broken(options: dict[str, Any], part: float) -> None:
    content = photograph(kind="JPEG", **options)
    assert blocked(content) is False
    cut = content[: int(len(content) * part)] + b"\xff\xd9"
    with pytest.raises(DownloadFailedError):
        inspect(cut, max_pixels=CAP)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_in_the_grey_that_stands_for_missing_data_is_good(mode: str) -> None:
    content = picture(640, 480, kind="JPEG", mode=mode, colour=128 if mode == "L" else (128, 128, 128))
    assert blocked(content) is False


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("AVIF", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("GIF", {}),
        ("BMP", {}),
    ],
)
def test_a_picture_of_any_format_of_which_a_part_is_missing_is_broken(
    kind: str, options: dict[str, Any], part: float
) -> None:
    content = photograph(kind=kind, **options)
    with pytest.raises(PictureError):
        inspect(content[: int(len(content) * part)], max_pixels=CAP, formats=TAKEN)


@pytest.mark.parametrize("lossless", [True, False])
def test_half_a_webp_of_the_right_sizes_is_broken(lossless: bool) -> None:
    whole = photograph(kind="WEBP", lossless=lossless)
    half = bytearray(whole[: len(whole) // 4 * 2])
    half[4:8], half[16:20] = struct.pack("<I", len(half) - 8), struct.pack("<I", len(half) - 20)
    with pytest.raises(DownloadFailedError, match="broken"):
        inspect(bytes(half), max_pixels=CAP)


class TestOpaqueAndBlack:
    """Blocked is what is opaque and black, all of it."""

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize("ground", [0, 128, 240])
    def test_a_silhouette_on_transparent_ground_is_good(self, kind: str, ground: int) -> None:
        image = Image.new("RGBA", (640, 480), (0, 0, 0, ground))
        image.paste((0, 0, 0, 255), (200, 100, 400, 300))
        assert blocked(saved(image, kind, lossless=True)) is False

    def test_a_transparent_colour_or_palette_is_not_opaque(self) -> None:
        assert blocked(picture(colour="black", transparency=(0, 0, 0))) is False
        palette = Image.new("P", (64, 48), 1)
        palette.putpalette([0] * 6)
        palette.paste(0, (0, 0, 9, 9))
        assert blocked(saved(palette, "PNG", transparency=0)) is False
        assert blocked(saved(palette, "PNG")) is True

    @pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "AVIF", "TIFF"])
    def test_an_animation_is_judged_by_all_of_its_frames(self, kind: str) -> None:
        black = Image.new("RGB", (64, 48), "black")
        later = [Image.new("RGB", (64, 48), (number, 0, 0)) for number in (1, 2)]
        assert blocked(saved(black, kind, save_all=True, append_images=later)) is True
        later.append(Image.new("RGB", (64, 48), "teal"))
        assert blocked(saved(black, kind, save_all=True, append_images=later)) is False

    @pytest.mark.parametrize("noise", [1.0, 2.0])
    @pytest.mark.parametrize("quality", [30, 75, 95])
    def test_noise_does_not_make_black_good(self, noise: float, quality: int) -> None:
        image = Image.merge("RGB", [Image.effect_noise((640, 480), noise).point(lambda x: max(0, x - 128))] * 3)
        assert blocked(saved(image, "JPEG", quality=quality)) is True
        assert blocked(saved(image, "PNG")) is True

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_a_night_with_one_light_is_good(self, kind: str) -> None:
        image = Image.new("RGB", (2048, 1024), "black")
        image.paste((90, 80, 40), (1500, 900, 1504, 904))
        assert blocked(saved(image, kind, quality=90)) is False


class TestOddFiles:
    """Whatever a file makes a library raise is this file's error."""

    @pytest.mark.parametrize("chunk", [b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"caBX"])
    def test_a_good_picture_with_a_large_or_odd_description_is_good(self, chunk: bytes) -> None:
        bomb = zlib.compress(bytes(80_000_000), 9)
        before = {b"iCCP": b"icc\0\0", b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0"}.get(chunk, b"a\0")
        for content in (before + bomb, before + os.urandom(3_000_000), b""):
            assert blocked(png_with(photograph(), chunk, content)) is False
            assert blocked(png_with(picture(colour="black"), chunk, content)) is True

    def test_an_odd_description_of_a_jpeg_is_not_read(self) -> None:
        content = photograph(kind="JPEG")
        for marker in (0xE1, 0xE2, 0xED, 0xFE):
            for text in (b"Exif\0\0MM\0*\xff\xff\xff\xff", b"MPF\0II*\0\xff\xff\xff\xff", b"Photoshop 3.0\x008BIM"):
                segment = bytes((0xFF, marker)) + struct.pack(">H", len(text) + 2) + text
                assert blocked(content[:2] + segment + content[2:]) is False

    @pytest.mark.parametrize(
        "error", [ValueError, RuntimeError, NotImplementedError, AttributeError, MemoryError, struct.error, KeyError]
    )
    def test_whatever_is_raised_is_this_pictures_error(
        self, error: type[Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def raising(*_: object, **__: object) -> None:
            raise error("odd")

        monkeypatch.setattr(Image, "open", raising)
        for kind in ("JPEG", "WEBP", "AVIF", "TIFF"):
            with pytest.raises(DownloadFailedError, match="odd"):
                inspect(photograph(kind=kind), max_pixels=CAP)

    @pytest.mark.parametrize("kind", TAKEN)
    @pytest.mark.parametrize("seed", range(40))
    def test_a_damaged_file_is_seen_or_refused(self, kind: str, seed: int) -> None:
        chance = random.Random(seed)
        content = bytearray(picture(colour=(seed, 0, 0), kind=kind))
        for _ in range(chance.randint(1, 12)):
            content[chance.randrange(len(content))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        with contextlib.suppress(PictureError):
            assert blocked(bytes(content)) in (True, False, None)

    @pytest.mark.parametrize("content", [webp_that_claims(16_384, 16_384), bmp_that_claims(200_000, 200_000)])
    def test_a_size_beyond_the_cap_is_refused_before_memory_is_taken(self, content: bytes) -> None:
        tracemalloc.start()
        with pytest.raises(DownloadRefusedError, match="cap"):
            inspect(content, max_pixels=178_000_000, formats=TAKEN)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
        tracemalloc.stop()


class TestMemory:
    """Opening pictures shares a budget."""

    def test_a_picture_too_large_for_the_budget_is_not_opened(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(opening, "OPENED", MemoryBudget(17_000_000))
        assert blocked(picture(600, 600, kind="WEBP")) is None
        assert "takes more than the 17 MB" in caplog.text
        assert blocked(picture(600, 600)) is False

    def test_the_largest_picture_is_opened(self) -> None:
        assert 178_000_000 * opening._BYTES_A_PIXEL["PNG"] + opening._FIXED <= OPENED.total

    def test_a_format_that_pillow_cannot_open_is_not_opened(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        content = picture(kind="AVIF")
        monkeypatch.delitem(Image.OPEN, "AVIF")
        monkeypatch.setattr(Image, "init", lambda: False)
        assert inspect(content, max_pixels=CAP).blocked is None
        assert "does not know the format" in caplog.text


@given(cut=st.integers(0, 500), at=st.integers(0, 500), put=st.binary(max_size=20))
def test_whatever_is_done_to_a_picture_it_is_seen_or_refused(cut: int, at: int, put: bytes) -> None:
    content = picture(colour="black")
    content = content[:at] + put + content[at + cut :]
    try:
        seen = inspect(content, max_pixels=CAP)
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


def test_a_large_png_is_checked_in_little_memory() -> None:
    header = struct.pack(">IIBBBBB", 4000, 4000, 8, 0, 0, 0, 0)
    for level in (0, 9):
        content = png_with(png_that_claims(1, 1), b"IHDR", header)
        content = png_with(content, b"IDAT", zlib.compress((b"\0" + b"\x64" * 4000) * 4000, level))
        tracemalloc.start()
        assert blocked(content) is False
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
        tracemalloc.stop()
