"""Files of this machine, whole or not at all and on the disk: receipts hang on them.

A batch touches several files an item, so this goes the shortest way, by :mod:`os`: fsspec and pathlib would cost as
much as sending the request.
"""

from __future__ import annotations

import os
import secrets
import stat
from typing import Any

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_CLOEXEC
_BLOCK = 1 << 20


def write_whole(final: str, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole and on the disk."""
    partial = _written_beside(final, content)
    try:
        os.replace(partial, final)
    except BaseException:
        os.unlink(partial)
        raise


def create_whole(final: str, content: bytes) -> bool:
    """Write a file, whole, only if there is none of its name; tell whether it was written."""
    partial = _written_beside(final, content)
    try:
        os.link(partial, final)
    except FileExistsError:
        return False
    finally:
        os.unlink(partial)
    return True


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


def info_of(path: str) -> dict[str, Any] | None:
    """Give what fsspec tells of a file; ``None`` only where it truly is not there."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    kind = "file" if stat.S_ISREG(found.st_mode) else "directory" if stat.S_ISDIR(found.st_mode) else "other"
    return {"type": kind, "size": found.st_size, "mtime": found.st_mtime, "ino": found.st_ino}


def _written_beside(final: str, content: bytes) -> str:
    """Write the content to the disk beside its final name, hidden; what is left of one that fails is removed."""
    folder, name = os.path.split(final)
    partial = f"{folder}/.{name}.{secrets.token_hex(4)}.partial"
    try:
        file = os.open(partial, _NEW, 0o666)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        file = os.open(partial, _NEW, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except BaseException:
        os.unlink(partial)
        raise
    finally:
        os.close(file)
    return partial
