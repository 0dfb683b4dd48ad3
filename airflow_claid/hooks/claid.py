"""The hook: an Airflow connection becomes a client, and storage names become buckets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_claid.client import (
    DEFAULT_BASE_URL,
    ClaidAuthenticationError,
    ClaidError,
    ClaidMissingConnectionError,
    ClaidScopeError,
    ClaidValidationError,
    JobKind,
)
from airflow_claid.client.account import seconds_in_range
from airflow_claid.client.calls import poll
from airflow_claid.client.spending.limits import SpendLimit, limits_of, strictest
from airflow_claid.client.spending.spending import Spending
from airflow_claid.client.spending.standing import Standing, standings
from airflow_claid.configuration import defaults
from airflow_claid.delivery.download_rules import DEFAULT_HOSTS, DownloadRules
from airflow_claid.hooks.connection_form import (
    CONN_FIELDS,
    CONN_TYPE,
    DEFAULT_CONN_NAME,
    HOOK_NAME,
    UI_FIELD_BEHAVIOUR,
)
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.version_compat import AirflowNotFoundException

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_claid.client import ClaidClient
    from airflow_claid.client.transport import OnAnswer
    from airflow_claid.delivery.downloads import Downloader

_NO_SUCH_JOB = 0
_NO_SUCH_JOB_STATUSES = (400, 404, 422)
_PROXY_REFUSED = 407
_CONNECTIONS = 400
"""Kept open to a host at most; a batch has as many requests under way as the quota and their latency ask for."""


class ClaidHook(BaseHook):
    """Claid through an Airflow connection of type ``claid``.

    The connection's password is the API key, its host the base URL (default ``https://api.claid.ai``; a
    sandbox's is ``http://127.0.0.1:8765``). Its extra may hold:

    - ``storages``: which Airflow connection id, or which folder's address, reaches the bucket of each connected
      storage, by the storage's name;
    - ``download_hosts``: from which hosts pictures may be downloaded;
    - ``quota_store``: a Redis by which all workers share the account's quota, ``redis://HOST:PORT/DB``;
    - ``spend_limit``: what all who use the connection may spend together in a day or a month, counted in that Redis;
    - ``connect_timeout``, ``read_timeout``, ``max_wait``: seconds, see :class:`ClaidClient`.

    :param claid_conn_id: the connection's id.
    :param on_refusal: is told the operation and the status of each request that Claid refuses.
    :param on_answer: is told of each answer; see :class:`ClaidClient`.
    """

    conn_name_attr = "claid_conn_id"
    default_conn_name = DEFAULT_CONN_NAME
    conn_type = CONN_TYPE
    hook_name = HOOK_NAME

    def __init__(
        self,
        claid_conn_id: str = default_conn_name,
        *,
        on_refusal: Callable[[str, int], None] | None = None,
        on_answer: OnAnswer | None = None,
    ) -> None:
        super().__init__()
        self.claid_conn_id = claid_conn_id
        self._on_refusal = on_refusal
        self._on_answer = on_answer

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Describe the standard fields of the connection form, for Airflow 3.1; later ones read provider info."""
        return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Describe the extra fields of the connection form, for Airflow 3.1; later ones read provider info.

        Airflow 3.1 leaves out a hook that has a field of any other class than text, password, integer and boolean:
        seconds are text.
        """
        from wtforms import PasswordField, StringField

        return {
            name: (PasswordField if field["schema"].get("format") == "password" else StringField)(
                label=field["label"], description=field["description"]
            )
            for name, field in CONN_FIELDS.items()
        }

    def get_conn(self) -> ClaidClient:
        """Return the client; the same one for the life of the hook."""
        return self.client

    @cached_property
    def client(self) -> ClaidClient:
        """The client of this connection."""
        from airflow_claid.client import ClaidClient

        connection = self._connection
        if not connection.password:
            raise ClaidValidationError(
                f"The connection {self.claid_conn_id!r} has no API key: put it into the field 'API key' (password)"
            )
        return ClaidClient(
            connection.password,
            base_url(connection),
            connect_timeout=self._seconds("connect_timeout", 10.0),
            read_timeout=self._seconds("read_timeout", 120.0),
            max_wait=self._seconds("max_wait", 300.0),
            quota_store=self._extra.get("quota_store") or None,
            pool_size=_CONNECTIONS,
            on_refusal=self._on_refusal,
            on_answer=self._on_answer,
        )

    @cached_property
    def storages(self) -> ConnectedStorages:
        """The connected storages, and their buckets as Airflow reaches them."""
        return ConnectedStorages(self.client, self._mapping)

    @cached_property
    def downloader(self) -> Downloader:
        """What fetches temporary pictures, by the connection's rules."""
        from airflow_claid.delivery.downloads import Downloader

        hosts = defaults.hosts_in(self._extra.get("download_hosts") or ()) or defaults.download_hosts()
        rules = DownloadRules(self.client.base_url, hosts=hosts or DEFAULT_HOSTS)
        return Downloader(rules, pool_size=_CONNECTIONS)

    def spending(
        self, own: Sequence[SpendLimit], who: str, used: Callable[[SpendLimit, float], None]
    ) -> Spending | None:
        """Return the spend limits that a task is under: its own and the connection's; ``None`` if there are none.

        :param own: the task's.
        :param who: the task, as errors name it.
        :param used: receives a limit and the credits used of it, each time that they change.
        :raises ClaidValidationError: if a limit is malformed, or there is no ``quota_store`` to count in.
        """
        limits = strictest([*self.spend_limits, *own])
        if not limits:
            return None
        store = self._extra.get("quota_store")
        if not store:
            raise ClaidValidationError(
                f"The spend limit {limits[0].name!r} cannot be kept without a Redis in which all workers count: set "
                f"quota_store in the extra of the connection {self.claid_conn_id!r} to redis://HOST:PORT/DB"
            )
        return Spending(limits, store, self.client.base_url, who, used=used)

    @property
    def spend_limits(self) -> tuple[SpendLimit, ...]:
        """The connection's own spend limits.

        :raises ClaidValidationError: if one is malformed.
        """
        where = f"spend_limit in the extra of the connection {self.claid_conn_id!r}"
        return limits_of(self._extra.get("spend_limit"), where, f"connection {self.claid_conn_id}")

    def standings(self, now: datetime) -> list[Standing]:
        """Return how much is used of the spend limits that are counted in the connection's ``quota_store``.

        :param now: the time.
        :returns: none where there is no ``quota_store``.
        :raises ClaidError: if the connection is missing or malformed, or its Redis cannot be reached.
        """
        store = self._extra.get("quota_store")
        return standings(store, self.client.base_url, self.spend_limits, now) if store else []

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the connection works, and a sentence about it, at no cost.

        Asks for a job that cannot exist, then for the connected storages. Any answer of Claid's but a 401 shows that it
        knows the key; what else the answers tell is in the sentence.
        """
        try:
            works, said = self._ask_for_no_job()
        except ClaidError as error:
            return False, str(error)
        return (True, f"{said}{self._ask_for_storages()}") if works else (False, said)

    def _ask_for_no_job(self) -> tuple[bool, str]:
        """Ask for a job that cannot exist: whether the key is known, and what the answer says of it.

        :raises ClaidError: if there was no answer, or not of Claid.
        """
        try:
            self.client.send(replace(poll(JobKind.EDIT, _NO_SUCH_JOB), may_be_empty=True))
        except ClaidAuthenticationError:
            return False, "Claid does not know this API key"
        except ClaidScopeError:
            return True, (
                "OK: the API key is known. It lacks the scope 'Image editing' (or 'Admin'), which generating and "
                "editing need, or the account may not edit"
            )
        except ClaidError as error:
            if error.status is None or error.status < 400 or error.status == _PROXY_REFUSED:
                raise  # not Claid's: no answer, a redirect, a page of a proxy
            if error.status in _NO_SUCH_JOB_STATUSES:
                return True, "OK: the API key works"
            return True, f"OK: the API key is known, but Claid cannot be used at present: {error}"
        return True, "OK: the API key works"

    def _ask_for_storages(self) -> str:
        """Return what there is to say about the connected storages, which a connection need not have."""
        try:
            names = ", ".join(storage.name for storage in self.client.list_storages())
        except ClaidScopeError:
            return ". It lacks the scope 'Storage' (or 'Admin'), so connected storages cannot be checked"
        except ClaidError as error:
            return f". Connected storages cannot be checked at present: {error}"
        return f"; connected storages: {names or 'none'}"

    @cached_property
    def _connection(self) -> Connection:
        try:
            return self.get_connection(self.claid_conn_id)
        except AirflowNotFoundException:
            raise ClaidMissingConnectionError(
                f"claid_conn_id={self.claid_conn_id!r}: Airflow has no such connection. Define it, of type "
                f"{CONN_TYPE!r}, or name one that there is"
            ) from None

    @cached_property
    def _extra(self) -> Mapping[str, Any]:
        return self._connection.extra_dejson

    @property
    def _mapping(self) -> dict[str, str]:
        mapping = self._extra.get("storages") or {}
        if isinstance(mapping, str):
            try:
                mapping = json.loads(mapping)
            except ValueError:
                mapping = None
        if not isinstance(mapping, Mapping) or not all(isinstance(value, str) for value in mapping.values()):
            raise ClaidValidationError(
                f"storages in the extra of the connection {self.claid_conn_id!r} must be a JSON object of storage name "
                'to Airflow connection id or folder, e.g. {"shop": "aws_default"}'
            )
        return dict(mapping)

    def _seconds(self, name: str, default: float) -> float:
        value = self._extra.get(name)
        if value is None or value == "":
            return default
        return seconds_in_range(name, value, f" in the extra of the connection {self.claid_conn_id!r}")


def base_url(connection: Connection) -> str:
    """Put the base URL together: from the host alone, or from schema, host and port where the host is a bare name."""
    host = (connection.host or "").strip()
    if not host:
        return DEFAULT_BASE_URL
    if "://" in host:
        return host
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"  # a connection given as a URI loses the brackets of an IPv6 address
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"
