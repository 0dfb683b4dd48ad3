"""Fetching Claid's temporary pictures. A download is hostile until proven otherwise.

Only https, only from hosts on the list, at most one redirect, no more bytes than the cap, and never with the API key.
A base URL on this machine (a sandbox) is the one exception to https, and only for itself. What a server says about the
type is not believed: the bytes tell.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
from requests.adapters import HTTPAdapter

from airflow_claid.client.redaction import protect_library_logs
from airflow_claid.client.session import environment
from airflow_claid.delivery.download_rules import DownloadRules, without_query
from airflow_claid.delivery.memory import FILES, Reservation
from airflow_claid.errors import (
    DeadLinkError,
    DownloadFailedError,
    DownloadRefusedError,
    LinkNotAllowedError,
    PictureError,
)

_CHUNK = 1 << 16
_STEP = 1 << 22
"""So many bytes are reserved at once for a picture whose size is not announced."""

_HEADERS = {**requests.utils.default_headers(), "Accept-Encoding": "identity"}
_LENGTH = re.compile(r"[0-9]{1,18}")
_TOTAL = re.compile(r"bytes (?:[0-9]{1,18}-[0-9]{1,18}|\*)/([0-9]{1,18})")
_DEAD = {403, 404, 410}
_REDIRECTS = {301, 302, 303, 307, 308}
_PART, _NO_SUCH_PART = 206, 416


class Downloader:
    """Fetches temporary pictures by the rules; one instance serves many threads.

    :param rules: what may be downloaded.
    :param clock: seconds that only grow.
    :param pool_size: connections kept open to a host; set it to the number of threads.
    """

    def __init__(
        self, rules: DownloadRules, clock: Callable[[], float] = time.monotonic, *, pool_size: int = 10
    ) -> None:
        protect_library_logs()
        self.rules = rules
        self._clock = clock
        self._environments: dict[str, tuple[dict[str, str], bool | str]] = {}
        # Not requests' own session: it reads the body of a redirect, parses its address, keeps cookies, looks for
        # credentials in a netrc file, and takes a fifth of a millisecond for that.
        self._adapter = HTTPAdapter(pool_maxsize=pool_size)

    @contextmanager
    def fetched(self, url: str) -> Iterator[bytes]:
        """Give a picture's bytes, all of them, for the time of a ``with`` block.

        So long they count in the memory that pictures may take in this process; where it is used up, this waits.

        :raises LinkNotAllowedError: if the rules forbid it.
        :raises DownloadRefusedError: if there are too many bytes.
        :raises DeadLinkError: if the link no longer gives it.
        :raises DownloadFailedError: if it did not arrive whole after 4 attempts.
        """
        address = self.rules.check(url)
        with FILES.reservation() as room:
            yield _attempts(self._whole, address, room)

    def part(self, url: str, start: int, end: int) -> tuple[bytes, int | None]:
        """Return some of a picture's bytes, and how many it has in all; ``None`` where the server does not say.

        :param start: position of the first byte.
        :param end: position behind the last one; the picture may end before.
        :raises PictureError: as :meth:`fetched`.
        """
        return _attempts(self._part, self.rules.check(url), start, end)

    def look_at(self, url: str) -> tuple[int, Mapping[str, str]]:
        """Return the status and the headers by which a link's host answers for the first bytes; follow no redirect.

        :raises LinkNotAllowedError: if the rules forbid it.
        :raises DownloadFailedError: if there is no answer.
        """
        address = self.rules.check(url)
        try:
            with self._get(address, {"Range": "bytes=0-1023"}) as response:
                return response.status_code, response.headers
        except requests.RequestException as error:
            raise DownloadFailedError(f"{without_query(url)} did not answer: {type(error).__name__}") from None

    def _whole(self, url: str, room: Reservation) -> bytes:
        """Read a picture, with the memory for it reserved.

        Where there is none at once, the connection is closed, and the picture asked for again when there is.
        """
        content = self._read(url, room)
        if content is None:
            room.wait_for(self.rules.max_bytes)
            content = self._read(url, room)
        if content is None:
            raise DownloadFailedError(f"{without_query(url)} did not fit into the memory for pictures")
        return content

    def _read(self, url: str, room: Reservation) -> bytes | None:
        """Return the bytes, or ``None`` where no memory can be had for them at once."""
        shown, limit = without_query(url), self.rules.max_bytes
        with self._answer(url) as response, io.BytesIO() as content:
            announced = _announced_length(response)
            if announced is not None and announced > limit:
                raise DownloadRefusedError(f"{shown} has more than {limit} bytes, which is the cap")
            if not room.grows_to(announced or _STEP):
                return None
            for chunk in self._chunks(response, url):
                size = content.tell() + len(chunk)
                if size > limit:
                    raise DownloadRefusedError(f"{shown} has more than {limit} bytes, which is the cap")
                if size > room.size and not room.grows_to(size + _STEP):
                    return None
                content.write(chunk)
            if announced is not None and content.tell() != announced:
                raise DownloadFailedError(f"{shown} gave {content.tell()} of {announced} bytes")
            return content.getvalue()

    def _part(self, url: str, start: int, end: int) -> tuple[bytes, int | None]:
        with self._answer(url, {"Range": f"bytes={start}-{end - 1}"}) as response, io.BytesIO() as content:
            if response.status_code == _NO_SUCH_PART:
                return b"", _total(response) or 0
            if response.status_code != _PART:
                size, skipped = _announced_length(response), start
            else:
                size, skipped = _total(response), 0
            for chunk in self._chunks(response, url):
                content.write(chunk)
                if content.tell() >= skipped + end - start:
                    break
            return content.getvalue()[skipped : skipped + end - start], size

    @contextmanager
    def _answer(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[requests.Response]:
        """Ask for a picture, follow one redirect, and give the answer; any fault is this picture's error."""
        shown = without_query(url)
        try:
            response = self._get(url, headers)
            if response.status_code in _REDIRECTS:
                response.close()
                response = self._get(self._target(url, response.headers.get("Location")), headers)
            with response:
                _check_status(response, shown, partial=headers is not None)
                yield response
        except PictureError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a server makes the libraries raise concerns this picture
            raise DownloadFailedError(f"{shown} did not arrive: {type(error).__name__}") from None

    def _get(self, url: str, headers: Mapping[str, str] | None) -> requests.Response:
        proxies, verify = self._environment(url)
        request = requests.PreparedRequest()
        request.method = "GET"
        request.prepare_url(url, None)
        request.prepare_headers({**_HEADERS, **(headers or {})})
        return self._adapter.send(request, stream=True, timeout=self.rules.timeout, proxies=proxies, verify=verify)

    def _target(self, url: str, location: str | None) -> str:
        """Return the address that a redirect leads to.

        :raises LinkNotAllowedError: if it must not be followed.
        """
        shown = without_query(url)
        if not location:
            raise LinkNotAllowedError(f"{shown} redirects without saying where to")
        try:
            return self.rules.check(urljoin(url, location))
        except ValueError:
            raise LinkNotAllowedError(f"{shown} redirects to what is no address") from None
        except LinkNotAllowedError as error:
            raise LinkNotAllowedError(f"{shown} redirects: {error}") from None

    def _chunks(self, response: requests.Response, url: str) -> Iterator[bytes]:
        """Read a body as it arrives, but not for ever."""
        end = self._clock() + self.rules.max_seconds
        read = getattr(response.raw, "read1", response.raw.read)
        while chunk := read(_CHUNK, decode_content=True):
            yield chunk
            if self._clock() > end:
                raise DownloadFailedError(
                    f"{without_query(url)} did not arrive within {self.rules.max_seconds:.0f} seconds"
                )

    def _environment(self, url: str) -> tuple[dict[str, str], bool | str]:
        """Return the proxies and certificates for a host, which are looked up once."""
        host = urlsplit(url).netloc
        if host not in self._environments:
            self._environments[host] = environment(url)
        return self._environments[host]


_attempts = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(DownloadFailedError),
    wait=tenacity.wait_random_exponential(multiplier=0.5, max=5),
    stop=tenacity.stop_after_attempt(4),
    reraise=True,
)


def _check_status(response: requests.Response, shown: str, *, partial: bool) -> None:
    status = response.status_code
    if status in _REDIRECTS:
        raise LinkNotAllowedError(f"{shown} redirects more than once; only one redirect is followed")
    if status in _DEAD:
        raise DeadLinkError(f"{shown} answered {status}: the link is dead (Claid keeps temporary pictures 24 hours)")
    if status != 200 and not (partial and status in (_PART, _NO_SUCH_PART)):
        raise DownloadFailedError(f"{shown} answered {status}")


def _announced_length(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if _LENGTH.fullmatch(length) and "Content-Encoding" not in response.headers else None


def _total(response: requests.Response) -> int | None:
    """Return how many bytes a file has of which a part was asked for."""
    total = _TOTAL.fullmatch(response.headers.get("Content-Range", ""))
    return int(total[1]) if total else None
