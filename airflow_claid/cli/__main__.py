"""The command ``claid``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from airflow_claid.cli.commands import COMMANDS
from airflow_claid.cli.parser import parser_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; return its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parsed = parser_of(COMMANDS, words[0] if words else None).parse_args(words)
    return int(parsed.func(parsed))


if __name__ == "__main__":
    sys.exit(main())
