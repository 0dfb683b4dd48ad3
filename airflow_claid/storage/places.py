"""Places: where pictures end up, read from the ``output`` parameter and checked before credits are spent."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.values import is_visible, plain, stands_for_nothing
from airflow_claid.storage.addresses import (
    host_of,
    is_connected,
    is_storage,
    last_of,
    name_of,
    path_problem,
    without_connection,
)

RECEIPTS_FOLDER = "_claid/"
PICTURE_SUFFIXES = {
    "jpeg": ".jpg",
    "png": ".png",
    "webp": ".webp",
    "avif": ".avif",
    "tiff": ".tiff",
}
"""The suffix of the file names in each of Claid's output formats."""

VIDEO_SUFFIX = ".mp4"
_VIDEO_SUFFIXES = {VIDEO_SUFFIX, ".m4v", ".mov", ".webm", ".avi", ".mkv", ".gif"}
_KNOWN_SUFFIXES = {*PICTURE_SUFFIXES.values(), ".jpeg", ".tif", ".gif", ".bmp", ".heic"}
_NAME_MAX_CHARACTERS = 150
_NAME_MAX_BYTES = 200
"""In UTF-8: file systems take 255, of which our own additions need some."""
_FILE_MAX_BYTES = 230
_FOLDER_MAX_BYTES = 255
_UNSAFE_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|#%\ud800-\udfff]+")


def is_in_receipts_folder(path: str) -> bool:
    """Tell whether a file is in a ``_claid/`` folder, by its path in another folder."""
    return f"/{RECEIPTS_FOLDER}" in f"/{path}"


class PlaceKind(Enum):
    """The three kinds of place."""

    TEMPORARY = "temporary"
    CONNECTED = "connected storage"
    OBJECT_STORAGE = "object storage"


@dataclass(frozen=True)
class Place:
    """Where pictures end up.

    :param kind: which of the three kinds.
    :param folder: address of the folder, ending with ``/``; empty for the temporary place.
    :param file: name of the one file that is to be written; ``None`` where names are ours, or Claid's, to choose.
    """

    kind: PlaceKind
    folder: str = ""
    file: str | None = None

    @property
    def is_temporary(self) -> bool:
        """Whether pictures stay where Claid keeps them for a day, and only links to them are handed on."""
        return self.kind is PlaceKind.TEMPORARY

    @property
    def is_written_by_claid(self) -> bool:
        """Whether Claid itself writes there: a connected storage, whose paths are quoted as in a link."""
        return self.kind is PlaceKind.CONNECTED

    @property
    def is_written_by_airflow(self) -> bool:
        """Whether the task fetches what Claid made and writes it there: object storage."""
        return self.kind is PlaceKind.OBJECT_STORAGE

    @property
    def storage_name(self) -> str:
        """Name of the connected storage."""
        return name_of(self.folder)

    @property
    def receipts(self) -> str:
        """Folder of the receipts, beside the pictures."""
        return self.folder + RECEIPTS_FOLDER

    def uri_of(self, path: str) -> str:
        """Return the address of a file by its path in the folder."""
        return self.folder + (quote(path) if self.is_written_by_claid else path)

    def path_in(self, uri: str) -> str:
        """Return the path in the folder of a file's address, whichever connection the two name."""
        path = without_connection(uri).removeprefix(without_connection(self.folder))
        return unquote(path) if self.is_written_by_claid else path


TEMPORARY = Place(PlaceKind.TEMPORARY)


def generation_place(output: str | None) -> Place:
    """Read the ``output`` of a generation, which is always a folder.

    :raises ClaidValidationError: naming the value and the corrected path.
    """
    place = edit_place(output)
    if place.file is not None:
        raise _refused(output, f"names a file, but a generation writes files of its own names: use {place.folder!r}")
    return place


def edit_place(output: str | None) -> Place:
    """Read the ``output`` of an edit: a folder, or one file.

    :raises ClaidValidationError: naming the value and the remedy.
    """
    return _place(output, _KNOWN_SUFFIXES)


def video_place(output: str | None) -> Place:
    """Read the ``output`` of a video: a folder, or one ``.mp4`` file.

    :raises ClaidValidationError: naming the value and the remedy.
    """
    place = _place(output, _VIDEO_SUFFIXES)
    if place.file is not None and not place.file.lower().endswith(VIDEO_SUFFIX):
        raise _refused(output, "names a file that Claid does not write: use one that ends with '.mp4', or a folder")
    return place


def folder_place(output: str | None) -> Place:
    """Read an ``output`` of several pictures, or of pictures whose names are not the user's to choose: a folder.

    :raises ClaidValidationError: naming the value and the corrected path.
    """
    place = edit_place(output)
    if place.file is not None:
        raise _refused(output, f"names a file, but this takes a folder: use {place.folder!r}")
    return place


def _place(output: str | None, suffixes: Set[str]) -> Place:
    if output is None or not str(output).strip():
        return TEMPORARY
    output = str(output).strip()
    scheme, separator, rest = output.partition("://")
    if not separator:
        local = f"for a local folder use 'file://{output.rstrip('/')}/'" if output.startswith("/") else "use file:///…/"
        raise _refused(output, f"has no scheme: {local}, s3://…/, gs://…/ or storage://NAME/…/")
    if scheme != scheme.lower():
        raise _refused(output, f"must have its scheme in lower case: use '{scheme.lower()}://{rest}'")
    if not is_storage(output):
        raise _refused(
            output,
            f"cannot be written to: {scheme!r} is no storage; use s3://…, gs://…, file:///… or storage://NAME/…/",
        )
    if not rest.strip("/"):
        raise _refused(output, f"names no bucket or folder: use '{scheme}://…/…/'")
    if problem := path_problem(output):
        raise _refused(output, problem)
    if ".." in rest.split("/"):
        raise _refused(output, "must not climb with '..': name the folder itself")
    place = _connected(output, suffixes) if is_connected(output) else _object_storage(output, suffixes)
    _check_lengths(output, place)
    return place


def _check_lengths(output: str, place: Place) -> None:
    """Refuse what no file system can hold, before credits are spent."""
    folders = [len(part.encode(errors="replace")) for part in place.folder.split("/")]
    if max(folders) > _FOLDER_MAX_BYTES:
        raise _refused(
            output, f"has a folder of {max(folders)} bytes: file systems take {_FOLDER_MAX_BYTES}, shorten it"
        )
    file = len((place.file or "").encode(errors="replace"))
    if file > _FILE_MAX_BYTES:
        raise _refused(output, f"has a file name of {file} bytes: use up to {_FILE_MAX_BYTES}")


def _connected(output: str, suffixes: Set[str]) -> Place:
    name = name_of(output)
    output = output.replace(host_of(output), name, 1)
    folder, last = _split(output)
    if not name.strip() or "@" in name or "/" in name:
        raise _refused(output, "names no connected storage: use 'storage://NAME/PATH/'")
    if not last:
        return Place(PlaceKind.CONNECTED, folder)
    if _is_file(last, suffixes):
        return Place(PlaceKind.CONNECTED, folder, last)
    raise _refused(output, f"must end with '/', because Claid takes a folder only so: use {output + '/'!r}")


def _object_storage(output: str, suffixes: Set[str]) -> Place:
    folder, last = _split(output)
    if last and _is_file(last, suffixes):
        return Place(PlaceKind.OBJECT_STORAGE, folder, last)
    return Place(PlaceKind.OBJECT_STORAGE, output + "/" if last else folder)


def _split(output: str) -> tuple[str, str]:
    """Split an address into its folder, with the ``/``, and what comes after; a bucket alone is a folder."""
    rest = output.partition("://")[2]
    if "/" not in rest:
        return output + "/", rest if is_connected(output) else ""
    folder, _, last = output.rpartition("/")
    return folder + "/", last


def _is_file(name: str, suffixes: Set[str]) -> bool:
    return any(name.lower().endswith(suffix) for suffix in suffixes)


def checked_name(name: object) -> str:
    """Check the ``name`` under which pictures are filed: one file name's worth of text, without a folder.

    :raises ClaidValidationError: naming the value and the remedy.
    """
    text = _text_of_name(name)
    if text is None or stands_for_nothing(text) or not any(map(is_visible, text)):
        raise ClaidValidationError(
            f"name={name!r} must be a text such as 'SKU-1', or None for one from the fingerprint"
        )
    if _UNSAFE_IN_NAMES.search(text) or text.startswith(".") or _is_too_long(text):
        raise ClaidValidationError(
            f"name={name!r} cannot name a file: use up to {_NAME_MAX_CHARACTERS} characters ({_NAME_MAX_BYTES} bytes) "
            f'without / \\ : * ? " < > | # %, not starting with a dot, for example {cleaned_name(text)!r}; folders '
            "belong in output"
        )
    return text


def _text_of_name(name: object) -> str | None:
    """Return a name as text, also that of a warehouse's number: ``1001`` for ``1001.0``; ``None`` for no name."""
    try:
        value = plain(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    except ValueError:
        return None


def cleaned_name(name: str) -> str:
    """Make a file name of a text that comes from outside, such as the last part of a link."""
    cleaned = _UNSAFE_IN_NAMES.sub("_", unquote(name)).strip(" ._")
    short = cleaned[:_NAME_MAX_CHARACTERS].encode(errors="replace")[:_NAME_MAX_BYTES].decode(errors="ignore").strip()
    return short if short != "None" and any(map(is_visible, short)) else "image"


def _is_too_long(name: str) -> bool:
    return len(name) > _NAME_MAX_CHARACTERS or len(name.encode(errors="replace")) > _NAME_MAX_BYTES


def has_picture_suffix(address: str) -> bool:
    """Return whether a file is named as a picture is."""
    return address.lower().endswith(tuple(_KNOWN_SUFFIXES))


def stem_of(path: str) -> str:
    """Return the file name of an address, cleaned and without its suffix."""
    last = last_of(path)
    stem, dot, suffix = last.rpartition(".")
    return cleaned_name(stem if dot and stem and len(suffix) <= 5 else last)


def _refused(output: object, problem: str) -> ClaidValidationError:
    return ClaidValidationError(f"output={output!r} {problem}")
