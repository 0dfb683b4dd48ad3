"""A Google Cloud Storage emulator. Run as a module, this file is its process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from pathlib import Path

from gcp_storage_emulator.server import RequestHandler, create_server

from tests.support.processes import free_port, served

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def gcs_server(bucket: str) -> Iterator[str]:
    """Run an emulator with one bucket until the block ends, and return its address."""
    port = free_port()
    with served([sys.executable, "-m", __spec__.name, str(port), bucket], port, cwd=ROOT) as address:
        yield address


if __name__ == "__main__":
    # gcsfs opens more connections at once than the five that wait by default; what is then lost hangs for minutes.
    HTTPServer.request_queue_size = 128
    RequestHandler.disable_nagle_algorithm = True  # else a body waits 40 ms until the client acknowledges the headers
    create_server("127.0.0.1", int(sys.argv[1]), in_memory=True, default_bucket=sys.argv[2]).run()
