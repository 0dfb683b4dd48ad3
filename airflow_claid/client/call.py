"""One request to Claid, before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_claid.client.quota.rate_limits import Group


@dataclass(frozen=True)
class Call:
    """One request: the contract's operation id, method, path below the base URL, scope, body and quota group.

    :param may_be_empty: whether a GET may be answered by nothing (204, ``null``); else that is an answer that is lost.
    """

    operation: str
    method: str
    path: str
    scope: str
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    group: Group = Group.IMAGE
    may_be_empty: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether it is safe to send twice."""
        return self.method == "GET"

    @property
    def bill(self) -> str:
        """What to say about the credits if the answer is lost."""
        return "A GET costs nothing." if self.repeatable else "It may have been charged."
