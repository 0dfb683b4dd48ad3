"""One item of a batch, as a row says it: nothing in it is checked yet beyond its form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_claid.batch.columns import Record
from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.client.text import shortened
from airflow_claid.client.values import plain
from airflow_claid.storage.addresses import is_link, relative_path_problem
from airflow_claid.storage.stored_files import StoredFile

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(e[+-]?[0-9]{1,3})?", re.IGNORECASE)


@dataclass(frozen=True)
class ItemRow:
    """One row, as it was found.

    :param number: counted from 1; a header and empty lines are not counted.
    :param values: by our names of the columns, the subject's among them; what was empty is left out.
    :param name: what the user calls the item; ``None`` where he does not.
    :param problem: why the row cannot be used, as a sentence's end (``"has no prompt"``); else ``None``.
    :param file: the picture that it is about, as a folder listed it; ``None`` where nothing was listed.
    :param version: the checksum that a manifest told of that picture.
    :param carried: facts of a manifest's row that the next manifest has too: ``name``, ``prompt`` and ``from``.
    :param passed_over: why there is nothing to do, as the status that a manifest told (``"blocked"``); else ``None``.
    :param folder: the folder, ending with ``/``, within the folder that was listed; empty where there is none.
    """

    number: int
    values: Mapping[str, object] = field(default_factory=dict)
    name: object = None
    problem: str | None = None
    file: StoredFile | None = None
    version: str | None = None
    carried: Mapping[str, Any] = field(default_factory=dict)
    passed_over: str | None = None
    folder: str = ""


def row_of(number: int, record: Record, kind: ItemKind) -> ItemRow:
    """Return the item of a record."""
    if isinstance(record, str):
        return ItemRow(number, problem=record)
    values, problem = filled_values(record, kind)
    if kind.subject not in values:
        problem = problem or f"has no {kind.subject}"
    elif kind.pictures:
        subject = values[kind.subject]
        values[kind.subject] = subject.strip() if isinstance(subject, str) else subject
        pictures = [*subject] if kind.several and isinstance(subject, (list, tuple)) else [values[kind.subject]]
        problem = problem or next(filter(None, map(_picture_problem, pictures)), None)
    name = values.pop("name", None)
    return ItemRow(number, values, name, problem)


def filled_values(record: Mapping[str, object], kind: ItemKind) -> tuple[dict[str, object], str | None]:
    """Return the values of a record that are not empty, and what is wrong with the first that cannot be read."""
    values: dict[str, object] = {}
    problem = None
    for column, value in record.items():
        try:
            filled = _filled(value)
        except ValueError:
            problem = problem or f"has a {column} in bytes that are not UTF-8"
            continue
        if filled is not None:
            values[column] = _number(filled) if column in kind.numbers else filled
    return values, problem


def _picture_problem(subject: object) -> str | None:
    """Say why something cannot be the address of a picture, as far as its form tells."""
    if not isinstance(subject, str):
        return f"is {shortened(subject)}, which is no address of a picture"
    if "://" not in subject:
        remedy = f"use {'file://' + subject!r}" if subject.startswith("/") else "use https://…, s3://… or file:///…"
        return f"is {shortened(subject)}, which is no address of a picture: {remedy}"
    if subject.count("://") > 1 and not is_link(subject) and not subject.startswith("["):
        return f"is {shortened(subject)}, which is the address of more than one picture: give a list, or a row for each"
    problem = relative_path_problem(subject)
    return f"is {shortened(subject)}, which {problem}" if problem else None


def _filled(value: object) -> object:
    """Return a value as Python has it; ``None`` for what is empty."""
    value = str(value) if isinstance(value, ObjectStoragePath) else plain(value)
    return None if isinstance(value, str) and not value.strip() else value


def _number(value: object) -> object:
    """Return the number that a text shows; other text stays, for the check that refuses it by name."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else value
