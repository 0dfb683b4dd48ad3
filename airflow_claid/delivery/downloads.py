"""Fetching Claid's temporary pictures. A download is hostile until proven otherwise.

Only https, only from hosts on the list, no redirect, no more bytes than the cap, and never with the API key. A
base URL on this machine (a sandbox) is the one exception to https, and only for itself.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import tenacity
from requests.adapters import HTTPAdapter

from airflow_claid.client.session import environment
from airflow_claid.errors import DeadLinkError, DownloadFailedError, DownloadRefusedError

DEFAULT_HOSTS = ("*.claid.ai", "storage.googleapis.com")
"""Hosts that Claid's temporary links have been seen to name."""

_CHUNK = 1 << 16
_CONNECTIONS = 64
_PLAIN_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?")
"""A host and a port, and nothing that one reader of links takes for the end of the host and another does not."""

_DEAD = {403, 404, 410}


@dataclass(frozen=True)
class DownloadRules:
    """What may be downloaded.

    :param base_url: the address of Claid, or of a sandbox, which may serve its own pictures.
    :param hosts: host names from which pictures may come, by https; ``*`` stands for any part. A whole origin such as
        ``http://claid-sandbox:8765`` is allowed as it is, for a sandbox in a network of your own.
    :param max_bytes: no picture may be larger.
    :param max_pixels: no picture may have more pixels; Pillow opens none with more than 178 million.
    :param timeout: seconds to connect, and seconds without a byte.
    """

    base_url: str
    hosts: tuple[str, ...] = DEFAULT_HOSTS
    max_bytes: int = 200_000_000
    max_pixels: int = 178_000_000
    timeout: tuple[float, float] = (10.0, 60.0)

    def check(self, url: str) -> None:
        """Refuse a link that must not be followed.

        :raises DownloadRefusedError: with the reason and the remedy.
        """
        shown = without_query(url)
        try:
            link, base = urlsplit(url), urlsplit(self.base_url)
            plain = _PLAIN_HOST.fullmatch(link.netloc) is not None and link.port != 0
        except ValueError:
            plain = False
        if not plain:
            raise DownloadRefusedError(f"{shown!r} does not name a host in the plain way; such links are not followed")
        origin = f"{link.scheme}://{link.netloc}"
        own = (link.scheme, link.netloc) == (base.scheme, base.netloc)
        if origin in self.hosts or (own and (link.scheme == "https" or _is_loopback(base.hostname))):
            return
        if link.scheme != "https":
            raise DownloadRefusedError(f"{shown} is not https; such links are not followed")
        host = link.hostname or ""
        if not any(fnmatch.fnmatch(host, pattern) for pattern in self.hosts):
            raise DownloadRefusedError(
                f"{shown} is on the host {host!r}, which is not on the list {', '.join(self.hosts)}; if it is Claid's, "
                "add it to download_hosts in the connection's extra"
            )


class Downloader:
    """Fetches temporary pictures by the rules; one instance serves many threads."""

    def __init__(self, rules: DownloadRules) -> None:
        self.rules = rules
        self._session = requests.Session()
        self._session.auth = _no_credentials
        self._session.trust_env = False
        self._environments: dict[str, tuple[dict[str, str], bool | str]] = {}
        self._session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        self._session.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))

    def fetch(self, url: str) -> bytes:
        """Return a picture's bytes, all of them.

        :raises DownloadRefusedError: if the rules forbid it.
        :raises DeadLinkError: if the link no longer gives it.
        :raises DownloadFailedError: if it did not arrive whole after 4 attempts.
        """
        self.rules.check(url)
        limit = self.rules.max_bytes
        content = _attempts(self._read, url, limit)
        if content is None:
            raise DownloadRefusedError(f"{without_query(url)} has more than {limit} bytes, which is the cap")
        return content

    def fetch_if_small(self, url: str, limit: int) -> bytes | None:
        """Return a picture's bytes where it announces no more than ``limit`` of them, else ``None`` without reading."""
        self.rules.check(url)
        return _attempts(self._read, url, limit)

    def _environment(self, url: str) -> tuple[dict[str, str], bool | str]:
        """Return the proxies and certificates for a host, which are looked up once."""
        host = urlsplit(url).netloc
        if host not in self._environments:
            self._environments[host] = environment(url)
        return self._environments[host]

    def _read(self, url: str, limit: int) -> bytes | None:
        """Return the bytes, or ``None`` where there are more than the limit."""
        try:
            proxies, verify = self._environment(url)
            with self._session.get(
                url, stream=True, timeout=self.rules.timeout, allow_redirects=False, proxies=proxies, verify=verify
            ) as response:
                _check_answer(response, url)
                announced = _announced_length(response)
                if announced is not None and announced > limit:
                    return None
                content = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > limit:
                        return None
        except requests.RequestException as error:
            raise DownloadFailedError(f"{without_query(url)} did not arrive: {type(error).__name__}") from None
        if announced is not None and len(content) != announced:
            raise DownloadFailedError(f"{without_query(url)} gave {len(content)} of {announced} bytes")
        return bytes(content)


def without_query(url: str) -> str:
    """Show a link without what may be a signature."""
    return url.split("?", 1)[0]


_attempts = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(DownloadFailedError),
    wait=tenacity.wait_random_exponential(multiplier=0.5, max=5),
    stop=tenacity.stop_after_attempt(4),
    reraise=True,
)


def _check_answer(response: requests.Response, url: str) -> None:
    status, shown = response.status_code, without_query(url)
    if 300 <= status < 400:
        raise DownloadRefusedError(f"{shown} redirects elsewhere; redirects are not followed")
    if status in _DEAD:
        raise DeadLinkError(f"{shown} answered {status}: the link is dead (Claid keeps temporary pictures 24 hours)")
    if status != 200:
        raise DownloadFailedError(f"{shown} answered {status}")
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind and kind != "application/octet-stream" and not kind.startswith(("image/", "video/")):
        raise DownloadRefusedError(f"{shown} gave {kind!r}, not a picture")


def _announced_length(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stand in for credentials, so that requests does not look for some in a netrc file."""
    return request
