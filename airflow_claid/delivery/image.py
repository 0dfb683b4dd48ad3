"""One delivered picture, as tasks hand it on and receipts keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from airflow_claid.client import OutputImage
from airflow_claid.storage.signed_links import is_signed


@dataclass(frozen=True)
class DeliveredImage:
    """One picture that Claid made and where it is.

    :param position: its number among the pictures of one request, from 1.
    :param path: the most lasting address: object storage, else connected storage, else the temporary link.
        ``None`` where there is none, as for a blocked picture that was not written.
    :param blocked: whether the content filter blocked it; ``None`` where the place cannot be read, it is not there, or
        it needs too much memory to be opened.
    :param width: pixels.
    :param height: pixels.
    :param bytes: size of the file; ``None`` where it is not known.
    :param checksum: of the file where it lies, by which a file that replaced it can be distinguished.
    :param expires_at: when a temporary link dies, ISO 8601 in UTC; ``None`` for a lasting path.
    :param tmp_url: Claid's temporary link, kept only while there is no lasting path.
    :param object_uri: Claid's own word for the object, in the form Claid gave.
    """

    position: int
    path: str | None
    blocked: bool | None
    width: int | None = None
    height: int | None = None
    mime: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    checksum: str | None = None
    expires_at: str | None = None
    tmp_url: str | None = None
    object_key: str | None = None
    object_bucket: str | None = None
    object_uri: str | None = None
    claid_storage_uri: str | None = None

    @classmethod
    def from_answer(cls, position: int, image: OutputImage) -> DeliveredImage:
        """Take over what Claid's answer says; path and the rest come with the delivery."""
        return cls(
            position=position,
            path=None,
            blocked=None,
            width=image.width,
            height=image.height,
            mime=image.mime,
            tmp_url=image.tmp_url or None,
            object_key=image.object_key,
            object_bucket=image.object_bucket,
            object_uri=image.object_uri,
            claid_storage_uri=image.claid_storage_uri,
        )

    def without_signed_links(self) -> DeliveredImage:
        """Return a copy for a receipt: a signed link opens a bucket to whoever reads it, so it is not kept."""
        tmp_url = None if self.tmp_url and is_signed(self.tmp_url) else self.tmp_url
        path = None if self.path and is_signed(self.path) else self.path
        return self.evolve(tmp_url=tmp_url, path=path)

    @property
    def usable(self) -> bool:
        """Whether it may go downstream."""
        return self.path is not None and not self.blocked

    def evolve(self, **changes: Any) -> DeliveredImage:
        """Return a copy with some facts changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Return all facts as JSON."""
        return vars(self).copy()

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> DeliveredImage:
        """Read what :meth:`to_json` returned; facts that this version does not know are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in facts.items() if name in known})
