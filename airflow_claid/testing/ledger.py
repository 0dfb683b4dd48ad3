"""What the sandbox charged, and assertions about it whose messages say what was charged for which prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_claid.sandbox import Sandbox
    from airflow_claid.sandbox.ledger import Entry

_LONGEST_PROMPT = 80
_MOST_LINES = 50


class ClaidLedger:
    """The ledger of a sandbox: each request with what it cost, even if its answer never arrived.

    :param sandbox: the sandbox.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    @property
    def requests(self) -> list[Entry]:
        """All requests, oldest first: ``operation``, ``prompt``, ``credits``, ``status``, ``delivered`` and more."""
        return self._sandbox.ledger()

    @property
    def credits(self) -> float:
        """The credits charged since the test began."""
        return self._sandbox.charged()

    def charged(self, credits: float, *, prompt: str | None = None, operation: str | None = None) -> None:  # noqa: A002
        """Assert that exactly so many credits were charged.

        :param credits: the expected credits.
        :param prompt: count only requests whose prompt contains this text, in any case; all by default.
        :param operation: count only requests of this operation, such as ``generate_image``; all by default.
        :raises AssertionError: if more or less was charged. The message lists what was charged for which prompt.
        """
        __tracebackhide__ = True
        counted = [
            entry
            for entry in self._sandbox.ledger(operation)
            if prompt is None or prompt.lower() in (entry.prompt or "").lower()
        ]
        actual = sum(entry.credits for entry in counted)
        if actual == credits:
            return
        subject = "".join(
            [f" by {operation}" if operation else "", f" for prompts with {prompt!r}" if prompt is not None else ""]
        )
        raise AssertionError(
            f"Claid charged {_credits(actual)}{subject}, not {_credits(credits)}.\n{describe(self.requests)}"
        )

    def nothing_paid_twice(self) -> None:
        """Assert that no two charged requests were the same: operation, body and uploaded file.

        Two rows of a catalogue with the same prompt send the same request, although they are two pictures; so does a
        task with ``regenerate=True``. For these, use :meth:`charged`.

        :raises AssertionError: if one was paid twice. The message lists what was charged for which prompt.
        """
        __tracebackhide__ = True
        charged = [entry for entry in self.requests if entry.credits]
        times = Counter((entry.operation, entry.digest) for entry in charged)
        repeated = [entry for entry in charged if times[entry.operation, entry.digest] > 1]
        if repeated:
            raise AssertionError(
                f"{_credits(sum(entry.credits for entry in repeated))} paid for requests that were sent more than "
                f"once.\n{describe(repeated)}"
            )


def describe(entries: Iterable[Entry]) -> str:
    """Return a line for each charged request, and one that counts the others."""
    entries = list(entries)
    charged = [entry for entry in entries if entry.credits]
    lines = [
        f"  #{entry.sequence} {entry.operation}: {_credits(entry.credits)} for {_subject(entry)}{_loss(entry)}"
        for entry in charged[:_MOST_LINES]
    ]
    if len(charged) > _MOST_LINES:
        lines.append(f"  and {len(charged) - _MOST_LINES:,} more")
    free = Counter(_free(entry) for entry in entries if not entry.credits)
    if free:
        lines.append("  free: " + ", ".join(f"{count:,} {name}" for name, count in free.items()))
    return "\n".join(lines) or "  There was no request."


def _subject(entry: Entry) -> str:
    text = entry.prompt
    if text is None:
        source = entry.request.get("input") if isinstance(entry.request, dict) else None
        if source is None:
            return "an uploaded picture"
        text = str(source)
    return repr(text if len(text) <= _LONGEST_PROMPT else text[: _LONGEST_PROMPT - 1] + "…")


def _loss(entry: Entry) -> str:
    return "" if entry.delivered is not False else ", but its answer was lost"


def _free(entry: Entry) -> str:
    status = entry.status
    return entry.operation if status is not None and 200 <= status < 300 else f"{entry.operation} ({status or 'cut'})"


def _credits(amount: float) -> str:
    return f"{amount:g} credit{'' if amount == 1 else 's'}"
