"""What is assumed of a Claid account, as data, and what was found of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from airflow_claid.account_check.evidence import Evidence


class Outcome(str, Enum):
    """What was found of an assumption."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOTE = "note"
    """A fact about the account that is neither right nor wrong, such as a scope that the key lacks."""
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Finding:
    """What was found of one assumption.

    :param outcome: whether it holds.
    :param seen: what was seen; it names nothing of the account's owner, and goes into a report.
    :param detail: names of the owner's storages, buckets and folders; shown to the owner only.
    :param cure: what to do, in place of the assumption's own cure.
    :param setting: what exactly to write into the connection, for the owner only.
    """

    outcome: Outcome
    seen: str
    detail: str = ""
    cure: str | None = None
    setting: str = ""


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """One thing that this package assumes of Claid, or of an account.

    :param name: identifies it, also in a report.
    :param says: what is assumed.
    :param source: where that is known from.
    :param tried: how it is tried.
    :param cure: what to set where it differs; it begins with "Nothing" where this package copes.
    :param examine: returns what the evidence says of it.
    """

    name: str
    says: str
    source: str
    tried: str
    cure: str
    examine: Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Group:
    """Assumptions about one subject.

    :param paid: whether trying them costs credits.
    """

    title: str
    assumptions: tuple[Assumption, ...]
    paid: bool = False


def agrees(seen: str, detail: str = "") -> Finding:
    """Return that an assumption holds."""
    return Finding(Outcome.AGREES, seen, detail)


def differs(seen: str, *, detail: str = "", cure: str | None = None, setting: str = "") -> Finding:
    """Return that an assumption does not hold."""
    return Finding(Outcome.DIFFERS, seen, detail, cure, setting)


def note(seen: str, *, detail: str = "", cure: str | None = None, setting: str = "") -> Finding:
    """Return a fact that is neither right nor wrong."""
    return Finding(Outcome.NOTE, seen, detail, cure, setting)


def not_tried(why: str) -> Finding:
    """Return that nothing is known, and why."""
    return Finding(Outcome.NOT_TRIED, why, cure="")


def verdict(problems: Iterable[str], otherwise: str) -> Finding:
    """Return that an assumption differs in these ways; that it agrees, where there are none."""
    found = list(dict.fromkeys(problems))
    return differs("; ".join(found)) if found else agrees(otherwise)
