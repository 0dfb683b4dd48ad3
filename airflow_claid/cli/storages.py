"""``claid storages``: the connected storages of the account."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_claid.cli.command import CONNECTION, Command, ExitCode
from airflow_claid.cli.connecting import claid_hook
from airflow_claid.cli.output import Column, Output

if TYPE_CHECKING:
    from airflow_claid.client import Storage

_COLUMNS = (
    Column("NAME", "name"),
    Column("TYPE", "type"),
    Column("WHERE", lambda row: row["bucket"] or row["base_url"]),
    Column("PATH", "path"),
    Column("WRITABLE", lambda row: "yes" if row["writable"] else "no"),
    Column("AIRFLOW READS", "readable_as"),
)


def _list(arguments: argparse.Namespace, output: Output) -> ExitCode:
    hook = claid_hook(arguments)
    found = hook.client.list_storages()
    output.rows((_facts(one, hook.storages.find_readable_uri(f"storage://{one.name}/")) for one in found), _COLUMNS)
    if not found:
        output.note("The account has no connected storages.")
    return ExitCode.OK


def _facts(storage: Storage, readable_as: str | None) -> dict[str, Any]:
    where = storage.parameters
    return {
        "id": storage.id,
        "name": storage.name,
        "type": storage.type,
        "bucket": where.bucket,
        "path": where.path,
        "base_url": where.base_url,
        "writable": storage.writable,
        "readable_as": readable_as,
    }


COMMAND = Command("storages", "list the connected storages of the account", _list, CONNECTION)
