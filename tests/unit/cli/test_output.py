"""Tables fit into the terminal."""

from __future__ import annotations

import io

import pytest

from airflow_claid.cli.output import Column, Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_widest_column_is_folded_and_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "dumb", "COLUMNS": "60", "LINES": "25"}.items():  # dumb without LINES: 80 columns
        monkeypatch.setenv(name, value)
    out = Terminal()
    columns = (Column("NAME", "name"), Column("SEEN", "seen"))
    Output(out, out, as_json=False).rows([{"name": "links-hosts", "seen": "word " * 30 + "end"}], columns)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[1].startswith("links-hosts  word")
    assert " ".join(out.getvalue().split()).count("word") == 30
    assert "end" in lines[-1]
