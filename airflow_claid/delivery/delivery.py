"""Delivery: what Claid made is brought to its place, and checked for damaged and blocked pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_claid.delivery.downloads import Downloader
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.delivery.inspection import inspect, inspect_video, is_plain_black, most_bytes_when_black
from airflow_claid.delivery.memory import FILES
from airflow_claid.errors import DeadLinkError, DownloadRefusedError
from airflow_claid.orders.order import Order
from airflow_claid.storage.addresses import is_connected
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.listing import list_files
from airflow_claid.storage.object_storage import (
    checksum_if_there,
    checksum_of,
    find,
    read,
    read_if_there,
    remove,
    write_beside,
)

log = logging.getLogger(__name__)

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

    def deliver(self, order: Order, image: DeliveredImage) -> DeliveredImage:
        """Bring one picture to its place and say where it is.

        A blocked picture is not written to object storage; elsewhere Claid has written it already.

        :raises PictureError: if it could not be fetched or is not what was announced.
        """
        if order.place.is_temporary:
            return self._leave(order, image)
        if order.place.is_written_by_claid:
            return self._look_at(order, image)
        return self._carry(order, image)

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
        readable = self.storages.find_readable_uri(image.path)
        if readable is None or image.checksum is None:
            return True
        return checksum_if_there(readable) == image.checksum

    def at_destination(self, destination: str) -> list[DeliveredImage] | None:
        """List what is at Claid's own destination, for a request whose answer was lost.

        :param destination: a ``storage://`` folder, or one file.
        :returns: what is there; ``None`` where the storage is not mapped and cannot be read.
        """
        readable = self.storages.find_readable_uri(destination)
        if readable is None:
            return None
        if destination.endswith("/"):
            files = list_files(readable)
            return [
                DeliveredImage(position, None, None, claid_storage_uri=destination + file.uri.rpartition("/")[2])
                for position, file in enumerate(files, start=1)
            ]
        return [DeliveredImage(1, None, None, claid_storage_uri=destination)] if find(readable) else []

    def state_of(self, destination: str) -> str | None:
        """Return what is at an exact destination now, to know later whether it was written anew."""
        readable = self.storages.find_readable_uri(destination)
        file = find(readable) if readable and not destination.endswith("/") else None
        return file.state if file else None

    def _leave(self, order: Order, image: DeliveredImage) -> DeliveredImage:
        link = image.tmp_url
        if not link:
            raise DeadLinkError("A link that was signed, and so was not kept in the receipt, gives no picture")
        if image.expires_at is not None and datetime.fromisoformat(image.expires_at) <= self.now():
            raise DeadLinkError(f"The temporary link of a picture died at {image.expires_at}")
        blocked = False
        if order.filtered:
            pixels = _pixels(image)
            content, _ = self.downloader.part(link, 0, most_bytes_when_black(pixels) + 1)
            blocked = is_plain_black(content, pixels)
        return image.evolve(path=link, blocked=blocked)

    def _look_at(self, order: Order, image: DeliveredImage) -> DeliveredImage:
        path = image.claid_storage_uri or image.object_uri
        readable = self.storages.find_readable_uri(path) if path and is_connected(path) else None
        file = find(readable) if readable else None
        content = checksum = None
        if file is not None:
            try:
                suspect = order.filtered and file.size <= most_bytes_when_black(_pixels(image))
                content = read(file.uri) if suspect else None
                checksum = checksum_of(file, content)
            except FileNotFoundError:
                file = None
        image = image.evolve(path=path, tmp_url=None, expires_at=None)
        if file is None:
            return image.evolve(blocked=self._unseen(order, path, readable))
        blocked = content is not None and is_plain_black(content, _pixels(image))
        return image.evolve(blocked=blocked, checksum=checksum, bytes=file.size)

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

    def _carry(self, order: Order, image: DeliveredImage) -> DeliveredImage:
        with self._landed(image) if image.tmp_url is None else self.downloader.fetched(image.tmp_url) as content:
            return self._put(order, image, content)

    def _put(self, order: Order, image: DeliveredImage, content: bytes) -> DeliveredImage:
        """Check a picture, and write it to its place."""
        announced = (image.width, image.height)
        if order.video:
            facts = inspect_video(content, announced=announced)
        else:
            facts = inspect(content, announced=announced, max_pixels=self.downloader.rules.max_pixels)
        blocked = order.filtered and facts.blocked
        path = None if blocked else order.place.folder + order.file_name(image.position)
        file = None
        if path is not None:
            path = write_beside(path, content)
            file = find(path)
        return image.evolve(
            path=path,
            blocked=blocked,
            width=facts.width,
            height=facts.height,
            mime=facts.mime,
            bytes=facts.bytes,
            sha256=facts.sha256,
            checksum=file.checksum or facts.sha256 if file else None,
            tmp_url=None,
            expires_at=None,
            object_key=None,
            object_bucket=None,
            object_uri=None,
            claid_storage_uri=None,
        )

    @contextmanager
    def _landed(self, image: DeliveredImage) -> Iterator[bytes]:
        """Read a picture that Claid wrote beside its place, to be taken over."""
        readable = self.storages.find_readable_uri(image.claid_storage_uri or "")
        file = find(readable) if readable else None
        if file is not None and file.size > self.downloader.rules.max_bytes:
            raise DownloadRefusedError(f"{image.claid_storage_uri} has {file.size} bytes, which is more than the cap")
        with FILES.reservation(file.size if file else 0):
            content = read_if_there(file.uri) if file else None
            if content is None:
                where = image.claid_storage_uri or "A link that was signed, and so was not kept in the receipt,"
                raise DeadLinkError(f"{where} gives no picture")
            yield content

    def links_expire_at(self, made_at: str | None) -> str:
        """Return when temporary links die, ISO 8601 in UTC.

        :param made_at: when they were made, at the earliest; ``None`` for now.
        """
        made = datetime.fromisoformat(made_at) if made_at else self.now()
        return (made + TEMPORARY_LIFE).isoformat()

    def clear_landing(self, destination: str) -> None:
        """Remove what was taken over from where Claid wrote it; what cannot be removed stays, with a warning."""
        try:
            for image in self.at_destination(destination) or ():
                readable = self.storages.find_readable_uri(image.claid_storage_uri or "")
                if readable:
                    remove(readable)
        except OSError as error:
            log.warning("%s was taken over but could not be removed (%s)", destination, type(error).__name__)


def _pixels(image: DeliveredImage) -> int:
    return (image.width or 1024) * (image.height or 1024)
