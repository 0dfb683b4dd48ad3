"""A few lines of HTTP around a sandbox, so that tests read as what they say."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import requests
from PIL import Image

from airflow_claid.sandbox import Sandbox


class Client:
    """Calls one sandbox with one key."""

    def __init__(self, sandbox: Sandbox, key: str | None = None) -> None:
        self.sandbox = sandbox
        self.headers = {"Authorization": f"Bearer {key or sandbox.api_key}"}

    def call(self, method: str, path: str, **given: Any) -> requests.Response:
        given.setdefault("headers", self.headers)
        given.setdefault("timeout", 10)
        return requests.request(method, f"{self.sandbox.url}/v1{path}", **given)

    def generate(self, prompt: str = "a red bicycle", **body: Any) -> requests.Response:
        return self.call("POST", "/image/generate", json={"input": prompt, **body})

    def edit(self, address: str, operations: dict[str, Any] | None = None, **body: Any) -> requests.Response:
        return self.call("POST", "/image/edit", json={"input": address, "operations": operations or {}, **body})

    def picture_address(self, prompt: str = "a red bicycle") -> str:
        answer = self.generate(prompt, options={"number_of_images": 1})
        return str(answer.json()["data"]["output"][0]["tmp_url"])

    def run(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Submit a job and wait until it ends."""
        answer = self.call("POST", path, json=body)
        assert answer.status_code == 200, answer.text
        return self.wait(path, answer.json()["data"])

    def wait(self, path: str, job: dict[str, Any], seconds: float = 10.0) -> dict[str, Any]:
        """Poll a job until it ends."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            data: dict[str, Any] = self.call("GET", f"{path}/{job['id']}").json()["data"]
            if data["status"] in ("DONE", "ERROR", "CANCELLED"):
                return data
            time.sleep(0.02)
        raise AssertionError(f"Job {job['id']} did not end in {seconds} s: {data}")


def picture(address: str) -> Image.Image:
    """Download a picture."""
    answer = requests.get(address, timeout=10)
    answer.raise_for_status()
    return Image.open(io.BytesIO(answer.content))


def png(size: tuple[int, int] = (400, 300), colour: str = "teal") -> bytes:
    """Make a PNG: one colour with a darker frame."""
    image = Image.new("RGB", size, "navy")
    image.paste(colour, (10, 10, size[0] - 10, size[1] - 10))
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def wait_until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
