"""The failures of Claid that a DAG should survive, each as one call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_claid.sandbox import Sandbox

_AFTER_EXPIRY = 1.0


class ClaidFaults:
    """Lets a sandbox fail as Claid can. Everything else that it can do: ``claid_sandbox.fault(…)``.

    Parameters that several methods have:

    - ``operation``: which requests fail: Claid's operation id, such as ``generate_image`` (the default) or
      ``submit_edit``; ``docs/operations.md`` has all of them;
    - ``prompt``: only those whose prompt contains this text, in any case; without a prompt, whose body does;
    - ``times``: how many requests fail; 1 by default.

    :param sandbox: the sandbox.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def lost_answer(
        self, prompt: str | None = None, *, operation: str = "generate_image", times: int = 1, charged: bool = True
    ) -> None:
        """Cut the connection without an answer.

        :param charged: whether Claid has carried out and charged the request; true by default.
        """
        self._sandbox.fault("cut", operation=operation, prompt=prompt, count=times, charged=charged)

    def rate_limited(self, prompt: str | None = None, *, operation: str = "generate_image", times: int = 1) -> None:
        """Answer 429: the quota is used up. Such a request is not charged."""
        self._sandbox.fault("429", operation=operation, prompt=prompt, count=times)

    def server_error(
        self, prompt: str | None = None, *, operation: str = "generate_image", times: int = 1, charged: bool = False
    ) -> None:
        """Answer 500.

        :param charged: whether Claid has carried out and charged the request; false by default.
        """
        self._sandbox.fault("500", operation=operation, prompt=prompt, count=times, charged=charged)

    def failed_job(self, prompt: str | None = None, *, operation: str | None = None, times: int = 1) -> None:
        """Let a job end in ``ERROR``. It is charged. Without an ``operation``, it may be a job of any kind."""
        self._sandbox.fault("job_error", operation=operation, prompt=prompt, count=times)

    def broken_download(self, times: int = 1) -> None:
        """Cut downloads of pictures in the middle."""
        self._sandbox.fault("truncated", operation="download", count=times)

    def expired_links(self) -> None:
        """Let a day pass: the temporary links made so far are dead."""
        self._sandbox.advance(self._sandbox.service.settings.ttl + _AFTER_EXPIRY)

    def blocked(self, *words: str) -> None:
        """Black out the pictures of all prompts with one of these words, as Claid's content filter does; charged."""
        known = self._sandbox.service.settings.blocked_words
        self._sandbox.change(blocked_words=(*known, *words))

    def no_credits(self, left: float = 0) -> None:
        """Leave the account only so many credits, 0 by default: what costs more is refused with 402."""
        for key in self._sandbox.settings.keys:
            self._sandbox.service.accounts.add(replace(key, credits=left))
