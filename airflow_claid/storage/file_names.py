"""Which file names are one: some file systems do not tell upper from lower case, or two Unicode forms of a letter."""

from __future__ import annotations

import secrets
import unicodedata
from contextlib import suppress
from pathlib import Path

from airflow_claid.storage.addresses import local_path


class FileNames:
    """Tells which names mean the same file in a folder.

    Buckets tell all names apart. A local folder is asked, with a file that is removed at once.

    :param folder: address of the folder, ending with ``/``; it need not be there yet.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        local = local_path(folder)
        self._ignores_case, self._ignores_form = _asked(local) if local else (False, False)

    @property
    def why(self) -> str:
        """Say, in brackets, in what the names of one file may differ here; empty where they do not."""
        ignored = [
            *(["upper and lower case"] if self._ignores_case else []),
            *(["the Unicode form"] if self._ignores_form else []),
        ]
        return f" (this folder does not tell names apart by {' or '.join(ignored)})" if ignored else ""

    def key(self, name: str) -> str:
        """Return what is the same for all names of one file."""
        if name.isascii():
            return name.lower() if self._ignores_case else name
        if self._ignores_case:
            name = name.casefold()
        return unicodedata.normalize("NFC", name) if self._ignores_form else name


def _asked(folder: str) -> tuple[bool, bool]:
    """Return whether a folder, or the nearest one above it that is there, ignores case and Unicode form."""
    there = Path(folder)
    while not there.is_dir() and there != there.parent:
        there = there.parent
    name = f".claid-{secrets.token_hex(4)}-é"
    probe = there / name
    try:
        probe.touch(exist_ok=False)
    except OSError:
        return False, False
    try:
        return (there / name.upper()).exists(), (there / unicodedata.normalize("NFD", name)).exists()
    finally:
        with suppress(OSError):
            probe.unlink()
