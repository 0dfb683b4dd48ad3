"""Manifests as pages: any rows at once, in little memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from airflow_claid.plugins.gallery import manifests
from airflow_claid.plugins.gallery.files import Reach
from airflow_claid.plugins.gallery.manifests import ManifestPages, Manifests
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.storage.object_storage import write_whole


def written(path: Path, rows: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, rows + 1):
            status = "blocked" if number % 10 == 0 else "done"
            row = {"name": f"SKU-{number}", "prompt": "A chair of oak, " * 20, "status": status, "row": number}
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    return path


def test_a_large_manifest_takes_little_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", 20_000)
    tracemalloc.start()
    with path.open("rb") as file:
        pages = ManifestPages(file)
        assert pages.row(19_999)["name"] == "SKU-20000"
        assert list(pages.numbers("blocked", None, ""))[:3] == [9, 19, 29]
        assert pages.counts() == {"done": 18_000, "blocked": 2_000}
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_broken_lines_and_lines_without_a_state(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"status":"done","name":"A"}\n\nno json\n{"status":"done","na\n{"status": "done"}\n[]')
    with path.open("rb") as file:
        pages = ManifestPages(file)
        assert [pages.row(number)["status"] for number in range(len(pages))] == ["done", "failed", "done"]
        with pytest.raises(IndexError):
            pages.row(3)


def test_a_text_is_looked_for_once_and_found_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    texts = ['A "GREAT" chair', "Ein großer Stuhl", "back\\slash", "name"]
    path.write_text("".join(json.dumps({"status": "done", "prompt": text}) + "\n" for text in texts), encoding="utf-8")
    asked: list[int] = []

    def matches(number: int, row: dict[str, str]) -> bool:
        asked.append(number)
        return "great" in row["prompt"].casefold()

    with path.open("rb") as file:
        pages = ManifestPages(file)
        assert [list(pages.numbers("", matches, '"great"')) for _ in range(3)] == [[0]] * 3
        assert asked == [0]


def test_a_manifest_in_a_bucket_is_copied_once_while_it_is_the_same(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copied, opened = [], manifests._opened
    monkeypatch.setattr(manifests, "_opened", lambda address: copied.append(address) or opened(address))
    kept, reach, address = Manifests(), Reach(), f"{s3}/m.jsonl"
    write_whole(address, b'{"status":"done"}\n')
    assert [len(kept.get(reach.file(address, str))) for _ in range(3)] == [1] * 3
    write_whole(address, b'{"status":"done"}\n' * 2)
    assert len(kept.get(reach.file(address, str))) == 2
    assert len(copied) == 2


def test_a_manifest_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "m.jsonl", 3)
    monkeypatch.setattr(manifests, "MOST_BYTES", 10)
    with pytest.raises(NotShownError, match="too large"):
        Manifests().get(Reach().file(f"file://{path}", str))
