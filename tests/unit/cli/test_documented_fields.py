"""The fields that the page of the command line names are those that commands print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_claid.cli.commands import COMMANDS
from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.sandbox import Sandbox
from tests.docs.pages import ROOT, Page, spans
from tests.support.one_attempt import TaskInstance
from tests.unit.cli.conftest import Claid

PAGE = Page(ROOT / "docs/command-line.md")


def test_the_fields_of_json_are_those_of_the_page(connected: Sandbox, tmp_path: Path, command: Claid) -> None:
    connected.connect_storage("shop", bucket="b", where=str(tmp_path), access_key="a", secret_access_key="b")
    batch = {"task_id": "t", "prompts": ["a lamp", "no"], "output": f"file://{tmp_path}/", "error_threshold": 1}
    manifest = ImageGenerationBatchOperator(**batch).execute({"ti": TaskInstance(1)})["manifest"]  # type: ignore[typeddict-item, arg-type]
    fingerprint = next((tmp_path / "_claid").glob("*.json")).stem
    folder = str(tmp_path)

    def first(*words: str) -> dict[str, Any]:
        found: dict[str, Any] = command(*words, "--json").lines[0]
        return found

    printed = {
        "generate": first("generate", "a sofa", "--output", folder),
        "generate --dry-run": first("generate", "a sofa", "--output", folder, "--dry-run"),
        "receipts list": first("receipts", "list", folder),
        "receipts sum": first("receipts", "sum", folder),
        "receipts show": first("receipts", "show", folder, fingerprint),
        "manifest show": first("manifest", "show", manifest),
        "manifest show --status": first("manifest", "show", manifest, "--status", "done"),
        "manifest join": first("manifest", "join", manifest),
        "manifest retry-list": first("manifest", "retry-list", manifest, "--to", f"{folder}/retry.csv"),
        "estimate": first("estimate", manifest, "--operation", "upscale", "--set", "scale=2"),
        "storages": first("storages"),
    }
    (table,) = (table for table in PAGE.tables if table.header[0] == "`--json` of")
    documented = {name: set(spans(cell.partition("(`")[0])) for name, cell in table.column("Fields").items()}
    documented["receipts show"] = documented["receipts list"] | documented["receipts show"] - {"receipts list"}
    assert documented.keys() == {*printed, "check", "sandbox"}
    for name, facts in printed.items():
        assert documented[name] == facts.keys(), name


def test_the_page_names_every_command() -> None:
    (table,) = (table for table in PAGE.tables if table.header[0] == "Command")
    assert set(table.names) == {f"claid {one.name}" for one in COMMANDS}
