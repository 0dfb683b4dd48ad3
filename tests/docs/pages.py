"""Pages of documentation, taken apart: code blocks, tables, links, headings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\S*)(?P<rest>.*)$")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$")
_CODE_SPAN = re.compile(r"`([^`]+)`")
_CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    kind: str
    text: str
    line: int
    """Of its first line of text, from 1."""


@dataclass
class Table:
    """A table, with the heading above it."""

    heading: str
    header: list[str]
    line: int
    rows: list[list[str]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """All code spans of the first column."""
        return [name for row in self.rows for name in spans(row[0])]

    def column(self, title: str) -> dict[str, str]:
        """A column's cells by the code spans of the first column."""
        index = self.header.index(title)
        return {name: row[index] for row in self.rows for name in spans(row[0])}


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()

    @cached_property
    def blocks(self) -> list[Block]:
        blocks: list[Block] = []
        begun: tuple[str, int] | None = None
        for number, line in enumerate(self.lines, start=1):
            fence = _FENCE.match(line)
            if fence and begun is None:
                assert not fence["indent"], f"{self}:{number}: an indented block"
                assert fence["kind"], f"{self}:{number}: a block that does not say what it is"
                begun = fence["kind"] + fence["rest"], number + 1
            elif fence and begun is not None:
                kind, first = begun
                blocks.append(Block(kind, "\n".join(self.lines[first - 1 : number - 1]) + "\n", first))
                begun = None
        assert begun is None, f"{self}: a block without an end"
        return blocks

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """The lines outside code blocks, numbered."""
        inside = {
            number for block in self.blocks for number in range(block.line - 1, block.line + block.text.count("\n") + 1)
        }
        return [(number, line) for number, line in enumerate(self.lines, start=1) if number not in inside]

    @cached_property
    def links(self) -> list[tuple[int, str]]:
        return [(number, target) for number, line in self.prose for target in _LINK.findall(line)]

    @cached_property
    def anchors(self) -> set[str]:
        """What ``#…`` may name, as GitHub makes it of the headings."""
        headings = (match[1] for _, line in self.prose if (match := _HEADING.match(line)))
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    @cached_property
    def tables(self) -> list[Table]:
        tables: list[Table] = []
        heading, last = "", 0
        for number, line in self.prose:
            if match := _HEADING.match(line):
                heading = match[1]
            if not line.startswith("|"):
                continue
            cells = [cell.strip() for cell in _CELL_BORDER.split(line)[1:-1]]
            if number != last + 1:
                tables.append(Table(heading, cells, number))
            elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                assert len(cells) == len(tables[-1].header), f"{self}:{number}: a row of another width"
                tables[-1].rows.append(cells)
            last = number
        return tables


def spans(text: str) -> list[str]:
    """All code spans of a text."""
    return _CODE_SPAN.findall(text)


PAGES = [
    Page(ROOT / "README.md"),
    Page(ROOT / "CHANGELOG.md"),
    Page(ROOT / "CONTRIBUTING.md"),
    Page(ROOT / "SECURITY.md"),
    *(Page(path) for path in sorted((ROOT / "docs").rglob("*.md"))),
]
