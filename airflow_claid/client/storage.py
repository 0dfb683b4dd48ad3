"""Connected storages: buckets that Claid reads and writes by name (``storage://NAME/PATH``)."""

from __future__ import annotations

from airflow_claid.client.contract import AnswerModel


class StorageParameters(AnswerModel):
    """Where a storage points: a bucket and the prefix put before every path, or a web folder's address."""

    bucket: str | None = None
    path: str = ""
    base_url: str | None = None


class Storage(AnswerModel):
    """A connected storage. ``type`` is ``s3``, ``gcs`` or ``web_folder``; a web folder cannot be written."""

    id: int
    name: str
    type: str
    parameters: StorageParameters
    created_at: str | None = None

    @property
    def writable(self) -> bool:
        """Whether Claid can put pictures there."""
        return self.type in {"s3", "gcs"}
