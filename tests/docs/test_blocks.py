"""Every code block of every page runs, in the order of the page and in one world."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.sandbox.dialects import read_dialects
from airflow_claid.sandbox.ledger import Entry
from airflow_claid.testing.ledger import describe
from tests.conftest import Connect
from tests.docs.conftest import Scene
from tests.docs.console_blocks import run_console
from tests.docs.json_blocks import check_json
from tests.docs.pages import PAGES, ROOT, Block, Page
from tests.docs.python_blocks import run_python

_COMMANDS = re.compile(r"^(airflow|claid|claid-sandbox)\b|@dag\(|^def test_", re.MULTILINE)
"""What is run in a process of its own: commands, DAGs and tests of DAGs."""


def _parameter(page: Page) -> Any:
    has_commands = any(_COMMANDS.search(block.text) for block in page.blocks)
    return pytest.param(page, id=str(page), marks=[pytest.mark.commands] if has_commands else [])


@pytest.mark.parametrize("page", [_parameter(page) for page in PAGES if page.blocks])
def test_the_blocks_of_a_page_run(page: Page, scene: Scene, connect: Connect) -> None:
    for block in page.blocks:
        try:
            _run(block, page, scene, connect)
        except BaseException as error:
            raise AssertionError(f"{page}:{block.line}: {type(error).__name__}: {error}") from error


def _run(block: Block, page: Page, scene: Scene, connect: Connect) -> None:
    text = scene.staged(block.text)
    match block.kind:
        case "python":
            run_python(text, f"{page}:{block.line}", scene)
        case "json":
            check_json(text, scene, connect)
        case "console" | "bash" | "sh":
            run_console(text, scene, connect)
        case "toml":
            _check_dialects(text, scene.folder / "dialects.toml")
        case "text":
            _check_files(text)
        case "text output":
            _check_ledger(text)
        case "text diagram":
            _check_diagram(text)
        case _:
            raise AssertionError(f"nobody knows how to check a block of the kind {block.kind!r}")


def _check_dialects(text: str, file: Path) -> None:
    """A TOML block is a file of dialects for the sandbox."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    assert read_dialects(str(file))


def _check_files(text: str) -> None:
    """A text block lists files that the blocks before it have written; ``…`` stands for any part of a name."""
    for line in text.splitlines():
        path = Path(line.replace("…", "*"))
        assert path.is_absolute(), f"a text block lists files, but {line!r} is none"
        assert list(path.parent.glob(path.name)), f"{line} was not written"


def _check_ledger(text: str) -> None:
    """Output of a failed assertion has the form that the ledger gives it."""
    entries = [
        Entry(1, "", "", "generate_image", prompt="A brass desk lamp on an oak table", credits=1),
        Entry(2, "", "", "generate_image", prompt="A paper lantern in a dark room", credits=1, delivered=False),
        Entry(3, "", "", "generate_image", prompt="A paper lantern in a dark room", credits=1),
        Entry(4, "", "", "upload_and_edit", request={"operations": {}}, credits=1),
        *(Entry(number, "", "", "list_storages", status=200) for number in (5, 6)),
    ]
    title, _, told = text.partition("\n")
    assert title == "Claid charged 4 credits, not 3 credits."
    assert told == describe(entries) + "\n"


def _check_diagram(text: str) -> None:
    """A diagram names packages, each with a slash behind it."""
    named = re.findall(r"\b(\w+)/", text)
    assert named
    for name in named:
        assert (ROOT / "airflow_claid" / name / "__init__.py").exists(), f"there is no package {name}"
