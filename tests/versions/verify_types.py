"""Check that no name of the public interface lacks a type, as ``pyright --verifytypes`` sees the installed package."""

from __future__ import annotations

import json
import subprocess
from typing import Any

PUBLIC = ("client", "errors", "hooks", "manifests", "notifications", "operators", "sensors")
"""The packages that users import from; decorators are functions, whose classes only Airflow calls."""

OF_AIRFLOW = ("metaclass unknown", "base class", "partially unknown")
"""Airflow's operators have a metaclass without hints, and that of a review is made where its provider is installed;
what is partially unknown follows from them, or from a name that is told itself."""


def lacking(report: dict[str, Any]) -> list[str]:
    """Return what of the public interface has no known type."""
    public = tuple(f"airflow_claid.{package}." for package in PUBLIC)
    return [
        f"{symbol['name']}: {problem['message']}"
        for symbol in report["typeCompleteness"]["symbols"]
        for problem in symbol["diagnostics"]
        if f"{symbol['name']}.".startswith(public)
        and problem["severity"] == "error"
        and not any(cause in problem["message"] for cause in OF_AIRFLOW)
    ]


def main() -> int:
    """Print the score and what is lacking."""
    command = ["pyright", "--verifytypes", "airflow_claid", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    found = lacking(report)
    print(*found, sep="\n")
    print(f"{report['typeCompleteness']['completenessScore']:.1%} of all names, {len(found)} public ones lack a type")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
