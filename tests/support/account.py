"""An account with a connected storage, and tasks that are tried three times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator

from airflow_claid.client import ClaidClient
from airflow_claid.sandbox import Sandbox

Build = Callable[[str, str | None], BaseOperator]
"""Makes a task from the link of a picture and an output."""


class Account:
    """A sandbox with a connected storage, and tasks that are tried three times."""

    def __init__(self, sandbox: Sandbox, new_try: Callable[..., Any], folder: Path, link: str) -> None:
        self.sandbox, self.new_try, self.folder, self.link = sandbox, new_try, folder, link
        self.client = ClaidClient(sandbox.api_key, sandbox.url)
        self._requests_before = len(sandbox.ledger())

    def tries(self, build: Build, output: str | None) -> list[Any]:
        """Try a task three times; return what each try returned or raised."""
        results: list[Any] = []
        for number in (1, 2, 3):
            try:
                results.append(self.new_try(try_number=number)(build(self.link, output)))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                results.append(error)
        return results

    def paid(self, operation: str) -> list[float]:
        """Return the credits of each request that was charged."""
        entries = self.sandbox.ledger()[self._requests_before :]
        return [entry.credits for entry in entries if entry.operation == operation and entry.credits]

    def receipts(self) -> str:
        """Return all receipts as text."""
        return "\n".join(file.read_text() for file in self.folder.rglob("_claid/*.json"))
