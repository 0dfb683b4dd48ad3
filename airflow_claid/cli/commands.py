"""All commands, in the order of ``claid --help``. A new one is a module of this package, and a line here."""

from __future__ import annotations

from airflow_claid.cli import (
    check,
    credits,  # noqa: A004 - Claid's own word
    estimate,
    generate,
    manifest,
    receipts,
    sandbox,
    storages,
)
from airflow_claid.cli.command import Command, Group

COMMANDS: tuple[Command | Group, ...] = (
    generate.COMMAND,
    receipts.COMMAND,
    manifest.COMMAND,
    estimate.COMMAND,
    check.COMMAND,
    storages.COMMAND,
    credits.COMMAND,
    sandbox.COMMAND,
)
