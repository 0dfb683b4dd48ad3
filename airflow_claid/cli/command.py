"""What a command is, whichever parser reads its arguments: ours, or Airflow's."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from airflow_claid.cli.output import Output

KEY_VARIABLE = "CLAID_API_KEY"
ADDRESS_VARIABLE = "CLAID_BASE_URL"


class ExitCode(IntEnum):
    """The exit codes of all commands."""

    OK = 0
    """Done, and all is well."""
    PROBLEM = 1
    """Done, and there is a problem: an item that cannot be requested, a blocked picture, an unreadable receipt."""
    USAGE = 2
    """Not done: a wrong option or value, or a missing file or connection. Nothing was charged."""
    FAILED = 3
    """Not done, or not to its end: Claid, a storage or the network refused, or did not answer."""
    INTERRUPTED = 130
    """Ended by Ctrl+C."""


class UsageError(Exception):
    """A command cannot do what it was asked: which option, its value, and the remedy."""


@dataclass(frozen=True)
class Argument:
    """An argument of a command.

    :param flags: ``("--json",)``, or the name of a positional argument.
    :param settings: what :meth:`argparse.ArgumentParser.add_argument` takes.
    """

    flags: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Add the argument to a parser; Airflow's parser calls this, too."""
        parser.add_argument(*self.flags, **self.settings)


def argument(*flags: str, **settings: Any) -> Argument:
    """Return an argument, as :meth:`argparse.ArgumentParser.add_argument` would add it."""
    return Argument(flags, settings)


@dataclass(frozen=True)
class Command:
    """A command.

    :param name: as it is entered.
    :param help: what it does, in a line.
    :param run: does it; returns the exit code. Bad input raises :class:`UsageError`.
    :param arguments: its own, or what returns them, if that imports much.
    :param description: for ``--help``; by default ``help``.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace, Output], ExitCode]
    arguments: Sequence[Argument] | Callable[[], Sequence[Argument]] = ()
    description: str | None = None

    def all_arguments(self) -> list[Argument]:
        """Return its own arguments, and those that every command has."""
        own = self.arguments() if callable(self.arguments) else self.arguments
        return [*own, *COMMON]


@dataclass(frozen=True)
class Group:
    """Several commands about one thing: ``claid receipts list``."""

    name: str
    help: str
    commands: Sequence[Command]


class _KeyGiven(argparse.Action):
    """Refuses a key without repeating it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """End with a usage error."""
        parser.error(
            "a key on the command line can be read in the shell's history and in the list of processes: put it into an "
            f"Airflow connection (--conn-id), or into the environment variable {KEY_VARIABLE}"
        )


COMMON = (
    argument("--json", action="store_true", help="print JSON: an object, or for a list an object a line"),
    argument("--debug", action="store_true", help="log all that happens to stderr, and tracebacks"),
)
"""The arguments that every command has."""

CONNECTION = (
    argument(
        "--conn-id",
        metavar="CONN_ID",
        help=f"Airflow connection to Claid (default: the key in {KEY_VARIABLE}, else claid_default)",
    ),
    argument("--api-key", nargs="?", action=_KeyGiven, help=argparse.SUPPRESS),
)
"""The arguments of a command that asks Claid; see :func:`.connecting.claid_hook`."""
