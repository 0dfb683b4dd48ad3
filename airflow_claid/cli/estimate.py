"""``claid estimate``: what a batch would cost."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_claid.cli.addresses import file_address
from airflow_claid.cli.command import CONNECTION, Command, ExitCode, UsageError, argument
from airflow_claid.cli.connecting import claid_conn_id, claid_hook
from airflow_claid.cli.output import Column, Output

if TYPE_CHECKING:
    from airflow_claid.operators.bases.batch import ClaidBatchOperator

_OPERATORS = {
    "generate": "ImageGenerationBatchOperator",
    "edit": "ImageEditBatchOperator",
    "upscale": "ImageUpscaleBatchOperator",
    "resize": "ImageResizeBatchOperator",
    "ai_edit": "ImageAIEditBatchOperator",
    "fashion": "FashionModelBatchOperator",
    "scene": "BackgroundGenerationBatchOperator",
    "video": "ImageToVideoBatchOperator",
}
_OWN = {"output_path", "estimate_only", "manifest", "claid_conn_id"}
"""Parameters that are not for ``--set``."""

_REASONS = (Column("ROW", "row", is_number=True), Column("NAME", "name"), Column("REASON", "reason"))


def _estimate(arguments: argparse.Namespace, output: Output) -> ExitCode:
    from airflow_claid.version_compat import AirflowFailException

    claid_hook(arguments)
    with tempfile.TemporaryDirectory(prefix="claid-estimate-") as nothing:
        folder = file_address(arguments.output or nothing).rstrip("/") + "/"
        try:
            estimated = _operator(arguments, folder).estimate()
        except AirflowFailException as error:
            if error.__cause__ is not None:
                raise
            raise UsageError(str(error)) from None
    facts = estimated.to_json()
    if output.as_json:
        output.facts(facts)
    else:
        reasons = facts.pop("reasons")
        output.facts(facts)
        output.text("")
        output.rows(reasons, _REASONS)
    return ExitCode.PROBLEM if estimated.invalid or estimated.failing else ExitCode.OK


def _operator(arguments: argparse.Namespace, output: str) -> ClaidBatchOperator:
    """Return the operator that would do the batch."""
    from airflow_claid import operators

    kind: type[ClaidBatchOperator] = getattr(operators, _OPERATORS[arguments.operation])
    subject = kind.item_kind.parameter
    allowed = {*kind.template_fields} - {*_OWN, subject}
    parameters = dict(map(_assigned, arguments.set))
    unknown = sorted(parameters.keys() - allowed)
    if unknown:
        raise UsageError(
            f"--set {unknown[0]}: {arguments.operation} has no such parameter; it has {', '.join(sorted(allowed))}"
        )
    items = file_address(arguments.items)
    if arguments.items.endswith("/") or Path(arguments.items).is_dir():
        items = items.rstrip("/") + "/"
    parameters[subject] = items
    return kind(task_id="estimate", output=output, claid_conn_id=claid_conn_id(arguments), **parameters)


def _assigned(text: str) -> tuple[str, Any]:
    """Return the name and the value of ``NAME=VALUE``; a value that is no JSON is a text."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(f"--set {name!r} is not NAME=VALUE, such as number_of_images=2")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


COMMAND = Command(
    "estimate",
    "say what a batch would cost; nothing is sent that is charged, and nothing is written",
    _estimate,
    (
        argument("items", metavar="ITEMS", help="file, folder, glob or manifest, as the batch operator takes it"),
        argument("--operation", choices=tuple(_OPERATORS), default="generate", help="default: %(default)s"),
        argument(
            "--output",
            metavar="FOLDER",
            help="of the batch: what is paid for there costs nothing again (default: nothing is paid for yet)",
        ),
        argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a parameter of the batch operator, its value as JSON or text, repeatable",
        ),
        *CONNECTION,
    ),
)
