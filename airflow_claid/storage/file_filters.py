"""Which of the files at an address count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.places import RECEIPTS_FOLDER, is_in_receipts_folder
from airflow_claid.storage.stored_files import StoredFile


class FileFilters:
    """Tells which files of a folder count, by their paths in it.

    :param folder: its address, ending with ``/``.
    :param suffixes: what names end with, in upper or lower case; ``None``: anything.
    :param modified_since: when files were last written, or later, by the second.
    :param without: addresses of folders that do not count.
    :raises ClaidValidationError: if ``suffixes`` are not texts, or ``modified_since`` has no timezone.
    """

    def __init__(
        self, folder: str, suffixes: Sequence[str] | None, modified_since: datetime | None, without: Sequence[str]
    ) -> None:
        self._suffixes = _checked_suffixes(suffixes)
        self._modified_since = _checked_moment(modified_since)
        self._without = tuple(_paths_left_out(without_connection(folder), without))

    def leave_out(self, path: str) -> bool:
        """Tell whether a file never counts: it is hidden, a receipt, or in one of the folders that do not count."""
        hidden = any(part.startswith(".") for part in path.split("/"))
        return hidden or is_in_receipts_folder(path) or path.startswith(self._without)

    def fit_name(self, path: str) -> bool:
        """Tell whether a name has one of the suffixes."""
        return self._suffixes is None or path.lower().endswith(self._suffixes)

    def fit_time(self, file: StoredFile) -> bool:
        """Tell whether a file was written late enough; one whose storage does not tell is taken for such."""
        return self._modified_since is None or file.modified is None or file.modified >= self._modified_since


def _checked_suffixes(suffixes: object) -> tuple[str, ...] | None:
    if suffixes is None:
        return None
    texts = tuple(suffixes) if isinstance(suffixes, (tuple, list, set, frozenset)) else ()
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ClaidValidationError(
            f"suffixes={suffixes!r} must be texts that names end with, such as ('.jpg', '.png'), or None for any name"
        )
    return tuple(text.lower() for text in texts)


def _checked_moment(modified_since: object) -> datetime | None:
    if modified_since is None:
        return None
    if not isinstance(modified_since, datetime) or modified_since.utcoffset() is None:
        raise ClaidValidationError(
            f"modified_since={modified_since!r} must be a datetime with a timezone, such as "
            "datetime(2026, 7, 1, tzinfo=timezone.utc)"
        )
    return modified_since.replace(microsecond=0)


def _paths_left_out(folder: str, without: Sequence[str]) -> Iterator[str]:
    """Yield what the paths in a folder begin with that do not count; an empty text where none does."""
    if f"/{RECEIPTS_FOLDER}" in folder:
        yield ""
    for address in map(without_connection, without):
        address = address if address.endswith("/") else f"{address}/"
        if folder.startswith(address):
            yield ""
        elif address.startswith(folder):
            yield address.removeprefix(folder)
