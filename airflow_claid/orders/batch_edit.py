"""Orders of batches: many pictures edited by one request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_claid.client import BatchEditRequest, Call, JobKind, prices
from airflow_claid.client.calls import submission
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.orders.edit import facts_of, whole_output
from airflow_claid.orders.order import Order
from airflow_claid.orders.source import Source
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.checksums import version_in_folder
from airflow_claid.storage.listing import list_files

READABLE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".tif", ".tiff", ".bmp", ".gif")
"""Of the pictures that Claid edits (docs.claid.ai)."""


@dataclass(frozen=True)
class BatchFolder:
    """A folder of pictures, as it was when it was looked at.

    :param address: as Claid reads it, ``storage://NAME/PATH/``.
    :param recursive: whether the folders in it count as well.
    :param pictures: how many there were; ``None`` where the folder cannot be listed from here.
    :param digest: of their names and contents; ``None`` likewise.
    :param alone: the pictures' addresses, where there were other files too, which Claid is not to take for pictures.
    :param names: the pictures, by their paths in the folder.
    """

    address: str
    recursive: bool
    pictures: int | None = None
    digest: str | None = None
    alone: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def seen(cls, address: str, readable: str | None, *, recursive: bool) -> BatchFolder:
        """List a folder.

        :param readable: its address in object storage; ``None`` where it cannot be listed from here.
        """
        if readable is None:
            return cls(address, recursive)
        files = list_files(readable, recursive=recursive)
        by_name = {file.uri.removeprefix(readable): file for file in files}
        pictures = {name: file for name, file in by_name.items() if name.lower().endswith(READABLE_SUFFIXES)}
        states = {name: version_in_folder(file) for name, file in pictures.items()}
        digest = hashlib.sha256(json.dumps(states, sort_keys=True).encode()).hexdigest()
        mixed = len(pictures) < len(by_name)
        alone = tuple(address + quote(name) for name in pictures) if mixed else ()
        return cls(address, recursive, len(pictures), digest, alone, tuple(pictures))

    @classmethod
    def of_body(cls, body: Mapping[str, Any]) -> BatchFolder | None:
        """Return the folder as it was when an order had this body; ``None`` for an order of a list."""
        facts = body["input"]
        if not isinstance(facts, Mapping):
            return None
        return cls(facts["folder"], facts["recursive"], facts["pictures"], facts["digest"])

    @property
    def facts(self) -> dict[str, Any]:
        """What tells it from another, in a fingerprint."""
        return {
            "folder": without_connection(self.address),
            "recursive": self.recursive,
            "pictures": self.pictures,
            "digest": self.digest,
        }


@dataclass(frozen=True, kw_only=True)
class BatchEditOrder(Order):
    """Many pictures edited by one request.

    :param folder: the folder that they are in; ``None`` for a list.
    :param sources: the list; empty for a folder.
    :param operations: what is done to them.
    :param output: format and metadata.
    """

    folder: BatchFolder | None
    sources: tuple[Source, ...]
    operations: Operations
    output: ImageOutput

    operation = "submit_batch_edit"
    job_kind = JobKind.BATCH_EDIT
    filtered = False
    findable = False
    """Files keep the inputs' names, so one that is there may be of an earlier batch."""

    @property
    def body(self) -> dict[str, Any]:
        """What is done to which contents of which addresses."""
        return {
            "input": self.folder.facts if self.folder else [source.facts for source in self.sources],
            "operations": facts_of(self.operations, self.sources[0].ignored if self.sources else ()),
            "output": self.output.to_json(),
        }

    @property
    def subject(self) -> str:
        """The folder, or how many pictures of a list."""
        if self.folder:
            return self.folder.address
        first = self.sources[0].shown
        return first if len(self.sources) == 1 else f"{first} and {len(self.sources) - 1} more"

    @property
    def input(self) -> str | None:
        """The folder, or the only picture: Claid does not say which of several each result is of."""
        return self.subject if self.folder or len(self.sources) == 1 else None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The folder, or all pictures."""
        return (self.folder.address,) if self.folder else tuple(source.unsigned_path for source in self.sources)

    @property
    def number_of_images(self) -> int:
        """How many pictures there are; 0 for a folder that only Claid can list."""
        return (self.folder.pictures or 0) if self.folder else len(self.sources)

    @property
    def credits(self) -> float:
        """One credit a picture, as far as is known."""
        return self.number_of_images * prices.EDITED_IMAGE

    def credits_when_done(self, pictures: int) -> float:
        """One credit for each picture that Claid found."""
        return self.credits or pictures * prices.EDITED_IMAGE

    def file_name(self, position: int) -> str:
        """Number the pictures; Claid itself gives files their inputs' names."""
        return f"{self.label}_{position}"

    def destination(self, edition: int) -> str | None:
        """Return the folder itself: Claid keeps the inputs' names."""
        return self.place.folder if self.place.is_written_by_claid else None

    def prepared(self, edition: int) -> Call:
        """Return the call that submits the job."""
        output = whole_output(self.output, self.destination(edition))
        request = BatchEditRequest.of(self._asked_input(), self.operations, output)
        return submission(self.job_kind, request.to_json())

    def _asked_input(self) -> Any:
        if self.folder is None:
            return [source.reached() for source in self.sources]
        if self.folder.alone:
            return list(self.folder.alone)
        return {"source": self.folder.address, "recursive": self.folder.recursive}
