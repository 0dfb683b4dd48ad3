"""A local Claid for development and tests: real HTTP, real pictures, no bill.

``with Sandbox(SandboxSettings(...)) as sandbox:`` runs one in a thread; ``claid-sandbox`` runs one from a shell.
Needs the extra ``airflow-claid[sandbox]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_claid.sandbox.dialects import Dialect
from airflow_claid.sandbox.settings import KeySettings, Latency, SandboxSettings, StorageSettings

if TYPE_CHECKING:
    from airflow_claid.sandbox.server import Sandbox

__all__ = ["Dialect", "KeySettings", "Latency", "Sandbox", "SandboxSettings", "StorageSettings"]


def __getattr__(name: str) -> Any:
    """Import the server, and FastAPI with it, only on first use."""
    if name == "Sandbox":
        try:
            from airflow_claid.sandbox.server import Sandbox
        except ImportError as error:
            raise ImportError(f"{error}. Install the sandbox: pip install 'airflow-claid[sandbox]'") from error
        return Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
