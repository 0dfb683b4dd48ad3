"""Which answers unlike the documentation are paid, delivered and said how: ``python -m tests.answers_table``.

Every answer is given over HTTP by a sandbox, to each of three tries of a task without a place for its pictures. The
table goes into docs/errors.md.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator

from airflow_claid.operators import (
    BackgroundGenerationOperator,
    FashionModelOperator,
    ImageAIEditOperator,
    ImageEditOperator,
    ImageGenerationOperator,
    ImageToVideoOperator,
)
from airflow_claid.sandbox import Sandbox, SandboxSettings
from airflow_claid.sandbox.settings import all_quotas
from tests.support.dialects import LOST_SUBMISSIONS, READABLE, SUBMISSIONS, TOO_DEEP, UNREADABLE, said
from tests.unit.operators.conftest import StateStore, TaskInstance

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
MARKS = ("<!-- answers -->\n", "<!-- end of answers -->\n")
NESTED = "nested too deep"
SMALL = {"resizing": {"width": 64, "height": 64, "fit": "bounds"}}
BODIES = ["an empty body", "null", "text", "HTML", "no content", "bytes"]


def task(operation: str, link: str) -> BaseOperator:
    """Return a task that sends a request of an operation."""
    quick: dict[str, Any] = {"task_id": "t", "poll_interval": 0.05}
    tasks = {
        "generate_image": lambda: ImageGenerationOperator(task_id="t", prompt="A linen sofa"),
        "create_scene": lambda: BackgroundGenerationOperator(task_id="t", input=link, prompt="on a table"),
        "submit_edit": lambda: ImageEditOperator(input=link, operations=SMALL, **quick),
        "submit_ai_edit": lambda: ImageAIEditOperator(input=link, prompt="make it red", **quick),
        "submit_fashion_model": lambda: FashionModelOperator(clothing=link, **quick),
        "submit_video": lambda: ImageToVideoOperator(input=link, prompt="it turns", **quick),
    }
    return tasks[operation]()


def tried(sandbox: Sandbox, operation: str, dialect: dict[str, Any]) -> tuple[float, int, str]:
    """Try a task three times; return its credits, the pictures of the last try, and what that said."""
    sandbox.clear_dialects()
    memory: dict[str, Any] = {}
    (link,) = ImageGenerationOperator(task_id="g", prompt="A plain shirt").execute(context(1, {}))
    before = sandbox.charged()
    sandbox.dialect(**dialect)
    pictures, message = 0, ""
    for number in (1, 2, 3):
        try:
            pictures, message = len(task(operation, link).execute(context(number, memory))), ""
        except Exception as error:  # noqa: BLE001 - the table tells
            pictures, message = 0, str(error)
    return sandbox.charged() - before, pictures, message


def context(number: int, memory: dict[str, Any]) -> Any:
    """Return what a try of a task finds."""
    return {"ti": TaskInstance(try_number=number), "task_state_store": StateStore(memory)}


def rows(sandbox: Sandbox) -> list[str]:
    """Return the lines of the table."""
    lines = ["| The answer has | Operations | Paid | Delivered | The task says |", "| --- | --- | --- | --- | --- |"]
    jobs = ["submit_edit", "submit_ai_edit", "submit_fashion_model", "submit_video"]
    at_once = [(name, ["generate_image", "create_scene"]) for name in (*READABLE, NESTED, *UNREADABLE)]
    submitted = [(name, jobs) for name in (*SUBMISSIONS, NESTED, *LOST_SUBMISSIONS, *BODIES)]
    for name, operations in (*at_once, *submitted):
        by_outcome: dict[tuple[str, str, str], list[str]] = {}
        for operation in operations:
            dialect = {"operation": operation, **TOO_DEEP} if name == NESTED else said(name, operation)
            charged, pictures, message = tried(sandbox, operation, dialect)
            price = {"generate_image": 1, "create_scene": 1, "submit_edit": 1, "submit_video": 35}.get(operation, 2)
            paid = "once" if charged == price else f"{charged / price:g} times"
            reason = re.search(r"could not be read: (.*?)\. It is kept", message)
            told = re.sub(r"\d+ bytes", "… bytes", reason.group(1)) if reason else message or "-"
            outcome = (paid, "yes" if pictures else "no", re.sub(r"\(its fields.*", "(its fields: …)", told))
            by_outcome.setdefault(outcome, []).append(operation)
        for outcome, names in by_outcome.items():
            cells = (name, ", ".join(f"`{one}`" for one in names), *outcome)
            lines.append("| " + " | ".join(cell.replace("|", r"\|").replace("<", "&lt;") for cell in cells) + " |")
    return lines


def main() -> None:
    """Write the table into the page, and print it."""
    logging.disable(logging.CRITICAL)
    with Sandbox(SandboxSettings(**all_quotas("100000/1"))) as sandbox:
        connection = {"conn_type": "claid", "password": sandbox.api_key, "host": sandbox.url}
        os.environ["AIRFLOW_CONN_CLAID_DEFAULT"] = json.dumps(connection)
        table = "\n".join(rows(sandbox)) + "\n"
    page = PAGE.read_text()
    begin, end = (page.index(mark) for mark in MARKS)
    PAGE.write_text(page[: begin + len(MARKS[0])] + table + page[end:])
    sys.stdout.write(table)


if __name__ == "__main__":
    main()
