"""Tells, by an HTTP POST, that pictures wait for a person's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.gallery_addresses import page_of_task
from airflow_claid.notifications.webhook import WebhookNotifier

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReviewNotifier(WebhookNotifier):
    """Post a message that pictures wait for an answer, with a link to the page *Required Actions*.

    It sends ``{"text": …}``, as the incoming webhooks of Slack, Mattermost and Rocket.Chat take it. An
    :class:`.ImageReviewOperator` tells its ``notifiers`` when it begins to wait; as a callback of any other task it
    names the task.

    :param webhook_conn_id: (templated) the Airflow connection with the webhook's address: its host, such as
        ``https://hooks.slack.com/services``, and as its password the rest, which is secret (``T000/B000/XXXX``).
    :param message: (templated) the text before the link; default: how many pictures of which task wait.
    :param fail: whether the task fails if the message cannot be sent; by default the failure is logged, and the task
        waits for the answer all the same.
    """

    template_fields: Sequence[str] = ("webhook_conn_id", "message")

    def __init__(self, *, webhook_conn_id: str, message: str | None = None, fail: bool = False) -> None:
        super().__init__(webhook_conn_id=webhook_conn_id, fail=fail)
        self.message = message

    def notify(self, context: Context) -> None:
        """Send the message.

        :raises AirflowException: if it cannot be sent, and ``fail`` is set. The webhook's address is in no message.
        """
        self._send(f"{self.message or _waiting(context)}\n{required_actions_page(context['ti'])}")


def required_actions_page(ti: Any) -> str:
    """Return the address of the page on which a task instance is answered."""
    return f"{page_of_task(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)}/required_actions"


def _waiting(context: Context) -> str:
    ti = context["ti"]
    pictures = getattr(context.get("task"), "number_of_pictures", None)
    mapped = f" [{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""
    where = f"task {ti.task_id}{mapped} of DAG {ti.dag_id}, run {ti.run_id}"
    if not pictures:
        return f"An answer is waited for: {where}"
    return f"{pictures} {'picture waits' if pictures == 1 else 'pictures wait'} for a review: {where}"
