"""Webhooks: post the answer of each ended job to an address, signed if there is a secret."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

log = logging.getLogger("airflow_claid.sandbox")
SIGNATURE_HEADER = "X-Claid-Hmac-SHA256"
THREADS = 4
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0


def sign(body: bytes, secret: str) -> str:
    """Return the HMAC-SHA256 of a body in hex. Claid does not document hex or base64; hex is inferred."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """Deliveries, in their own threads. Each is tried once; a failure is one line in the log."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="claid-sandbox-webhook")
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._resets = 0

    def send(self, url: str, secret: str | None, job_id: int, body: bytes) -> None:
        """Post a job's answer in the background.

        :param url: http(s) address. Redirects are not followed.
        :param secret: signs the body; None for no signature.
        """
        self._pool.submit(self._deliver, self._resets, url, secret, job_id, body)

    def reset(self) -> None:
        """Drop all unfinished deliveries."""
        with self._lock:
            self._resets += 1
            for opened in self._sockets:
                with contextlib.suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Drop all unfinished deliveries and end the threads."""
        self.reset()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, reset_count: int, url: str, secret: str | None, job_id: int, body: bytes) -> None:
        try:
            problem = self._post(reset_count, url, secret, body)
        except (OSError, HTTPException, ValueError) as error:
            problem = type(error).__name__
        if problem and reset_count == self._resets:
            log.warning("The webhook of job %s was not delivered to %s: %s", job_id, urlsplit(url).hostname, problem)

    def _post(self, reset_count: int, url: str, secret: str | None, body: bytes) -> str | None:
        """Post a body; return the problem with the answer, None if there is none."""
        parts = urlsplit(url)
        connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        with contextlib.closing(connect(parts.hostname or "", parts.port, timeout=CONNECT_SECONDS)) as connection:
            if reset_count != self._resets:
                return None
            connection.connect()
            opened = connection.sock
            with self._lock:
                if reset_count != self._resets:
                    return None
                self._sockets.add(opened)
            try:
                opened.settimeout(ANSWER_SECONDS)
                headers = {"Content-Type": "application/json", "Connection": "close"}
                if secret:
                    headers[SIGNATURE_HEADER] = sign(body, secret)
                query = f"?{parts.query}" if parts.query else ""
                connection.request("POST", (parts.path or "/") + query, body, headers)
                status = connection.getresponse().status
            finally:
                with self._lock:
                    self._sockets.discard(opened)
        return None if 200 <= status < 300 else f"it answered {status}"
