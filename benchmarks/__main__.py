"""Run all benchmarks or the named ones, and print their tables; the exit status is 1 if a promise is not kept."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from benchmarks.tables import machine, write_into_docs

NAMES = (
    "quota",
    "edits",
    "folder",
    "others",
    "shared_quota",
    "crash",
    "faults",
    "parti",
    "restart",
    "nightly",
    "chain",
    "memory",
    "downloads",
    "speed",
    "gallery",
    "startup",
)


def main() -> int:
    """Run the benchmarks one after the other, so that they do not share the machine's cores."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; default: all")
    parser.add_argument("--update-docs", action="store_true", help="write the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    wrong: list[str] = []
    for name in arguments.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        taken_on, began = machine(), time.monotonic()
        print(f"==> {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        for table in module.run():
            print(f"\n{table}", flush=True)
            wrong += table.wrong
            if arguments.update_docs:
                write_into_docs(table, taken_on)
        print(f"{time.monotonic() - began:.0f} s; {taken_on}\n", flush=True)
    for problem in wrong:
        print(f"NOT AS PROMISED: {problem}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
