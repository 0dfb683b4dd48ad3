"""The pictures of a review, and how the Airflow UI shows them under *Required Actions*."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_claid.batch.approval import sample_of
from airflow_claid.batch.manifest_file import may_be_manifest
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.lists import flat
from airflow_claid.client.text import shortened
from airflow_claid.client.values import without_nulls
from airflow_claid.gallery_addresses import file_path, gallery_is_on, gallery_path, gallery_root
from airflow_claid.parameters import paths
from airflow_claid.storage.addresses import last_of
from airflow_claid.storage.signed_links import shown

MOST = 200
"""Pictures that one page shows."""

_COLUMNS = 3
_NAME_CHARACTERS = 60
_PROMPT_CHARACTERS = 240
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@/$^=\"'])")

_OF_PICTURE = ("width", "height", "mime", "bytes", "sha256", "expires_at", "fingerprint", "request_id")

Image = dict[str, Any]
"""One picture of a review, in the form of XCom ``images``; besides ``label``, by which it is chosen, and ``row``."""


@dataclass(frozen=True)
class Shown:
    """The task instance whose XCom ``images`` has the pictures, by which the gallery finds them."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


def manifest_of(value: object) -> str | None:
    """Return the address of the manifest that an input is; ``None`` where it is a list of pictures."""
    return value.strip() if isinstance(value, str) and may_be_manifest(value.strip()) else None


def pictures_of_manifest(manifest: str, sample: int) -> list[Image]:
    """Return the pictures of a sample of a manifest's rows.

    :raises ClaidValidationError: if the manifest cannot be used.
    """
    rows = sample_of(manifest, sample)
    return [
        _image(_label(number, row.get("name"), row["paths"][0]), path, row) | {"row": row["row"]}
        for number, row in enumerate(rows, start=1)
        for path in row["paths"]
    ]


def pictures_of_list(value: object) -> list[Image]:
    """Return the pictures of paths, or of the dicts of XCom ``images``, without those that are not usable.

    :raises ClaidValidationError: if it is neither, or if there are too many.
    """
    entries = list(_entries(value))
    if len(entries) > MOST:
        raise ClaidValidationError(
            f"input has {len(entries):,} pictures, and a page of a review shows {MOST}: review them in parts, or make "
            "them by a batch operator and review a sample of its manifest"
        )
    return [
        _image(_label(number, entry.get("name"), entry["path"]), entry["path"], entry)
        for number, entry in enumerate(entries, start=1)
    ]


def _entries(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, str):
        yield from ({"path": path} for path in paths(value, "input"))
        return
    for entry in flat([value] if isinstance(value, Mapping) else value):
        if not isinstance(entry, Mapping):
            yield from ({"path": path} for path in paths(entry, "input"))
        elif {"path", "error", "fingerprint"}.isdisjoint(entry):
            raise ClaidValidationError(
                f"input={shortened(entry)} must be paths, the XCom 'images' of a task, or the address of a manifest"
            )
        elif entry.get("path") and not entry.get("blocked"):
            yield entry


def _image(label: str, path: str, facts: Mapping[str, Any]) -> Image:
    """Return a picture as XCom ``images`` has it; a review pays for none."""
    of_picture = {fact: facts[fact] for fact in _OF_PICTURE if isinstance(facts.get(fact), (str, int, float))}
    named = {"name": facts.get("name"), "prompt": facts.get("prompt")}
    return {"label": label, "path": path, **without_nulls(named), **of_picture, "blocked": False, "credits": 0.0}


def _label(number: int, name: object, path: str) -> str:
    text = " ".join(str(name or last_of(path)).split())
    return f"{number}. {text if len(text) <= _NAME_CHARACTERS else text[: _NAME_CHARACTERS - 1] + '…'}"


def labels_of(images: Iterable[Image]) -> list[str]:
    """Return what is chosen among: the pictures, or the items that have several of them."""
    return list(dict.fromkeys(image["label"] for image in images))


def body_of(instructions: str | None, images: Sequence[Image], where: Shown) -> str:
    """Return the pictures in Markdown; without the gallery, their paths."""
    content = "\n".join(_table(images, where) if gallery_is_on() else map(_line, images))
    return f"{instructions}\n\n{content}" if instructions else content


def _table(images: Sequence[Image], where: Shown) -> Iterator[str]:
    """Yield a table of pictures, each of which leads to its page in the gallery."""
    task = gallery_root() + gallery_path(where.dag_id, where.run_id, where.task_id, where.map_index)
    pictures = [_picture(image, f"{task}/{row}") for row, image in enumerate(images)]
    columns = min(_COLUMNS, len(images))
    yield "|" + " |" * columns
    yield "|" + " --- |" * columns
    for first in range(0, len(images), columns):
        yield _row(pictures[first : first + columns])
        yield _row([_about(image) for image in images[first : first + columns]])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _picture(image: Image, page: str) -> str:
    return f"[![{_text(image['label'])}]({file_path(page, 0, 'thumbnail')})]({page})"


def _about(image: Image) -> str:
    return " ".join(filter(None, (f"**{_text(image['label'])}**", _prompt(image))))


def _line(image: Image) -> str:
    return f"- {_about(image)} {_text(shown(image['path']))}"


def _prompt(image: Image) -> str:
    prompt = str(image.get("prompt") or "")
    return _text(prompt if len(prompt) <= _PROMPT_CHARACTERS else prompt[: _PROMPT_CHARACTERS - 1] + "…")


def _text(value: str) -> str:
    """Return a text in which Markdown finds no markup: names and prompts may come from anywhere."""
    return _MARKUP.sub(r"\\\1", " ".join(value.split()))
