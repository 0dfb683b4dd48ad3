"""``claid sandbox``: a local Claid."""

from __future__ import annotations

import argparse

from airflow_claid.cli.command import Argument, Command, ExitCode, argument
from airflow_claid.cli.output import Output


def _options() -> list[Argument]:
    from airflow_claid.sandbox.__main__ import add_options

    options: list[Argument] = []
    add_options(lambda *flags, **settings: options.append(argument(*flags, **settings)))
    return options


def _serve(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.sandbox import SandboxSettings
    from airflow_claid.sandbox.__main__ import greeting, serve, settings_of

    def greet(settings: SandboxSettings, url: str) -> None:
        if output.as_json:
            output.facts({"url": url, "ledger": f"{url}/sandbox/ledger", "page": f"{url}/"})
        else:
            output.text(greeting(settings, url))
        output.flush()

    return ExitCode.FAILED if serve(settings_of(arguments), greet) else ExitCode.OK


COMMAND = Command("sandbox", "serve a local Claid until Ctrl+C, as claid-sandbox does", _serve, _options)
