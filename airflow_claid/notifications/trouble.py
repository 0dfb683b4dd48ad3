"""Tells somebody what a task met that a person should know of: no credits, a limit, blocked or failed pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import ClaidCreditsError
from airflow_claid.client.text import counted
from airflow_claid.errors import CreditCeilingError, LostAnswerError, SpendLimitError
from airflow_claid.gallery_addresses import page_of_task
from airflow_claid.notifications.webhook import WebhookNotifier
from airflow_claid.parameters import is_literal, number, optional

if TYPE_CHECKING:
    from airflow.sdk import Context

_OF_ERRORS = (
    (ClaidCreditsError, "Claid has no credits left"),
    (CreditCeilingError, "max_credits is reached"),
    (SpendLimitError, "A spend limit is reached"),
    (LostAnswerError, "An answer is lost, and a person has to decide"),
)
_CHARACTERS = 600


class ClaidNotifier(WebhookNotifier):
    """Tell what somebody should know of when a task has ended; say nothing if there is nothing.

    It is told where Claid has no credits left, where ``max_credits`` or a spend limit is reached, where answers were
    lost that may have been charged, and where more pictures were blocked, or failed, than the shares allow. Use it as
    ``on_failure_callback``, and as ``on_success_callback`` and ``on_retry_callback`` too: a batch may succeed with
    blocked pictures. Of a task whose process was killed it knows nothing.

    :param webhook_conn_id: (templated) see :class:`WebhookNotifier`, which sends the message.
    :param notifier: told in place of the webhook: another notifier of Airflow's, or a function of the context. In the
        context, and so in templates, ``claid_trouble`` is the text.
    :param blocked_share: (templated) tell if more than this share, 0 to 1, of the pictures (for a batch: items) was
        blocked. Default: never.
    :param failed_share: (templated) the same for what failed or was invalid. Default: never.
    :param fail: see :class:`WebhookNotifier`.
    """

    template_fields: Sequence[str] = (*WebhookNotifier.template_fields, "blocked_share", "failed_share")

    def __init__(
        self,
        *,
        webhook_conn_id: str | None = None,
        notifier: Callable[[Context], Any] | None = None,
        blocked_share: float | str | None = None,
        failed_share: float | str | None = None,
        fail: bool = False,
    ) -> None:
        if (webhook_conn_id is None) == (notifier is None):
            raise ValueError("ClaidNotifier takes either webhook_conn_id or notifier")
        super().__init__(webhook_conn_id=webhook_conn_id, fail=fail)
        self.notifier = notifier
        self.blocked_share = blocked_share
        self.failed_share = failed_share
        if is_literal([blocked_share, failed_share]):
            self._limits()

    def notify(self, context: Context) -> None:
        """Send the message, if there is something to tell.

        :raises AirflowException: if it cannot be sent by the webhook, and ``fail`` is set.
        """
        troubles = list(self._troubles(context))
        if not troubles:
            return
        ti = context["ti"]
        mapped = f" [{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""
        where = f"Task {ti.task_id}{mapped} of DAG {ti.dag_id}, run {ti.run_id}"
        page = page_of_task(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        text = "\n".join([f"{where}:", *troubles, page])
        if self.notifier is None:
            self._send(text)
        else:
            with_text: Any = {**context, "claid_trouble": text}
            self.notifier(with_text)

    def _limits(self) -> dict[str, float | None]:
        """Return the shares above which blocked and failed pictures are told.

        :raises ValueError: if one is no share.
        """
        limits: dict[str, float | None] = {}
        for word, name in (("blocked", "blocked_share"), ("failed", "failed_share")):
            share = number(optional(getattr(self, name)))
            if share is not None and (
                isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1
            ):
                raise ValueError(f"{name}={share!r} must be a share from 0 to 1")
            limits[word] = share
        return limits

    def _troubles(self, context: Context) -> Iterator[str]:
        error = context.get("exception")
        causes = list(_causes(error)) if isinstance(error, BaseException) else []
        for kind, word in _OF_ERRORS:
            if any(isinstance(cause, kind) for cause in causes):
                yield f"{word}: {_cut(str(error))}"
        outcome = getattr(context.get("task"), "outcome", None)
        if outcome is None:
            return
        if outcome.lost_answers:
            yield (
                f"{counted(outcome.lost_answers, 'answer')} lost, which may have cost "
                f"{counted(outcome.credits_in_doubt, 'credit')}"
            )
        for word, limit in self._limits().items():
            share = getattr(outcome, f"{word}_share")
            if limit is not None and share > limit:
                yield f"{share:.1%} {word}, and more than {limit:.1%} is told"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _cut(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
