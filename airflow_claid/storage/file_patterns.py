"""Addresses of many files: a folder, or a glob such as ``s3://bucket/photos/**/front-[0-9].jpg``.

``*``, ``?`` and ``[…]`` stand for characters of one name, ``**`` also for folders. A name that has such a character of
its own is written with brackets around it: ``[*]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.addresses import (
    WILDCARDS,
    host_of,
    is_connected,
    is_folder,
    is_glob,
    is_storage,
    local_path,
    path_of,
    relative_path_problem,
)

_TOKEN = re.compile(
    r"(?P<folders>(?<![^/])\*\*/)|(?P<deep>\*\*)|(?P<any>\*)|(?P<one>\?)"
    r"|\[(?P<not>[!^]?)(?P<members>\][^\]]*|[^\]]+)\]|(?P<literal>.)",
    re.DOTALL,
)
_EXPRESSIONS = {"folders": "(?:.*/)?", "deep": ".*", "any": "[^/]*", "one": "[^/]"}
_EVERYTHING = re.compile("")


@dataclass(frozen=True)
class FilePattern:
    """Which files an address means.

    :param folder: address of the folder that they are in, ending with ``/``.
    :param recursive: whether files in the folders within can be among them.
    :param beginning: what their paths in the folder begin with.
    :param expression: what their paths in the folder match from the first character.
    """

    folder: str
    recursive: bool
    beginning: str = ""
    expression: re.Pattern[str] = _EVERYTHING

    def matches(self, path: str) -> bool:
        """Tell whether a file is meant, by its path in the folder."""
        return self.expression.match(path) is not None


def file_pattern(address: str, *, parameter: str, recursive: bool) -> FilePattern:
    """Read the address of a folder or a glob.

    :param parameter: the parameter that the address came from, for the error.
    :param recursive: whether the folders in a folder count as well.
    :raises ClaidValidationError: if it is neither, or cannot be listed here.
    """
    if problem := _problem(address):
        raise ClaidValidationError(f"{parameter}={address!r} {problem}")
    return _glob_pattern(address, parameter) if is_glob(address) else FilePattern(address, recursive)


def _problem(address: str) -> str | None:
    """Say why an address cannot be listed, with the remedy; ``None`` where it can."""
    if not is_storage(address) or is_connected(address):
        return "cannot be listed: use a folder or glob at s3://…, gs://… or file:///…"
    if local_path(address) is None and (not host_of(address) or not WILDCARDS.isdisjoint(host_of(address))):
        return "names no bucket: wildcards may stand for folders and files, not for the bucket"
    if is_glob(address) and address.endswith("/"):
        return f"is a glob of folders: use {address + '*'!r} for the files in them ('[[]' is a '[' of a name itself)"
    if not is_glob(address) and not is_folder(address):
        return f"names one file: a folder ends with '/', use {address + '/'!r}"
    return relative_path_problem(address)


def _glob_pattern(address: str, parameter: str) -> FilePattern:
    path = path_of(address)
    literal, expression, recursive = "", "", False
    for token in _TOKEN.finditer(path):
        character = _literal(token)
        if character and not expression:
            literal += character
        elif character:
            expression += re.escape(character)
        elif token["members"]:
            expression += _one_of(token["members"], token["not"], f"{parameter}={address!r}")
        else:
            expression += _EXPRESSIONS[token.lastgroup or ""]
        recursive = recursive or bool(expression and (character == "/" or token["folders"] or token["deep"]))
    folder, slash, beginning = literal.rpartition("/")
    return FilePattern(
        address.removesuffix(path) + folder + slash,
        recursive,
        beginning,
        re.compile(re.escape(beginning) + expression + r"\Z", re.DOTALL),
    )


def _literal(token: re.Match[str]) -> str:
    """Return the one character that a part of a glob stands for; empty where it stands for several."""
    alone = token["members"] or ""
    return token["literal"] or (alone if len(alone) == 1 and not token["not"] else "")


def _one_of(members: str, negation: str, shown: str) -> str:
    """Return the expression of ``[…]``, which never stands for ``/``."""
    expression = ""
    while members:
        first, last = members[0], members[2:3]
        if members[1:2] == "-" and last:
            if last < first:
                raise ClaidValidationError(
                    f"{shown} has the range '{first}-{last}', which nothing is in: write it '{last}-{first}'"
                )
            expression += f"{re.escape(first)}-{re.escape(last)}"
            members = members[3:]
        else:
            expression += re.escape(first)
            members = members[1:]
    return f"(?!/)[{'^' if negation else ''}{expression}]"
