"""Files of this machine, whole or not at all: receipts hang on them.

What is written outlives a crash of the process. Its content is on the disk (``fsync``) before it gets its name; the
name itself may be lost with the last seconds if the whole machine loses power. Only what is added to a file can be
there in part.

A batch touches several files an item, so this goes the shortest way, by :mod:`os`: fsspec and pathlib would cost as
much as sending the request.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

_CREATE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_ADD = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_CLOEXEC
_BLOCK = 1 << 20
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""What file systems without hard links answer: FUSE, SMB and others."""

_CLAIM_SECONDS = 60.0
_CLAIM_ATTEMPTS, _CLAIM_PAUSE = 50, 0.02
"""A claim is held for two system calls, so an old one is of a process that died, and others wait a second for it."""


def write_whole(final: str, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    _write_blocks(final, (content,))


def write_streamed(final: str, lines: Iterable[bytes]) -> None:
    """Write a file, line by line, that appears under its name only when it is whole."""
    _write_blocks(final, in_blocks(lines))


def _write_blocks(final: str, blocks: Iterable[bytes]) -> None:
    partial = _beside(final)
    try:
        _write(partial, blocks)
        os.replace(partial, final)
    except BaseException:
        remove(partial)
        raise


def create_whole(final: str, content: bytes) -> bool:
    """Write a file, whole, only if there is none of its name; tell whether it was written."""
    partial = _beside(final)
    try:
        _write(partial, (content,))
        try:
            os.link(partial, final)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return _create_without_links(partial, final)
    finally:
        remove(partial)
    return True


def _create_without_links(partial: str, final: str) -> bool:
    """Give a new file its name where the file system has no hard links; tell whether nobody else has the name.

    Another file, created exclusively, keeps others out meanwhile. One that a crash left is removed after a minute.

    :raises BlockingIOError: if another process is in between, or died there a moment ago; try again later.
    """
    folder, name = os.path.split(final)
    claim = f"{folder}/.{name}.creating"
    _claim(claim, os.stat(partial).st_mtime)
    try:
        if os.path.lexists(final):
            return False
        os.replace(partial, final)
    finally:
        remove(claim)
    return True


def _claim(claim: str, now: float) -> None:
    """Create a file exclusively, as soon as nobody else has it.

    :param now: by the clock of the file system.
    """
    for _ in range(_CLAIM_ATTEMPTS):
        try:
            os.close(os.open(claim, _CREATE_NEW, 0o666))
        except FileExistsError:
            with suppress(FileNotFoundError):
                if now - os.stat(claim).st_mtime > _CLAIM_SECONDS:
                    remove(claim)
                    continue
            time.sleep(_CLAIM_PAUSE)
        else:
            return
    raise BlockingIOError(errno.EAGAIN, "Another process is creating this file right now; try again later", claim)


def check_writable(final: str) -> None:
    """Make sure that a file can be written, and leave nothing of the attempt but its folder."""
    partial = _beside(final)
    _write(partial, ())
    remove(partial)


def add(path: str, content: bytes) -> None:
    """Add to the end of a file, beginning a new line; one that is not there, or not ours to add to, is written whole.

    A crash on the way leaves a part of the content at the end. Unlike a new file in place of the old one it makes no
    entry in the folder and deletes nothing: ext4 without a journal walks past all that was deleted in the last
    minutes for each new file.
    """
    try:
        file = os.open(path, _ADD)
    except (FileNotFoundError, PermissionError):
        write_whole(path, content)
    else:
        _fill(file, (b"\n" + content,))


def read(path: str) -> bytes:
    """Read a file."""
    file = os.open(path, _READ)
    try:
        parts = []
        while part := os.read(file, _BLOCK):
            parts.append(part)
    finally:
        os.close(file)
    return b"".join(parts)


def read_part(path: str, start: int, end: int) -> bytes:
    """Read the bytes of a file from a position to another; fewer if the file ends before."""
    file = os.open(path, _READ)
    try:
        return os.pread(file, end - start, start)
    finally:
        os.close(file)


def info_of(path: str) -> dict[str, Any] | None:
    """Return what fsspec tells of a file; ``None`` only where it truly is not there."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return _facts(status)


def infos_in(
    folder: str, *, recursive: bool, beginning: str = "", without: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the files in a folder, one after the other: their paths in it, and what :func:`info_of` tells of each.

    Links are not followed. What is gone when its turn comes is left out.

    :param beginning: what the names in the folder itself begin with, of files and of folders; others are not entered.
    :param without: a name; folders that have it are not entered.
    :raises OSError: if the folder, or one in it that is entered, cannot be read.
    """
    folders = [""]
    while folders:
        below = folders.pop()
        try:
            entries = os.scandir(os.path.join(folder, below))
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                path = below + entry.name
                if not path.startswith(beginning):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders += [f"{path}/"] if recursive and entry.name != without else []
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        yield path, _facts(entry.stat(follow_symlinks=False))


def _facts(status: os.stat_result) -> dict[str, Any]:
    kind = "file" if stat.S_ISREG(status.st_mode) else "directory" if stat.S_ISDIR(status.st_mode) else "other"
    return {"type": kind, "size": status.st_size, "mtime": status.st_mtime, "ino": status.st_ino}


def remove_empty_folders(path: str) -> None:
    """Remove a folder and the one that it is in, as far as nothing is left in them."""
    folder = path.rstrip("/")
    with suppress(OSError):
        os.rmdir(folder)
        os.rmdir(os.path.dirname(folder))


def _beside(final: str) -> str:
    """Return a hidden name of nobody else's in the same folder."""
    folder, name = os.path.split(final)
    return f"{folder}/.{name}.{secrets.token_hex(4)}.partial"


def in_blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to blocks that are worth a system call each."""
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _write(path: str, blocks: Iterable[bytes]) -> None:
    """Write a new file to the disk, in a new folder where there is none."""
    try:
        file = os.open(path, _CREATE_NEW, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = os.open(path, _CREATE_NEW, 0o666)
    _fill(file, blocks)


def _fill(file: int, blocks: Iterable[bytes]) -> None:
    """Write to an open file, see that it is on the disk, and close it."""
    try:
        for block in blocks:
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def remove(partial: str) -> None:
    """Remove a partial file; one that stays is litter, and must hide neither what went wrong nor what went well."""
    with suppress(OSError):
        os.unlink(partial)
