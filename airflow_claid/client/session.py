"""One request over HTTP: its answer as it came, or an error that says whether it may have been charged.

Whether it may have been is known from one fact, and not from the kind of error: whether the first byte was sent.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from requests.auth import AuthBase
from requests.utils import select_proxy
from urllib3.exceptions import MaxRetryError, ProxyError

from airflow_claid.client.connections import Exchange, WatchingAdapter, watching
from airflow_claid.client.errors import (
    ClaidAnswerLostError,
    ClaidError,
    ClaidNotSentError,
    ClaidValidationError,
)
from airflow_claid.client.redaction import Redactor, passwords_in, protect_library_logs

if TYPE_CHECKING:
    from airflow_claid.client.call import Call

log: logging.Logger = logging.getLogger(__name__)

_MOST_BYTES = 16 << 20
_CHUNK = 1 << 16
_TIMES_READ_TIMEOUT = 2


@dataclass(frozen=True)
class Received:
    """An answer, whole and not interpreted."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Session:
    """Sends requests and returns their answers; thread-safe.

    Proxies and certificates are those that the environment names when the session is made.

    :param base_url: Claid's address, for messages.
    :param auth: adds the key to each request.
    :param redact: takes secrets out of what libraries and servers say; it learns the passwords of the proxies.
    :param timeout: seconds to connect; seconds to write a request, and without a byte of its answer. The whole answer
        must be there after twice the second, counted from the last byte of the request.
    :param pool_size: connections kept open.
    :param headers: sent with each request.
    """

    def __init__(
        self,
        base_url: str,
        auth: AuthBase,
        redact: Redactor,
        timeout: tuple[float, float],
        pool_size: int,
        headers: Mapping[str, str],
    ) -> None:
        protect_library_logs()
        self._base_url = base_url
        self._auth = auth
        self._redact = redact
        self._timeout = timeout
        self._proxies, self._verify = environment(base_url)
        redact.learn(*passwords_in(self._proxies.values()))
        # An encoding that is not what it claims to be would lose an answer, and these answers are small.
        self._headers: dict[str, str | bytes] = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        self._adapter = WatchingAdapter(pool_maxsize=pool_size, max_retries=0)
        self._without_body: dict[tuple[str, str], requests.PreparedRequest] = {}

    def close(self) -> None:
        """Close the open connections."""
        self._adapter.close()

    def exchange(self, call: Call, url: str, on_written: Callable[[], None] = lambda: None) -> Received:
        """Send a request and return its answer, whatever its status.

        :param on_written: is called when the request has been written.
        :raises ClaidNotSentError: if nothing was sent; another attempt may succeed.
        :raises ClaidValidationError: if nothing was sent, and nothing can be with these settings.
        :raises ClaidAnswerLostError: if the answer did not arrive whole.
        """
        exchange = Exchange(on_written, _TIMES_READ_TIMEOUT * self._timeout[1], write_timeout=self._timeout[1])
        with watching(exchange):
            try:
                return self._received(call, url)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be known whether it may cost credits
                failure = error
        # Raised here and not above: the error must not lead to one that holds the key.
        raise self._lost(call, failure) if exchange.begun else self._not_sent(call, url, failure)

    def _received(self, call: Call, url: str) -> Received:
        request = self._begun(call.method, url)
        request.prepare_body(data=call.form, files=call.files, json=call.json)
        # Not requests' own session: it reads the whole body of a redirect, and parses its address.
        with self._adapter.send(
            request, stream=True, timeout=self._timeout, proxies=self._proxies, verify=self._verify
        ) as response:
            content = bytearray()
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise _TooLargeError(f"it has more than {_MOST_BYTES >> 20} MB")
            encoding = response.headers.get("Content-Encoding", "")
            return Received(response.status_code, response.headers, _decoded(bytes(content), encoding))

    def _begun(self, method: str, url: str) -> requests.PreparedRequest:
        """Return a request that lacks its body only; POSTs have few addresses, and each is prepared once."""
        prepared = self._without_body.get((method, url))
        if prepared is None:
            prepared = requests.PreparedRequest()
            prepared.prepare(method=method, url=url, headers=self._headers, auth=self._auth)
            if method == "POST":
                self._without_body[method, url] = prepared
        request = requests.PreparedRequest()
        request.method, request.url, request.headers = prepared.method, prepared.url, prepared.headers.copy()
        return request

    def _lost(self, call: Call, failure: Exception) -> ClaidError:
        return ClaidAnswerLostError(
            f"{call.operation} was sent to {self._base_url}, but the answer did not arrive: {self._reason(failure)}. "
            f"{call.bill}"
        )

    def _not_sent(self, call: Call, url: str, failure: Exception) -> ClaidError:
        proxy = select_proxy(url, self._proxies)
        shown = self._shown(proxy) if proxy else ""
        way = f"{self._base_url} through the proxy {shown}" if proxy else self._base_url
        if isinstance(failure, requests.exceptions.InvalidSchema) and "SOCKS" in str(failure):
            return ClaidValidationError(
                f"The proxy {shown} needs a library that is not installed: pip install 'requests[socks]'"
            )
        if _is_missing_certificates(failure):
            return ClaidValidationError(
                f"{self._reason(failure)}. Check the environment variables REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE"
            )
        if isinstance(failure, _ADDRESS_ERRORS):
            wrong = f"The proxy {shown}, which the environment names," if proxy else f"base_url={self._base_url!r}"
            return ClaidValidationError(f"{wrong} is not an address that can be used: {self._reason(failure)}")
        if isinstance(failure, (ValueError, TypeError, RecursionError)):
            return ClaidValidationError(f"{call.operation} cannot be sent to {way}: {self._reason(failure)}")
        return ClaidNotSentError(
            f"{call.operation} could not reach {way}: {self._reason(failure)}. Nothing was sent, nothing was charged."
        )

    def _reason(self, failure: Exception) -> str:
        """Return what a library says, without what it must not say."""
        reason: object = failure.args[0] if isinstance(failure, requests.RequestException) and failure.args else failure
        if isinstance(reason, MaxRetryError) and reason.reason is not None:
            reason = reason.reason
        if isinstance(reason, ProxyError):
            reason = reason.original_error
        text = str(reason) if isinstance(reason, Exception) else str(failure)
        return self._redact.line(text or type(failure).__name__).rstrip(".")

    def _shown(self, address: str) -> str:
        """Return a proxy's address without user and password, also where it cannot be parsed."""
        scheme, found, rest = address.partition("://")
        host = (rest if found else scheme).rpartition("@")[2]
        return self._redact.line(f"{scheme}://{host}" if found else host)


_ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidProxyURL,
)


class _TooLargeError(Exception):
    """An answer is larger than any that Claid gives."""


def environment(url: str) -> tuple[dict[str, str], bool | str]:
    """Return the proxies and certificates that the environment names; requests would read them for each request."""
    settings = requests.Session().merge_environment_settings(url, {}, None, None, None)
    verify = settings["verify"]
    return dict(settings["proxies"]), True if verify is None else verify


def _is_missing_certificates(failure: Exception) -> bool:
    """Return whether the file of certificates is not there; requests raises a bare OSError for it."""
    return (
        isinstance(failure, OSError)
        and not isinstance(failure, requests.RequestException)
        and ("TLS" in str(failure) or isinstance(failure, FileNotFoundError))
    )


def _decoded(content: bytes, encoding: str) -> bytes:
    """Undo a compression that was not asked for; what cannot be decompressed stays as it came."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return content
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        decompressor = zlib.decompressobj(window)
        try:
            plain = decompressor.decompress(content, _MOST_BYTES)
        except zlib.error:
            continue
        if decompressor.eof:
            return plain
    log.debug("An answer says that it is compressed, but cannot be decompressed")
    return content
