"""A message to a chat, by an HTTP POST to its incoming webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import requests
from airflow.sdk import BaseHook, BaseNotifier

from airflow_claid.version_compat import AirflowException

if TYPE_CHECKING:
    from airflow.sdk import Connection

_SECONDS = 10


class WebhookNotifier(BaseNotifier):
    """Base of the notifiers that post ``{"text": …}``, as Slack, Mattermost and Rocket.Chat take it.

    :param webhook_conn_id: (templated) the Airflow connection with the webhook's address: its host, such as
        ``https://hooks.slack.com/services``, and as its password the rest, which is secret (``T000/B000/XXXX``).
    :param fail: whether the task fails if the message cannot be sent; by default the failure is logged.
    """

    template_fields: Sequence[str] = ("webhook_conn_id",)

    def __init__(self, *, webhook_conn_id: str | None, fail: bool = False) -> None:
        super().__init__()
        self.webhook_conn_id = webhook_conn_id
        self.fail = fail

    def _send(self, text: str) -> None:
        """Send a message.

        :raises AirflowException: if it cannot be sent, and ``fail`` is set. The webhook's address is in no message.
        """
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
            address = _address(BaseHook.get_connection(str(self.webhook_conn_id)))
            answer = requests.post(address, json=message, timeout=_SECONDS, allow_redirects=False)
        except Exception as error:  # noqa: BLE001 - its text may have the address
            return type(error).__name__
        return None if answer.ok else f"HTTP {answer.status_code}"


def _address(connection: Connection) -> str:
    host = connection.host or ""
    if "://" not in host:
        port = f":{connection.port}" if connection.port else ""
        host = f"{connection.schema or 'https'}://{host}{port}"
    elif connection.port:
        host = f"{host.rstrip('/')}:{connection.port}"
    secret = (connection.password or "").lstrip("/")
    return f"{host.rstrip('/')}/{secret}" if secret else host
