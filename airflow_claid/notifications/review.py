"""Tells, by an HTTP POST, that pictures wait for a person's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import requests
from airflow.sdk import BaseHook, BaseNotifier

from airflow_claid.gallery_addresses import page_of_task
from airflow_claid.version_compat import AirflowException

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

_SECONDS = 10


class ReviewNotifier(BaseNotifier):
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
        super().__init__()
        self.webhook_conn_id = webhook_conn_id
        self.message = message
        self.fail = fail

    def notify(self, context: Context) -> None:
        """Send the message.

        :raises AirflowException: if it cannot be sent, and ``fail`` is set. The webhook's address is in no message.
        """
        text = f"{self.message or _waiting(context)}\n{required_actions_page(context['ti'])}"
        problem = self._post({"text": text})
        if problem is None:
            return
        told = f"The message could not be sent by the connection {self.webhook_conn_id!r} ({problem})"
        if self.fail:
            raise AirflowException(told)
        self.log.warning("%s", told)

    def _post(self, message: dict[str, str]) -> str | None:
        """Post a message; return what went wrong, without the address, which is a secret."""
        try:
            address = _address(BaseHook.get_connection(self.webhook_conn_id))
            answer = requests.post(address, json=message, timeout=_SECONDS, allow_redirects=False)
        except Exception as error:  # noqa: BLE001 - its text may have the address
            return type(error).__name__
        return None if answer.ok else f"HTTP {answer.status_code}"


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


def _address(connection: Connection) -> str:
    host = connection.host or ""
    if "://" not in host:
        port = f":{connection.port}" if connection.port else ""
        host = f"{connection.schema or 'https'}://{host}{port}"
    elif connection.port:
        host = f"{host.rstrip('/')}:{connection.port}"
    secret = (connection.password or "").lstrip("/")
    return f"{host.rstrip('/')}/{secret}" if secret else host
