"""Thread pools as people write them, each run in a process of its own: ``python -m benchmarks.rivals NAME '{…}'``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from benchmarks.tables import ROOT

_OF_THREAD = threading.local()


def rival(name: str, seconds: float = 900, **arguments: Any) -> dict[str, float]:
    """Run a function of this module in a process of its own; return its result."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rivals", name, json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def sleep_on_429(url: str, key: str, prompts: int, threads: int) -> dict[str, float]:
    """Send requests from many threads; on a 429 sleep as long as the header says, or a second, and retry."""

    def generate(number: int) -> None:
        body = {"input": f"A pooled lamp, number {number}", "options": {"number_of_images": 1}}
        while True:
            answer = _session(key).post(f"{url}/v1/image/generate", json=body, timeout=120)
            if answer.status_code != 429:
                break
            time.sleep(float(answer.headers.get("RateLimit-Reset") or 1))
        answer.raise_for_status()

    return _pool(generate, prompts, threads)


def bare(
    url: str, key: str, prompts: int, threads: int, what: str, output: str | None = None, download: bool = False
) -> dict[str, float]:
    """Send requests from many threads and do nothing else: no receipt, no check, no limit.

    :param output: a folder of a connected storage, in which each request has a folder of its own.
    :param download: whether to fetch each picture, and discard it.
    """

    def generate(number: int) -> None:
        session = _session(key)
        body: dict[str, Any] = {"input": f"{what}, number {number}", "options": {"number_of_images": 1}}
        if output:
            body["output"] = f"{output}{number}/"
        answer = session.post(f"{url}/v1/image/generate", json=body, timeout=120)
        answer.raise_for_status()
        if download:
            session.get(answer.json()["data"]["output"][0]["tmp_url"], timeout=120).raise_for_status()

    return _pool(generate, prompts, threads)


def poll_each_second(url: str, key: str, pictures: int, threads: int) -> dict[str, float]:
    """Edit the pictures of the connected storage ``shop`` as jobs, polled each second; on a 429 sleep and retry."""
    edited = []

    def asked(method: str, address: str, **options: Any) -> Any:
        while True:
            answer = _session(key).request(method, address, timeout=120, **options)
            if answer.status_code != 429:
                answer.raise_for_status()
                return answer.json()["data"]
            time.sleep(float(answer.headers.get("RateLimit-Reset") or 1))

    def edit(number: int) -> None:
        body = {
            "input": f"storage://shop/photos/photo-{number:04}.png",
            "operations": {"resizing": {"width": 32, "height": "auto", "fit": "bounds"}},
        }
        job = asked("POST", f"{url}/v1/image/edit/async", json=body)
        while job["status"] not in ("DONE", "ERROR", "CANCELLED"):
            time.sleep(1)
            job = asked("GET", f"{url}/v1/image/edit/async/{job['id']}")
        if job["status"] == "DONE":
            edited.append(number)

    return {**_pool(edit, pictures, threads), "done": len(edited)}


def claidai_folder(url: str, key: str, source: str, target: str) -> dict[str, float]:
    """Edit a folder with the package ``claidai``, with as many workers as it accepts."""
    import claidai.client
    from claidai import Claid, process_folder

    claidai.client.BASE_URL = f"{url}/v1"
    began, cpu = time.monotonic(), time.process_time()
    client = Claid(key)
    result = process_folder(client, source, target, client.resize, {"width": 100, "height": 100}, workers=4)
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "done": result.success_count,
        "failed": result.fail_count,
    }


def _pool(work: Any, count: int, threads: int) -> dict[str, float]:
    began, cpu = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, range(count)):
            pass
    return {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}


def _session(key: str) -> requests.Session:
    """Return this thread's session, which keeps its connections."""
    session: requests.Session | None = getattr(_OF_THREAD, "session", None)
    if session is None:
        session = _OF_THREAD.session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {key}"
    return session


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
