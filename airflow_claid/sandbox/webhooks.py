"""Webhooks: when a job ends, its answer is posted to an address, signed where there is a secret."""

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
    """Return the HMAC-SHA256 of a body in hex. Claid's docs do not say hex or base64; hex is inferred."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """Deliveries in threads of their own. Each is tried once; what cannot be delivered is one line in the log."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="claid-sandbox-webhook")
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._life = 0

    def send(self, url: str, secret: str | None, job_id: int, body: bytes) -> None:
        """Post a job's answer; returns at once.

        :param url: an http(s) address; redirects are not followed.
        :param secret: signs the body; without it there is no signature.
        """
        self._pool.submit(self._deliver, self._life, url, secret, job_id, body)

    def reset(self) -> None:
        """Drop every delivery that is not done."""
        with self._lock:
            self._life += 1
            for opened in self._open:
                with contextlib.suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Drop every delivery and end the threads."""
        self.reset()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, life: int, url: str, secret: str | None, job_id: int, body: bytes) -> None:
        try:
            problem = self._post(life, url, secret, body)
        except (OSError, HTTPException, ValueError) as error:
            problem = type(error).__name__
        if problem and life == self._life:
            log.warning("The webhook of job %s was not delivered to %s: %s", job_id, urlsplit(url).hostname, problem)

    def _post(self, life: int, url: str, secret: str | None, body: bytes) -> str | None:
        """Post a body; return what is wrong with the answer."""
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        with contextlib.closing(kind(parts.hostname or "", parts.port, timeout=CONNECT_SECONDS)) as connection:
            if life != self._life:
                return None
            connection.connect()
            opened = connection.sock
            with self._lock:
                if life != self._life:
                    return None
                self._open.add(opened)
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
                    self._open.discard(opened)
        return None if 200 <= status < 300 else f"it answered {status}"
