from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_claid.cli.__main__ import main
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect


@dataclass(frozen=True)
class Ended:
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The only object that was printed."""
        (found,) = self.lines
        return found

    @property
    def lines(self) -> list[Any]:
        """The objects that were printed."""
        return [json.loads(line) for line in self.out.splitlines()]


Claid = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Claid:
    """Runs ``claid`` in this process: ``command("receipts", "list", folder)``."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setenv("AIRFLOW_CONN_CLAID_COMMAND_LINE", "claid://")  # restored after the test
    monkeypatch.delenv("CLAID_API_KEY", raising=False)

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


@pytest.fixture
def connected(sandbox: Sandbox, connect: Connect) -> Sandbox:
    """A sandbox that the connection ``claid_default`` leads to."""
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url)
    return sandbox
