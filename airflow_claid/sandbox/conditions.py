"""Which requests a rule (a fault or a dialect) concerns, and how often it still applies."""

from __future__ import annotations

import random
import threading
from typing import Any, Generic, Protocol, TypeVar

DOWNLOAD = "download"
"""The name that stands for the downloads of temporary addresses."""
OPERATIONS = frozenset({
    "generate_image", "edit_image", "upload_and_edit", "submit_edit", "get_edit", "submit_batch_edit",
    "get_batch_edit", "submit_ai_edit", "get_ai_edit", "submit_fashion_model", "get_fashion_model", "create_scene",
    "submit_video", "get_video", "list_storage_types", "list_storages", "create_storage", "get_storage",
    "update_storage", "delete_storage",
})  # fmt: skip
"""The operation ids of the contract."""


class Rule(Protocol):
    """What every rule says about the requests that it concerns."""

    @property
    def operation(self) -> str | None:
        """An operation id or ``download``; None for every operation, but not for downloads."""

    @property
    def prompt(self) -> str | None:
        """Text that the request's subject must contain, in any case; None for every request."""

    @property
    def probability(self) -> float | None:
        """Chance that it applies; None for always."""

    @property
    def seed(self) -> int:
        """Seed of the chance."""

    @property
    def limit(self) -> int | None:
        """How often it applies; None for without limit."""


R = TypeVar("R", bound=Rule)


def check_operation(operation: str | None) -> None:
    """Raise ``ValueError`` for an operation that the contract does not have."""
    if operation is not None and operation not in OPERATIONS | {DOWNLOAD}:
        names = ", ".join([*sorted(OPERATIONS), DOWNLOAD])
        raise ValueError(f"Operation {operation!r} is not one of {names}.")


class Active(Generic[R]):
    """A rule that may still apply, and how often it has applied."""

    def __init__(self, number: int, rule: R) -> None:
        self.number = number
        self.rule = rule
        self.left = rule.limit
        self.struck = 0
        self._random = random.Random(rule.seed)  # noqa: S311 - repeatable on purpose

    def strike(self, operation: str, subject: str) -> bool:
        """Return whether it applies to this request, and count it if it does."""
        rule = self.rule
        if self.left == 0 or (operation == DOWNLOAD) != (rule.operation == DOWNLOAD):
            return False
        if rule.operation not in (None, operation):
            return False
        if rule.prompt is not None and rule.prompt.lower() not in subject.lower():
            return False
        if rule.probability is not None and self._random.random() >= rule.probability:
            return False
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return True


class Rules(Generic[R]):
    """All active rules of one kind. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[int, Active[R]] = {}
        self._last_number = 0

    def add(self, rule: R) -> int:
        """Add a rule; return its number."""
        with self._lock:
            self._last_number += 1
            self._active[self._last_number] = Active(self._last_number, rule)
            return self._last_number

    def remove(self, number: int | None = None) -> None:
        """Remove one rule, or all of them."""
        with self._lock:
            if number is None:
                self._active.clear()
            else:
                self._active.pop(number, None)

    def active(self) -> list[tuple[R, dict[str, Any]]]:
        """Return each active rule with its number, how often it struck and how often it still can."""
        with self._lock:
            return [
                (active.rule, {"number": active.number, "left": active.left, "struck": active.struck})
                for active in self._active.values()
            ]
