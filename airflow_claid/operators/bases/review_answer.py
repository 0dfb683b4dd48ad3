"""The question of a review, and what its answer means; pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from airflow_claid.client import ClaidValidationError

SELECT = ("all", "approved", "rejected")
DEFAULTS = ("approve", "reject")

_APPROVE, _REJECT = "Approve", "Reject"
_APPROVE_ALL, _REJECT_ALL = "Approve all", "Reject all"


@dataclass(frozen=True)
class Question:
    """What a person is asked.

    :param select: ``"all"`` for one answer for all pictures; else which of them are named, the ``"approved"`` or the
        ``"rejected"``.
    :param labels: of the pictures.
    """

    select: str
    labels: Sequence[str]

    @property
    def several(self) -> bool:
        """Whether several options may be chosen."""
        return self.select != "all"

    @property
    def options(self) -> list[str]:
        """What a person chooses among."""
        return [_APPROVE_ALL, _REJECT_ALL, *self.labels] if self.several else [_APPROVE, _REJECT]

    def default(self, answer: str | None) -> list[str] | None:
        """Return the options that stand for an answer, one of :data:`DEFAULTS`."""
        if answer is None:
            return None
        approve, reject, *_ = self.options
        return [approve if answer == "approve" else reject]

    def verdict(self, chosen: Collection[str]) -> Verdict:
        """Return what an answer means.

        Of pictures that are named, it is what they are named for; an answer for all is about the others.

        :raises ClaidValidationError: if an answer contradicts itself.
        """
        approve, reject, *_ = self.options
        if {approve, reject} <= set(chosen):
            raise ClaidValidationError(
                f"the answer is both {approve!r} and {reject!r}: clear the task, and it asks again"
            )
        named = set(self.labels) & set(chosen)
        if self.select == "approved":
            rejected = set() if approve in chosen else set(self.labels) - named
        else:
            rejected = set(self.labels) if reject in chosen else named
        return Verdict(frozenset(rejected), rejects_unseen=reject in chosen)


@dataclass(frozen=True)
class Verdict:
    """What a person decided.

    :param rejected: labels of the pictures that were rejected.
    :param rejects_unseen: whether those that the person has not seen are rejected as well.
    """

    rejected: frozenset[str] = frozenset()
    rejects_unseen: bool = False

    def rejects(self, label: str | None) -> bool:
        """Tell whether a picture is rejected; one without a label was not seen."""
        return self.rejects_unseen if label is None else label in self.rejected
