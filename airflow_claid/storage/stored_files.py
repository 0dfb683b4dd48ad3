"""What a storage tells of a file: its size, what changes with it, and when it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

_CHECKSUM_KEYS = ("ETag", "md5Hash", "crc32c", "content_md5")
_TIMES = ("generation", "LastModified", "updated", "last_modified", "mtime", "ino")
_MODIFIED_KEYS = ("LastModified", "updated", "last_modified", "mtime")


@dataclass(frozen=True)
class StoredFile:
    """A file in object storage.

    :param uri: its address.
    :param size: bytes.
    :param state: changes whenever the file is written anew.
    :param checksum: changes only with the content; ``None`` where the storage tells none.
    :param modified: when it was last written, in UTC (S3: to the second); ``None`` where the storage does not tell.
    """

    uri: str
    size: int
    state: str
    checksum: str | None = None
    modified: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class WrittenFile:
    """A file that was just written.

    :param uri: its address.
    :param checksum: as a later look at the file tells it; ``None`` where the storage tells none.
    """

    uri: str
    checksum: str | None


def stored_file(uri: str, info: Mapping[str, Any]) -> StoredFile:
    """Read what a file system tells of a file."""
    state = "|".join(str(info[name]) for name in (*_CHECKSUM_KEYS, *_TIMES, "size") if info.get(name))
    return StoredFile(uri, int(info["size"]), state, checksum_in(info), _modified_in(info))


def checksum_in(info: Mapping[str, Any]) -> str | None:
    """Return the checksum of a file that a file system tells of; ``None`` where it tells none."""
    return next((str(info[name]) for name in _CHECKSUM_KEYS if info.get(name)), None)


def _modified_in(info: Mapping[str, Any]) -> datetime | None:
    moments = (moment_of(info.get(name)) for name in _MODIFIED_KEYS)
    return next((moment for moment in moments if moment is not None), None)


def moment_of(value: object) -> datetime | None:
    """Return a file system's time, in UTC: a number of seconds, a text or a datetime; ``None`` for anything else."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        elif isinstance(value, (int, float)):
            value = datetime.fromtimestamp(value, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    if not isinstance(value, datetime):
        return None
    return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)
