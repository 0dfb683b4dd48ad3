"""A server of S3: moto. Run as a module, this file is its process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import free_port, served

ROOT = Path(__file__).resolve().parents[2]
S3_KEYS = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret", "region_name": "us-east-1"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server without buckets until the block ends, and return its address."""
    port = free_port()
    with served([sys.executable, "-m", __spec__.name, str(port)], port, cwd=ROOT) as address:
        yield address


if __name__ == "__main__":
    from moto.moto_server.werkzeug_app import create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        disable_nagle_algorithm = True

        def log_request(self, *_: object) -> None:
            """Say nothing."""

    # S3 alone: moto's own server looks through all services of AWS at each request, which takes as long as the answer.
    make_server(
        "127.0.0.1", int(sys.argv[1]), create_backend_app("s3"), threaded=True, request_handler=Handler
    ).serve_forever()
