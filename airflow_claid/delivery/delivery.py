"""Delivery: what Claid made is brought to its place, and checked for damaged and blocked pictures."""

from __future__ import annotations

import hashlib
import logging
import mimetypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_claid.client import OutputImage
from airflow_claid.client.redaction import without_queries
from airflow_claid.client.text import shortened
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.delivery.inspection import Inspection, inspect, inspect_video
from airflow_claid.delivery.judging import HEAD_BYTES, is_black
from airflow_claid.delivery.memory import FILES
from airflow_claid.delivery.written import find_either, find_written, list_either, list_pictures
from airflow_claid.errors import DeadLinkError, DownloadRefusedError, PictureError, PictureNotFoundError
from airflow_claid.orders.order import Order
from airflow_claid.storage.addresses import is_link
from airflow_claid.storage.checksums import is_of_content, is_unchanged
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.object_storage import (
    read_if_there,
    reader,
    remove,
    write_beside,
)

if TYPE_CHECKING:
    from airflow_claid.delivery.downloads import Downloader

log: logging.Logger = logging.getLogger(__name__)

TEMPORARY_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class Delivery:
    """Brings pictures to their place.

    :param downloader: fetches temporary links.
    :param storages: finds the addresses by which Airflow reads connected storages.
    :param now: the time, in UTC.
    """

    downloader: Downloader
    storages: ConnectedStorages
    now: Callable[[], datetime]
    _warned_of: set[str] = field(default_factory=set, init=False, repr=False)

    def deliver(self, order: Order, image: DeliveredImage, edition: int) -> DeliveredImage:
        """Bring one picture to its place and say where it is.

        A blocked picture is not written to object storage; elsewhere Claid has written it already.

        :param edition: of the request that made it.
        :raises PictureError: if it could not be fetched or is not what was announced.
        """
        if order.place.is_temporary:
            return self._leave(order, image)
        if order.place.is_written_by_claid:
            return self._look_at(order, image, order.destination(edition))
        return self._carry(order, image, order.destination(edition))

    def is_there(self, image: DeliveredImage, margin: timedelta) -> bool:
        """Tell whether a delivered picture can still be used: its link lives, or its file is the one delivered.

        :param margin: a temporary link must live at least so long.
        """
        if image.blocked:
            return True
        if image.path is None:
            return False
        if image.expires_at is not None:
            return self.now() + margin < datetime.fromisoformat(image.expires_at)
        readable = self.storages.readable_uris(image.path)
        if not readable or image.checksum is None:
            return True
        return any(
            is_unchanged(uri, checksum=image.checksum, size=image.bytes, sha256=image.sha256) for uri in readable
        )

    def at_destination(self, destination: str) -> list[DeliveredImage] | None:
        """List what is at Claid's own destination, for a request whose answer was lost.

        :param destination: a ``storage://`` folder, or one file.
        :returns: what is there; ``None`` where the storage is not mapped and cannot be read.
        """
        if not self.storages.readable_uris(destination):
            return None
        if destination.endswith("/"):
            files = list_pictures(self.storages, destination)
            return [
                DeliveredImage(position, None, None, claid_storage_uri=destination + file.uri.rpartition("/")[2])
                for position, file in enumerate(files, start=1)
            ]
        is_there = find_either(self.storages, destination) is not None
        return [DeliveredImage(1, None, None, claid_storage_uri=destination)] if is_there else []

    def state_of(self, destination: str) -> str | None:
        """Return what is at an exact destination now, to know later whether it was written anew."""
        file = None if destination.endswith("/") else find_either(self.storages, destination)
        return file.state if file else None

    def _leave(self, order: Order, image: DeliveredImage) -> DeliveredImage:
        link = _link(image)
        if link is None:
            raise _without_link(image)
        if self._has_expired(image):
            raise DeadLinkError(f"The temporary link of a picture died at {image.expires_at}")
        blocked = False
        if order.filtered:
            blocked = self._is_black_at(link)
        return image.evolve(path=link, blocked=blocked)

    def _is_black_at(self, link: str) -> bool:
        """Look at as much of a picture behind a link as shows whether it is black."""
        head, size = self.downloader.part(link, 0, HEAD_BYTES)
        if size is None and len(head) == HEAD_BYTES:
            with self.downloader.fetched(link) as content:
                return is_black(len(content), lambda start, end: content[start:end])

        def read(start: int, end: int) -> bytes:
            return head[start:end] if end <= len(head) else self.downloader.part(link, start, end)[0]

        return is_black(len(head) if size is None else size, read)

    def _look_at(self, order: Order, image: DeliveredImage, destination: str | None) -> DeliveredImage:
        written = find_written(self.storages, image, destination, shared=not order.findable)
        if written is None:
            return self._put_where_claid_should_have(order, image, destination)
        file, path = written.file, written.path
        blocked, checksum, sha256 = False, None, None
        if file is not None:
            try:
                part = reader(file.uri)
                if file.size <= HEAD_BYTES:
                    part = cache(part)  # read once, for both
                blocked = order.filtered and is_black(file.size, part)
                if not is_of_content(file):
                    with FILES.reservation(file.size):
                        sha256 = hashlib.sha256(part(0, file.size)).hexdigest()
                checksum = file.checksum or sha256
            except FileNotFoundError:
                file = None
        facts: dict[str, Any] = {"path": path, "tmp_url": None, "expires_at": None}
        if file is None:
            return image.evolve(**facts, blocked=self._unseen(order, path, written.readable))
        return image.evolve(**facts, blocked=blocked, checksum=checksum, sha256=sha256, bytes=file.size)

    def _put_where_claid_should_have(
        self, order: Order, image: DeliveredImage, destination: str | None
    ) -> DeliveredImage:
        """Write a picture, of which Claid gave only a link, to the connected storage that it was to be written to."""
        link = _link(image)
        readable = self.storages.find_readable_uri(destination) if destination else None
        if link is None:
            raise PictureNotFoundError(
                f"Claid does not say where it wrote picture {image.position}, and {destination} does not hold it: look "
                "there, and at the mapping of the storage in the Claid connection's extra"
            )
        if readable is None or destination is None:
            log.warning(
                "Claid wrote a picture to a temporary link and not to %s. Map the storage to an Airflow connection in "
                "the Claid connection's extra: the task then copies it there",
                destination,
            )
            return self._leave(order, image)
        log.warning("Claid wrote a picture to a temporary link and not to %s: it is copied there", destination)
        with self.downloader.fetched(link) as content:
            facts = self._inspected(order, image, content)
            name = f"{image.position}{mimetypes.guess_extension(facts.mime) or ''}" if destination.endswith("/") else ""
            written = write_beside(readable + name, content)
        return image.evolve(
            path=destination + written.uri.rpartition("/")[2] if destination.endswith("/") else destination,
            blocked=order.filtered and facts.blocked,
            checksum=written.checksum or facts.sha256,
            bytes=facts.bytes,
            tmp_url=None,
            expires_at=None,
        )

    def _unseen(self, order: Order, path: str | None, readable: str | None) -> bool | None:
        """Say of a picture that nobody here can look at whether it is blocked: of one that may be, nobody knows."""
        if not order.filtered or not path:
            return False
        if readable is not None:
            log.warning(
                "%s is not where Claid said, so it is unknown whether it is blocked: look at the mapping of the "
                "storage in the Claid connection's extra",
                path,
            )
        elif order.place.storage_name not in self._warned_of:
            self._warned_of.add(order.place.storage_name)
            log.warning(
                "Pictures in the connected storage %r cannot be read from here, so blocked ones are not "
                "recognised: map the storage to an Airflow connection in the Claid connection's extra",
                order.place.storage_name,
            )
        return None

    def _carry(self, order: Order, image: DeliveredImage, destination: str | None) -> DeliveredImage:
        with self._content(image, destination) as content:
            return self._put(order, image, content)

    def _put(self, order: Order, image: DeliveredImage, content: bytes) -> DeliveredImage:
        """Check a picture, and write it to its place."""
        facts = self._inspected(order, image, content)
        blocked = order.filtered and facts.blocked
        written = None
        if not blocked:
            written = write_beside(order.place.folder + order.file_name(image.position), content)
        return image.evolve(
            path=written.uri if written else None,
            blocked=blocked,
            width=facts.width,
            height=facts.height,
            mime=facts.mime,
            bytes=facts.bytes,
            sha256=facts.sha256,
            checksum=(written.checksum or facts.sha256) if written else None,
            tmp_url=None,
            expires_at=None,
            object_key=None,
            object_bucket=None,
            object_uri=None,
            claid_storage_uri=None,
        )

    @contextmanager
    def _content(self, image: DeliveredImage, destination: str | None) -> Iterator[bytes]:
        """Read a picture that Claid wrote beside its place, or fetch it by its link."""
        written = find_written(self.storages, image, destination) if destination else None
        file = written.file if written else None
        if file is not None and file.size > self.downloader.rules.max_bytes:
            raise DownloadRefusedError(f"{file.uri} has {file.size} bytes, which is more than the cap")
        with FILES.reservation(file.size if file else 0):
            content = read_if_there(file.uri) if file else None
            if content is not None:
                yield content
                return
        link = _link(image)
        if link is None:
            raise _without_link(image)
        with self.downloader.fetched(link) as content:
            yield content

    def _inspected(self, order: Order, image: DeliveredImage, content: bytes) -> Inspection:
        announced = (image.width, image.height)
        if order.video:
            return inspect_video(content, announced=announced)
        facts = inspect(content, max_pixels=self.downloader.rules.max_pixels)
        sizes = (*announced, facts.width, facts.height)
        if any(side not in (None, seen) for side, seen in zip(announced, sizes[2:], strict=True)):
            subject = shortened(order.subject)
            log.warning("Claid announced a picture of %sx%s pixels, and it has %sx%s: %s", *sizes, subject)
        return facts

    def announced(self, outputs: Sequence[OutputImage], paid_at: str | None) -> tuple[DeliveredImage, ...]:
        """Return the pictures that an answer announces, not yet delivered.

        :param paid_at: when their request was answered.
        """
        expires_at = self.links_expire_at(paid_at)
        return tuple(
            DeliveredImage.from_answer(position, output).evolve(expires_at=expires_at)
            for position, output in enumerate(outputs, start=1)
        )

    def can_deliver(self, order: Order, image: DeliveredImage, edition: int) -> bool:
        """Return whether :meth:`deliver` would find a picture that was announced; of a link, one byte is fetched."""
        place, destination = order.place, order.destination(edition)
        written = find_written(self.storages, image, destination, shared=not order.findable) if destination else None
        if written is not None and (written.file is not None or place.is_written_by_claid):
            return True
        link = _link(image)
        is_left = place.is_temporary or (
            place.is_written_by_claid and not self.storages.readable_uris(destination or "")
        )
        if link is None or (is_left and self._has_expired(image)):
            return False
        try:
            self.downloader.part(link, 0, 1)
        except DeadLinkError:
            return False
        except PictureError:
            pass
        return True

    def _has_expired(self, image: DeliveredImage) -> bool:
        return image.expires_at is not None and datetime.fromisoformat(image.expires_at) <= self.now()

    def links_expire_at(self, made_at: str | None) -> str:
        """Return when temporary links die, ISO 8601 in UTC.

        :param made_at: when they were made, at the earliest; ``None`` for now.
        """
        made = datetime.fromisoformat(made_at) if made_at else self.now()
        return (made + TEMPORARY_LIFE).isoformat()

    def clear_landing(self, destination: str) -> None:
        """Remove what was taken over from where Claid wrote it; what cannot be removed stays, with a warning."""
        try:
            if destination.endswith("/"):
                written = [file.uri for file in list_either(self.storages, destination)]
            else:
                written = list(self.storages.readable_uris(destination))
            for uri in written:
                remove(uri)
        except OSError as error:
            log.warning("%s was taken over but could not be removed (%s)", destination, type(error).__name__)


def _link(image: DeliveredImage) -> str | None:
    """Return the link of a picture; some name it as the address of the object."""
    if image.tmp_url:
        return image.tmp_url
    return image.object_uri if image.object_uri and is_link(image.object_uri) else None


def _without_link(image: DeliveredImage) -> PictureError:
    """Make the error of a picture without a link that is not at any address that its answer names."""
    addresses = (image.claid_storage_uri, image.object_uri, image.object_key)
    named = without_queries(" or ".join(address for address in addresses if address))
    if not named:
        return DeadLinkError("The link to a picture was not kept in its receipt")
    return PictureNotFoundError(f"The picture at {named} is not there, or cannot be read from here")
