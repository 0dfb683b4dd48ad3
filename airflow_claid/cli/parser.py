"""The parser of ``claid``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NoReturn

from airflow_claid import __version__
from airflow_claid.cli.command import Command, Group
from airflow_claid.cli.running import run

_VALUE = re.compile(r"=.*", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """A parser that takes options only as they are called, and repeats no value that it does not know."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})  # type: ignore[arg-type]

    def parse_args(self, args: Sequence[str] | None = None, namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        """Parse all arguments."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options = [_VALUE.sub("", word) for word in unknown if word.startswith("-")]
            self.error(f"unknown options: {', '.join(options)}" if options else "too many arguments")
        return parsed

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        super().error(f"{message} (see {self.prog} --help)")


def parser_of(commands: Iterable[Command | Group], chosen: str | None) -> Parser:
    """Return the parser of all commands.

    :param chosen: the command that was entered: the arguments of the others are not needed.
    """
    parser = Parser(prog="claid", description="Claid in Airflow, on the command line.")
    parser.add_argument("--version", action="version", version=__version__)
    names = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for one in commands:
        added = names.add_parser(one.name, help=one.help, description=_description(one))
        if one.name != chosen:
            continue
        if isinstance(one, Command):
            _complete(added, one)
            continue
        inner = added.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
        for command in one.commands:
            described = inner.add_parser(command.name, help=command.help, description=_description(command))
            _complete(described, command)
    return parser


def _description(one: Command | Group) -> str:
    return (one.description if isinstance(one, Command) else None) or one.help


def _complete(parser: argparse.ArgumentParser, command: Command) -> None:
    for argument in command.all_arguments():
        argument.add_to_parser(parser)
    parser.set_defaults(func=partial(run, command))
