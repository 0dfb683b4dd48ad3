"""Where a command gets the key from: an Airflow connection, or the environment; never the command line."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from airflow_claid.cli.command import ADDRESS_VARIABLE, KEY_VARIABLE, UsageError

if TYPE_CHECKING:
    from airflow_claid.client.transport import OnAnswer
    from airflow_claid.hooks.claid import ClaidHook

_OF_ENVIRONMENT = "claid_command_line"
"""The Airflow connection, in this process alone, that has the key of the environment variable."""


def claid_conn_id(arguments: argparse.Namespace) -> str:
    """Return the id of the connection to Claid that a command is to use.

    :param arguments: with those of :data:`.command.CONNECTION`.
    """
    from airflow_claid.hooks.claid import ClaidHook

    # Else Airflow would not look into its own database for connections.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    if arguments.conn_id is not None:
        return str(arguments.conn_id)
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return ClaidHook.default_conn_name
    fields = {"conn_type": ClaidHook.conn_type, "password": key, "host": os.environ.get(ADDRESS_VARIABLE)}
    os.environ[f"AIRFLOW_CONN_{_OF_ENVIRONMENT.upper()}"] = json.dumps(fields)
    return _OF_ENVIRONMENT


def claid_hook(arguments: argparse.Namespace, on_answer: OnAnswer | None = None) -> ClaidHook:
    """Return the hook of the connection to Claid that a command is to use.

    :param arguments: with those of :data:`.command.CONNECTION`.
    :param on_answer: is told of each answer of Claid.
    :raises UsageError: if there is no such connection.
    """
    from airflow_claid.client import ClaidMissingConnectionError
    from airflow_claid.hooks.claid import ClaidHook

    conn_id = claid_conn_id(arguments)
    hook = ClaidHook(conn_id, on_answer=on_answer)
    try:
        hook.get_conn()
    except ClaidMissingConnectionError:
        raise UsageError(
            f"Airflow has no connection {conn_id!r}: define it, of type 'claid', name another with --conn-id, or set "
            f"{KEY_VARIABLE} to the key, and {ADDRESS_VARIABLE} to a sandbox's address if it is one"
        ) from None
    return hook
