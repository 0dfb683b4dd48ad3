"""An answer as a receipt keeps it: as it came, until its pictures are in place."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_claid.client import Answer

_LINK_WITH_QUERY = re.compile(rb"https?:(?:\\?/){2}[^\s\"'<>]*(?:\?|\\u003[fF])")


@dataclass(frozen=True)
class KeptAnswer:
    """The answer to a paid request, or to the last poll of its job.

    :param of_another: why it is the answer to another request; ``None`` where nothing shows that it is.
    """

    answer: Answer
    of_another: str | None = None

    @property
    def may_be_signed(self) -> bool:
        """Whether it holds a link with a query, which may be a signature."""
        return _LINK_WITH_QUERY.search(self.answer.content) is not None

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON: its body as text, or in base64 if it is not UTF-8."""
        content = self.answer.content
        try:
            body = {"text": content.decode()}
        except UnicodeDecodeError:
            body = {"base64": base64.b64encode(content).decode()}
        refusal = {"of_another": self.of_another} if self.of_another else {}
        return {"operation": self.answer.operation, "request_id": self.answer.request_id, **body, **refusal}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> KeptAnswer:
        """Restore an answer from what :meth:`to_json` returned.

        :raises KeyError: if it is something else.
        """
        content = facts["text"].encode() if "text" in facts else base64.b64decode(facts["base64"])
        return cls(Answer(facts["operation"], content, facts["request_id"]), facts.get("of_another"))
