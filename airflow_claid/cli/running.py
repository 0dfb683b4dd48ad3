"""Runs a command: what it raises becomes a sentence on stderr, and an exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

from airflow_claid.cli.command import Command, ExitCode, UsageError
from airflow_claid.cli.output import Output, printable


def run(command: Command, arguments: argparse.Namespace) -> int:
    """Run a command, and return its exit code."""
    out, err = sys.stdout, sys.stderr
    output = Output(out, err, as_json=arguments.json)
    try:
        with _only_results(out, err, debug=arguments.debug):
            code = command.run(arguments, output)
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # nobody reads on: that is no error
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is becomes a sentence
        from airflow_claid.client.redaction import redacted

        if arguments.debug:
            err.write(redacted("".join(traceback.format_exception(error))))
        err.write(f"claid: {redacted(_sentence(error))}\n")
        return ExitCode.USAGE if _is_usage(error) else ExitCode.FAILED
    return code


@contextmanager
def _only_results(out: TextIO, err: TextIO, *, debug: bool) -> Iterator[None]:
    """Keep everything but results out of stdout: logs, and what libraries print."""
    for stream in (out, err):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is out:
            handler.setStream(err)
    before = logging.root.manager.disable
    logging.disable(logging.NOTSET if debug else logging.INFO)
    try:
        with redirect_stdout(err):
            yield
    finally:
        logging.disable(before)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_usage(error: Exception) -> bool:
    from airflow_claid.client import ClaidMissingConnectionError, ClaidValidationError

    usage = (UsageError, ClaidValidationError, ClaidMissingConnectionError)
    return any(isinstance(cause, usage) for cause in _causes(error))


def _sentence(error: Exception) -> str:
    from airflow_claid.errors import AirflowClaidError

    known = isinstance(error, UsageError) or any(isinstance(cause, AirflowClaidError) for cause in _causes(error))
    return printable(error) if known else f"{type(error).__name__}: {printable(error)}"
