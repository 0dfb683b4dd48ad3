"""Databases for what a task must look up and need not keep, of any size."""

from __future__ import annotations

import sqlite3
import tempfile

_FAST = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"


def temporary_database(schema: str) -> sqlite3.Connection:
    """Open a new database in a temporary file that disappears with the process, or when it is closed.

    Any thread may use it, but only one at a time.

    :param schema: statements that make its tables.
    """
    with tempfile.NamedTemporaryFile(prefix="airflow-claid-", suffix=".sqlite") as file:
        database = sqlite3.connect(file.name, check_same_thread=False)
        database.executescript(_FAST + schema)
    return database
