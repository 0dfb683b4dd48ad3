"""Links of a task in the Airflow UI: to its pictures in the gallery, and to where they are stored.

Airflow writes these links when a task's process ends, so the operators push them as soon as the requests are sent. A
missing link is an empty string, which Airflow does not show; it shows ``None`` as a link to "None".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

from airflow_claid.storage.addresses import host_of, is_connected, is_link, path_of, scheme_of, without_connection
from airflow_claid.storage.places import Place
from airflow_claid.storage.signed_links import is_signed

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

DASHBOARD = "https://claid.ai/account/overview"
"""Claid's dashboard (docs.claid.ai/authentication); the address of its storage page is not documented."""

_S3_CONSOLE = "https://console.aws.amazon.com/s3"
_GOOGLE_CONSOLE = "https://console.cloud.google.com/storage/browser"


class ClaidPicturesLink(BaseOperatorLink):
    """Link to the pictures of the task in the gallery; there is none where the gallery is turned off."""

    name = "Pictures"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the tab; empty if there is none."""
        return str(getattr(operator, "pictures_page", ""))


class ClaidStorageLink(BaseOperatorLink):
    """Link to a single picture, or to the folder of several, where they are stored."""

    name = "Storage"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the page that the operator found last; empty if there is none."""
        return str(getattr(operator, "storage_page", ""))


def storage_page(place: Place, paths: Sequence[str], find_readable_uri: Callable[[str], str | None]) -> str:
    """Return the page that shows pictures best: that of a single picture, or of the folder of several.

    :param place: of the pictures; its page is returned while there are none.
    :param paths: of the pictures known so far.
    :param find_readable_uri: returns the address by which Airflow reads a file or folder; ``None`` if there is none.
    """
    folders = {path.rpartition("/")[0] + "/" for path in paths}
    if place.is_temporary or len(paths) == 1:
        address = paths[0] if paths else ""
    else:
        address = folders.pop() if len(folders) == 1 else place.folder + (place.file or "")
    return page_of(find_readable_uri(address) or address)


def page_of(address: str) -> str:
    """Return the page on which a person can view a picture or a folder; empty if there is none.

    It holds no credentials: never a signed link, a link's query or a connection id.
    """
    if is_link(address):
        page = _without_login(address)
        return "" if is_signed(page) else _without_query(page)
    if is_connected(address):
        return DASHBOARD
    plain = without_connection(address)
    scheme, bucket, key = scheme_of(plain), host_of(plain), path_of(plain)
    path = quote(key)
    if scheme == "s3":
        view = "object" if key and not key.endswith("/") else "buckets"
        return f"{_S3_CONSOLE}/{view}/{bucket}" + (f"?prefix={path}" if key else "")
    if scheme == "gs":
        view = "/_details" if key and not key.endswith("/") else ""
        return f"{_GOOGLE_CONSOLE}{view}/{bucket}" + (f"/{path}" if key else "")
    return address if scheme == "file" else ""


def _without_login(link: str) -> str:
    parts = urlsplit(link)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _without_query(link: str) -> str:
    return urlsplit(link)._replace(query="", fragment="").geturl()
