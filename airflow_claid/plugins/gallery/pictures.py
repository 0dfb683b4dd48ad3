"""What a task reported of its pictures, as the gallery shows it: from XCom ``images`` and from rows of manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_claid.batch.approval import Rejection
from airflow_claid.storage.addresses import last_of, without_connection
from airflow_claid.storage.places import VIDEO_SUFFIX
from airflow_claid.storage.stored_files import moment_of

STATES = ("done", "reused", "blocked", "failed", "invalid", "duplicate", "skipped", "rejected", "expired", "gone")
"""What can have become of a picture, in the order in which the page offers them."""


@dataclass(frozen=True)
class Where:
    """Which row of which task's report.

    :param row: its position in XCom ``images`` or in the manifest, from 0.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    row: int


@dataclass(frozen=True)
class Picture:
    """One row of a report: a picture, or the several of one item.

    :param paths: where the pictures are; none where nothing usable was made.
    :param origin: address of the picture that they were made from.
    :param error: why there is none, in words.
    """

    where: Where
    state: str
    name: str | None
    prompt: str | None
    paths: tuple[str, ...] = ()
    origin: str | None = None
    error: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    credits: float | None = None
    credits_in_doubt: float | None = None
    expires_at: datetime | None = None
    fingerprint: str | None = None
    request_id: str | None = None

    @property
    def title(self) -> str:
        """What the picture is called: by its name, else by its file, else by its number."""
        return self.name or (last_of(self.paths[0]) if self.paths else "") or f"No. {self.where.row + 1}"

    @property
    def shown(self) -> str | None:
        """The address of the picture that stands for all; ``None`` where there is none to show."""
        return self.paths[0] if self.paths and self.state in ("done", "reused", "rejected") else None

    @property
    def is_video(self) -> bool:
        """Whether it is a video, of which there is no thumbnail."""
        return bool(self.paths) and last_of(self.paths[0]).lower().endswith(VIDEO_SUFFIX)

    def matches(self, text: str) -> bool:
        """Tell whether a text is in its name, prompt, paths or error, in whatever case."""
        return any(
            text in part.casefold() for part in (self.name, self.prompt, self.origin, self.error, *self.paths) if part
        )

    def has(self, address: str) -> bool:
        """Tell whether one of its pictures is at an address, whichever connection names it."""
        return any(same_file(path, address) for path in self.paths)


def same_file(one: str, other: str) -> bool:
    """Tell whether two addresses are of the same file, whichever connections name it."""
    return without_connection(one) == without_connection(other)


def is_reported_image(value: object) -> bool:
    """Tell whether an entry of an XCom ``images`` is ours; tasks of other kinds may push one too."""
    return isinstance(value, Mapping) and "credits" in value and not {"path", "error", "fingerprint"}.isdisjoint(value)


def from_xcom(where: Where, image: Mapping[str, Any], now: datetime) -> Picture:
    """Read an entry of XCom ``images``."""
    path, expires = _text(image.get("path")), moment_of(image.get("expires_at"))
    cost = _number(image.get("credits"))
    if image.get("error"):
        state = "failed"
    elif image.get("rejected"):
        state = "rejected"
    elif image.get("blocked"):
        state = "blocked"
    elif expires is not None and expires <= now:
        state = "expired"
    else:
        state = "done" if cost else "reused"
    return Picture(
        where,
        state,
        name=_text(image.get("name")),
        prompt=_text(image.get("prompt")),
        paths=(path,) if path else (),
        origin=_text(image.get("input")),
        error=_text(image.get("error") or image.get("rejected")),
        width=_whole(image.get("width")),
        height=_whole(image.get("height")),
        bytes=_whole(image.get("bytes")),
        credits=cost,
        expires_at=expires,
        fingerprint=_text(image.get("fingerprint")),
        request_id=_text(image.get("request_id")),
    )


def from_manifest(where: Where, row: Mapping[str, Any]) -> Picture:
    """Read a row of a manifest."""
    status = str(row.get("status"))
    paths, sizes = row.get("paths") or row.get("rejected_paths"), row.get("bytes")
    return Picture(
        where,
        status if status in STATES else "failed",
        name=_text(row.get("name")),
        prompt=_text(row.get("prompt")),
        paths=tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else (),
        origin=_text(row.get("input")),
        error=_why_none(status, row),
        bytes=_whole(sizes[0]) if isinstance(sizes, list) and sizes else None,
        credits=_number(row.get("credits")),
        credits_in_doubt=_number(row.get("credits_in_doubt")) or None,
        fingerprint=_text(row.get("fingerprint")),
        request_id=_text(row.get("request_id")),
    )


def _why_none(status: str, row: Mapping[str, Any]) -> str | None:
    if status == "duplicate":
        return f"The same request as row {row.get('of')}"
    if status == "skipped":
        return f"The earlier manifest says: {row.get('reason')}"
    if status == "rejected":
        return Rejection(_text(row.get("reviewer")), _text(row.get("comment"))).text
    if status == "gone":
        return "Its input is no longer in the folder"
    return _text(row.get("error"))


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, (str, int, float)) and str(value) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
