"""A database of one's own on a PostgreSQL server: Airflow's metadata where SQLite's one writer is not enough."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

SERVER = os.environ.get("POSTGRES_SERVER", "postgresql://postgres@127.0.0.1:5432")


@contextmanager
def database(server: str = SERVER) -> Iterator[str]:
    """Make a database, and drop it in the end; give its address.

    :param server: ``postgresql://user@host:port``.
    """
    name = f"airflow_claid_{uuid.uuid4().hex[:12]}"

    def order(statement: str) -> None:
        connection = psycopg2.connect(f"{server}/postgres")
        connection.autocommit = True
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    order(f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        order(f"DROP DATABASE {name} WITH (FORCE)")


def for_sqlalchemy(address: str) -> str:
    """Name the driver in a database's address, as ``sql_alchemy_conn`` wants it."""
    return address.replace("postgresql://", "postgresql+psycopg2://", 1)
