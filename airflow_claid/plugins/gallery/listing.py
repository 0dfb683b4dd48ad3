"""The pictures of a run or of a task as one list, of which a page is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_claid.plugins.gallery import reports
from airflow_claid.plugins.gallery.files import Reach
from airflow_claid.plugins.gallery.manifests import ManifestPages, Manifests
from airflow_claid.plugins.gallery.pictures import STATES, Picture, Where, from_manifest, from_xcom
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.plugins.gallery.reports import Report

PAGE_ROWS = 60


@dataclass(frozen=True)
class Wanted:
    """Which pictures a person wants to see.

    :param state: empty for all.
    :param text: part of a name, prompt, path or error, in any case; empty for all.
    :param page: from 1.
    """

    state: str = ""
    text: str = ""
    page: int = 1

    @property
    def needle(self) -> str:
        """The text as it is looked for."""
        return self.text.strip().casefold()


@dataclass(frozen=True)
class Page:
    """One page of pictures.

    :param counts: how many of all there are in each state, in the order of the states.
    :param found: how many there are that are wanted.
    :param problems: why some are missing.
    """

    pictures: Sequence[Picture]
    counts: Mapping[str, int]
    found: int
    number: int
    problems: Sequence[str]

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.counts.values())

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.found // PAGE_ROWS))

    @property
    def first_shown(self) -> int:
        """The position, from 1, of the first picture of the page among those that were found."""
        return (self.number - 1) * PAGE_ROWS + 1


class Part:
    """The pictures of one task instance, as a list of which only what is asked for is read."""

    def __init__(self, dag_id: str, run_id: str, report: Report, pages: ManifestPages | None, now: datetime) -> None:
        self._whose = (dag_id, run_id, report.task_id, report.map_index)
        self._images = report.images
        self._pages = pages
        self._now = now

    def __len__(self) -> int:
        return len(self._images) if self._pages is None else len(self._pages)

    def picture(self, row: int) -> Picture:
        """Return a picture by its row.

        :raises IndexError: if there is none.
        """
        if not 0 <= row < len(self):
            raise IndexError(row)
        if self._pages is None:
            return from_xcom(Where(*self._whose, row), self._images[row], self._now)
        return self._of(row, self._pages.row(row))

    def counts(self) -> Mapping[str, int]:
        """Return how many pictures have each state."""
        if self._pages is not None:
            counts: Counter[str] = Counter()
            for name, number in self._pages.counts().items():
                counts[name if name in STATES else "failed"] += number
            return counts
        return Counter(self.picture(row).state for row in range(len(self)))

    def rows(self, wanted: Wanted) -> Sequence[int]:
        """Return the rows that are wanted."""
        needle = wanted.needle
        if self._pages is not None:
            matches = (lambda row, facts: self._of(row, facts).matches(needle)) if needle else None
            return self._pages.numbers(wanted.state, matches, needle)
        if not wanted.state and not needle:
            return range(len(self))
        pictures = map(self.picture, range(len(self)))
        return [
            each.where.row
            for each in pictures
            if wanted.state in ("", each.state) and (not needle or each.matches(needle))
        ]

    def about(self, address: str) -> Iterator[Picture]:
        """Yield the pictures that are at an address, or were made from what is."""
        if self._pages is None:
            yield from map(self.picture, range(len(self)))
        else:
            yield from (self._of(row, facts) for row, facts in self._pages.about(address))

    def _of(self, row: int, facts: Mapping[str, Any]) -> Picture:
        return from_manifest(Where(*self._whose, row), facts)


class Listings:
    """Lists the pictures that tasks reported.

    :param reach: finds manifests.
    :param clock: the time now, in UTC.
    """

    def __init__(
        self, reach: Reach, manifests: Manifests, clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    ) -> None:
        self._reach = reach
        self._manifests = manifests
        self._clock = clock

    def page(self, dag_id: str, run_id: str, reported: Iterable[Report], wanted: Wanted) -> Page:
        """Return the page that is wanted, or the last one before it."""
        parts, problems = self.parts(dag_id, run_id, reported)
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update(part.counts())
        rows = [(part, part.rows(wanted)) for part in parts]
        found = sum(len(numbers) for _, numbers in rows)
        number = min(max(1, wanted.page), max(1, -(-found // PAGE_ROWS)))
        pictures = list(_slice(rows, (number - 1) * PAGE_ROWS, PAGE_ROWS))
        ordered = {state: counts[state] for state in STATES if counts[state]}
        return Page(pictures, ordered, found, number, problems)

    def parts(
        self, dag_id: str, run_id: str, reported: Iterable[Report], most_bytes: int | None = None
    ) -> tuple[list[Part], list[str]]:
        """Return the pictures of each report, and why those of some are missing.

        :param most_bytes: larger manifests are left out.
        """
        parts, problems = [], []
        for report in reported:
            try:
                parts.append(self._part(dag_id, run_id, report, most_bytes))
            except NotShownError as error:
                problems.append(f"{report.task_id}: {error.reason}")
        return parts, list(dict.fromkeys(problems))

    def picture(self, where: Where) -> Picture:
        """Return a picture that a task reported.

        :raises NotShownError: if it reported none there.
        """
        found = reports.reports_of(where.dag_id, where.run_id, where.task_id, where.map_index)
        try:
            return self._part(where.dag_id, where.run_id, found[0]).picture(where.row)
        except IndexError:
            raise NotShownError("The task reported no such picture.", status=404) from None

    def _part(self, dag_id: str, run_id: str, report: Report, most_bytes: int | None = None) -> Part:
        pages = None
        if report.manifest is not None:
            file = self._reach.file(
                report.manifest, lambda: reports.connection_of(dag_id, run_id, report.task_id, report.map_index)
            )
            pages = self._manifests.get(file, most_bytes)
        return Part(dag_id, run_id, report, pages, self._clock())


def _slice(rows: Iterable[tuple[Part, Sequence[int]]], first: int, most: int) -> Iterator[Picture]:
    for part, numbers in rows:
        for row in numbers[first : first + most]:
            yield part.picture(row)
            most -= 1
        first = max(0, first - len(numbers))
