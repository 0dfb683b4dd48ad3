"""The files and folders that commands are given: addresses as Airflow knows them, or paths on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from airflow_claid.cli.command import UsageError


def file_address(text: str) -> str:
    """Return the address of a file: a path on this machine becomes ``file://…``."""
    return text if "://" in text else f"file://{Path(text).expanduser().absolute()}"


def folder_address(text: str, arguments: argparse.Namespace) -> str:
    """Return the address of a folder, ending with ``/``, by which Airflow reads it.

    :param arguments: of the command, with those of :data:`.command.CONNECTION`: who knows ``storage://NAME/``.
    :raises UsageError: if it is a folder on this machine and not there.
    """
    from airflow_claid.storage.addresses import is_connected, local_path

    address = file_address(text).rstrip("/") + "/"
    if is_connected(address):
        from airflow_claid.cli.connecting import claid_hook

        return claid_hook(arguments).storages.readable_uri(address)
    local = local_path(address)
    if local is not None and not Path(local).is_dir():
        raise UsageError(f"{text!r}: there is no such folder")
    return address
