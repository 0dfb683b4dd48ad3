"""Memory of 1,000 downloads at once of the largest picture that is allowed."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.memory import FILES, OPENED
from benchmarks.tables import Table

AT_ONCE = 1000
FINISHED = 100
"""So many of them finish before the measurement ends; the others wait as before, and all would take half an hour."""

MOST_MB = (FILES.total + OPENED.total) // 1_000_000 + 500
"""Both budgets, and half a megabyte for each thread with its connection."""

_SIDE = 13_340


def run() -> list[Table]:
    """Download in a process of its own; two of the pictures are black, and so are opened in full."""
    table = Table("downloads", ("downloads at once", "finished", "failed", "file", "pixels", "peak memory", "seconds"))
    with tempfile.TemporaryDirectory(prefix="bench-downloads-") as folder:
        large = _large_png(Path(folder) / "large")
        _black_png(Path(folder) / "black")
        with _server(Path(folder)) as url:
            command = [sys.executable, "-m", "benchmarks.jobs.downloads", url, str(AT_ONCE), str(FINISHED)]
            seen = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    size, pixels = f"{large / 1e6:.0f} MB", f"{_SIDE * _SIDE / 1e6:.0f} million"
    shown = (f"{seen['peak']:.0f} MB", f"{seen['seconds']:.0f}")
    table.rows.append((f"{AT_ONCE:,}", f"{seen['finished']:,}", seen["failed"], size, pixels, *shown))
    table.expect(seen["failed"] == 0, f"{seen['failed']} failed")
    table.expect(seen["peak"] <= MOST_MB, f"{seen['peak']:.0f} MB at the peak, and {MOST_MB} MB are promised")
    return [table]


def _large_png(path: Path) -> int:
    """Write a grey picture of the most pixels, with almost the most bytes: it is not compressed."""
    rest = DownloadRules.max_bytes - _SIDE * (_SIDE + 1) - 1_000_000
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    data = zlib.compress((b"\0" + b"\x64" * _SIDE) * _SIDE, 0)
    return _write_png(path, (b"IHDR", header), (b"caBX", os.urandom(rest)), (b"IDAT", data))


def _black_png(path: Path) -> int:
    """Write a black picture of the most pixels, in colours."""
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    return _write_png(path, (b"IHDR", header), (b"IDAT", zlib.compress(bytes((1 + 3 * _SIDE) * _SIDE), 1)))


def _write_png(path: Path, *chunks: tuple[bytes, bytes]) -> int:
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in (*chunks, (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + name)
            file.write(data)
            file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(name))))
        return file.tell()


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Serve the pictures of a folder."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = folder / self.path.strip("/")
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            with path.open("rb") as file:
                try:
                    self.wfile.flush()
                    self.connection.sendfile(file)
                except OSError:
                    self.close_connection = True

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = AT_ONCE

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
