"""Which of Claid's links may be followed, and how much may come of them."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from airflow_claid.errors import LinkNotAllowedError

DEFAULT_HOSTS = ("*.claid.ai", "storage.googleapis.com", "*.storage.googleapis.com")
"""Hosts that Claid's temporary links have been seen to name, and the other form of Google's addresses."""

_PLAIN_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?")
"""A host and a port, and nothing that one reader of links takes for the end of the host and another does not."""

_LOGIN = re.compile(r"^(https?:)//[^/]*@", re.IGNORECASE)


@dataclass(frozen=True)
class DownloadRules:
    """What may be downloaded.

    :param base_url: the address of Claid, or of a sandbox, which may serve its own pictures.
    :param hosts: host names from which pictures may come, by https; ``*`` stands for any part. A whole origin such as
        ``http://claid-sandbox:8765`` is allowed as it is, for a sandbox in a network of your own.
    :param max_bytes: no picture may be larger.
    :param max_pixels: no picture may have more pixels; Pillow opens none with more than 178 million.
    :param timeout: seconds to connect, and seconds without a byte.
    :param max_seconds: no attempt to download a picture may take longer.
    """

    base_url: str
    hosts: tuple[str, ...] = DEFAULT_HOSTS
    max_bytes: int = 200_000_000
    max_pixels: int = 178_000_000
    timeout: tuple[float, float] = (10.0, 60.0)
    max_seconds: float = 600.0

    def check(self, url: str) -> str:
        """Return the address at which a link may be followed: its own, or by https where it says http.

        :raises LinkNotAllowedError: if it must not be followed, with the reason and the remedy.
        """
        shown = without_query(url)
        try:
            link, base = urlsplit(url), urlsplit(self.base_url)
            plain = _PLAIN_HOST.fullmatch(link.netloc) is not None and link.port != 0
        except ValueError:
            plain = False
        if not plain:
            raise LinkNotAllowedError(f"{shown!r} does not name a host in the plain way; such links are not followed")
        origin = f"{link.scheme}://{link.netloc}"
        own = (link.scheme, link.netloc) == (base.scheme, base.netloc)
        if origin in self.hosts or (own and (link.scheme == "https" or _is_loopback(base.hostname))):
            return url
        if link.scheme not in ("http", "https"):
            raise LinkNotAllowedError(f"{shown} is not https; such links are not followed")
        host = link.hostname or ""
        if not any(fnmatch.fnmatch(host, pattern) for pattern in self.hosts):
            itself = f", as {origin} if it has no https" if link.scheme == "http" else ""
            raise LinkNotAllowedError(
                f"{shown} is on the host {host!r}, which is not on the list {', '.join(self.hosts)}; if it is Claid's, "
                f"add it to download_hosts in the connection's extra{itself}, and clear the task: nothing is paid again"
            )
        return url if link.scheme == "https" else _by_https(link)


def without_query(url: str) -> str:
    """Show a link without what may be a signature or a password."""
    return _LOGIN.sub(r"\1//", re.split("[?#]", url, maxsplit=1)[0])


def _by_https(link: SplitResult) -> str:
    netloc = link.netloc.removesuffix(":80")
    return link._replace(scheme="https", netloc=netloc).geturl()


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
