"""Download and inspect pictures in many threads at once, and print what it took as JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time

from airflow_claid.delivery.download_rules import DownloadRules
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.delivery.inspection import inspect

_BLACK = 2
"""So many of the pictures are black."""


def main(url: str, at_once: int, enough: int) -> None:
    """Start all threads, and end when enough have finished."""
    rules = DownloadRules(url, timeout=(60.0, 600.0))
    downloader = Downloader(rules)
    done = threading.Semaphore(0)
    failures: list[str] = []

    def download(name: str) -> None:
        try:
            with downloader.fetched(f"{url}/{name}") as content:
                inspect(content, max_pixels=rules.max_pixels)
        except Exception as error:  # noqa: BLE001 - any failure is counted
            failures.append(repr(error))
        done.release()

    began = time.monotonic()
    for number in range(at_once):
        threading.Thread(target=download, args=("large" if number >= _BLACK else "black",), daemon=True).start()
    for _ in range(enough):
        done.acquire()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seen = {"finished": enough, "failed": len(failures), "peak": peak, "seconds": time.monotonic() - began}
    for failure in failures[:3]:
        print(failure, file=sys.stderr)
    print(json.dumps(seen), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
