from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_claid.storage import local_files
from airflow_claid.storage.local_files import (
    add,
    create_whole,
    info_of,
    read,
    remove_empty_folders,
    write_streamed,
    write_whole,
)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("content", [b"", b"a receipt", b"x" * (5 << 20)])
def test_what_is_written_is_read_whole(content: bytes, tmp_path: Path) -> None:
    write_whole(f"{tmp_path}/a/b/file", content)
    assert read(f"{tmp_path}/a/b/file") == content
    assert names(tmp_path / "a" / "b") == ["file"]


@pytest.mark.parametrize("lines", [[], [b"one\n"], [b"%d\n" % number for number in range(400_000)]])
def test_what_is_written_line_by_line_is_read_whole(lines: list[bytes], tmp_path: Path) -> None:
    write_streamed(f"{tmp_path}/a/b/file", iter(lines))
    assert read(f"{tmp_path}/a/b/file") == b"".join(lines)
    assert names(tmp_path / "a" / "b") == ["file"]


def test_lines_that_stop_on_the_way_leave_the_file_before_and_nothing_else(tmp_path: Path) -> None:
    def stopping() -> Iterator[bytes]:
        yield b"x" * (2 << 20)
        assert len(names(tmp_path)) == 2
        raise TimeoutError("slow")

    write_whole(f"{tmp_path}/file", b"before")
    with pytest.raises(TimeoutError):
        write_streamed(f"{tmp_path}/file", stopping())
    assert (tmp_path / "file").read_bytes() == b"before"
    assert names(tmp_path) == ["file"]


def test_only_the_first_is_created(tmp_path: Path) -> None:
    assert create_whole(f"{tmp_path}/new/file", b"first")
    assert not create_whole(f"{tmp_path}/new/file", b"second")
    assert read(f"{tmp_path}/new/file") == b"first"
    assert names(tmp_path / "new") == ["file"]


def test_what_is_added_begins_a_new_line_and_what_was_there_stays(tmp_path: Path) -> None:
    add(f"{tmp_path}/new/file", b"first\n")
    add(f"{tmp_path}/new/file", b"second\n")
    (tmp_path / "new" / "file").write_bytes(read(f"{tmp_path}/new/file") + b"torn")
    add(f"{tmp_path}/new/file", b"third\n")
    assert read(f"{tmp_path}/new/file") == b"first\n\nsecond\ntorn\nthird\n"
    assert names(tmp_path / "new") == ["file"]


def test_a_file_of_somebody_else_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_APPEND:
            raise PermissionError(13, "Permission denied", path)
        return os_open(path, flags, mode)

    os_open = os.open
    add(f"{tmp_path}/file", b"theirs")
    monkeypatch.setattr(local_files.os, "open", opened)
    add(f"{tmp_path}/file", b"ours")
    assert read(f"{tmp_path}/file") == b"ours"


def test_what_cannot_be_added_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(f"{tmp_path}/file", b"before")
    monkeypatch.setattr(local_files.os, "write", refuse)
    with pytest.raises(OSError, match="No space left"):
        add(f"{tmp_path}/file", b"after")
    assert (tmp_path / "file").read_bytes() == b"before"


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_file_that_cannot_be_written_leaves_the_one_before_and_nothing_else(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(f"{tmp_path}/file", b"before")
    monkeypatch.setattr(local_files.os, fails, refuse)
    with pytest.raises(OSError, match="No space left"):
        write_whole(f"{tmp_path}/file", b"after")
    with pytest.raises(OSError, match="No space left"):
        write_streamed(f"{tmp_path}/file", [b"after"])
    assert (tmp_path / "file").read_bytes() == b"before"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("fails", ["write", "fsync", "link"])
def test_a_file_that_cannot_be_created_is_not_there(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_files.os, fails, refuse)
    with pytest.raises(OSError, match="No space left"):
        create_whole(f"{tmp_path}/file", b"first")
    assert names(tmp_path) == []


@pytest.fixture(params=[errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def _no_hard_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links: FUSE, SMB."""

    def link(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(local_files.os, "link", link)


@pytest.mark.usefixtures("_no_hard_links")
class TestWithoutHardLinks:
    def test_only_the_first_is_created(self, tmp_path: Path) -> None:
        assert create_whole(f"{tmp_path}/new/file", b"first")
        assert not create_whole(f"{tmp_path}/new/file", b"second")
        assert read(f"{tmp_path}/new/file") == b"first"
        assert names(tmp_path / "new") == ["file"]

    def test_of_many_who_create_a_file_at_once_one_succeeds(self, tmp_path: Path) -> None:
        for number in range(20):
            with ThreadPoolExecutor(8) as pool:
                created = list(pool.map(lambda n: create_whole(f"{tmp_path}/{number}", b"%d" % n), range(8)))  # noqa: B023
            assert created.count(True) == 1
            assert read(f"{tmp_path}/{number}") == b"%d" % created.index(True)
        assert len(names(tmp_path)) == 20

    def test_a_crash_on_the_way_leaves_no_file_and_the_next_one_creates_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as dying:
            dying.setattr(local_files.os, "replace", killed)
            dying.setattr(local_files.os, "unlink", refuse)
            with pytest.raises(KeyboardInterrupt):
                create_whole(f"{tmp_path}/file", b"first")
        assert ".file.creating" in names(tmp_path)
        assert not (tmp_path / "file").exists()
        monkeypatch.setattr(local_files, "_CLAIM_PAUSE", 0)
        with pytest.raises(BlockingIOError, match="try again later"):
            create_whole(f"{tmp_path}/file", b"second")
        os.utime(tmp_path / ".file.creating", (0, 0))
        assert create_whole(f"{tmp_path}/file", b"third")
        assert read(f"{tmp_path}/file") == b"third"
        assert ".file.creating" not in names(tmp_path)


def test_litter_that_cannot_be_removed_does_not_hide_that_the_file_was_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(local_files.os, "unlink", refuse)
        assert create_whole(f"{tmp_path}/file", b"first")
    assert read(f"{tmp_path}/file") == b"first"


def test_a_file_a_folder_and_nothing_are_told_apart(tmp_path: Path) -> None:
    write_whole(f"{tmp_path}/file", b"1234")
    assert (info_of(f"{tmp_path}/file") or {})["size"] == 4
    assert (info_of(f"{tmp_path}") or {})["type"] == "directory"
    assert info_of(f"{tmp_path}/nothing") is None


def test_folders_go_as_far_as_nothing_is_left_in_them(tmp_path: Path) -> None:
    for kept in ("a/b/file", "a/file", "file"):
        write_whole(f"{tmp_path}/{kept}", b"kept")
        (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
        remove_empty_folders(f"{tmp_path}/a/b/")
        assert (tmp_path / "a" / "b").exists() == (kept == "a/b/file")
        assert (tmp_path / "a").exists() == (kept != "file")
        (tmp_path / kept).unlink()
    remove_empty_folders(f"{tmp_path}/not/there/")
