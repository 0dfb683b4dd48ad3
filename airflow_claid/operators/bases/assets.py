"""Asset events: DAGs that are scheduled by a task's outlets run when it has made pictures, and only then."""

from __future__ import annotations

import logging
import string
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias
from airflow.sdk.definitions.asset import AssetRef

from airflow_claid.storage.addresses import is_link, without_connection

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

log: logging.Logger = logging.getLogger(__name__)

MOST = 100
"""Paths in one event: Airflow keeps it in its database and shows it in its page."""


def announce(operator: BaseOperator, context: Context, folder: str, facts: Mapping[str, Any]) -> None:
    """Give the events of a task's outlets what it made; an error here is logged and fails nobody.

    An :class:`AssetAlias` gets an event of the asset that the folder is.

    :param folder: of the pictures; empty where they are behind temporary links.
    :param facts: the ``extra`` of the events.
    """
    for outlet in operator.outlets or ():
        try:
            if isinstance(outlet, AssetAlias):
                if folder:
                    context["outlet_events"][outlet].add(Asset(_uri(folder)), extra=dict(facts))
            elif isinstance(outlet, (Asset, AssetRef)):
                context["outlet_events"][outlet].extra.update(facts)
        except Exception as error:  # noqa: BLE001 - an event that fails must not fail a paid task
            name = getattr(outlet, "name", None) or getattr(outlet, "uri", None)
            log.warning("The asset event of %r is incomplete (%s: %s)", name, type(error).__name__, error)


def without_assets(outlets: Iterable[Any] | None) -> list[Any]:
    """Return the outlets for which Airflow makes no event when the task succeeds."""
    return [outlet for outlet in outlets or () if not isinstance(outlet, (Asset, AssetRef))]


def lasting(paths: Iterable[str]) -> list[str]:
    """Return the first paths that do not expire."""
    return list(islice((path for path in paths if not is_link(path)), MOST))


def is_later_try(operator: BaseOperator, context: Context) -> bool:
    """Return whether earlier tries since the start of the run, or since the clear, may have made the pictures."""
    ti = context["ti"]
    retries_before_clear = (getattr(ti, "max_tries", 0) or 0) - (operator.retries or 0)
    return bool(ti.try_number - 1 > retries_before_clear)


def _uri(folder: str) -> str:
    """Return the URI of an asset: without connection, in ASCII, and with nothing that ends a URI's path."""
    return quote(
        without_connection(folder).rstrip("/"), safe=string.punctuation.translate({ord("?"): None, ord("#"): None})
    )
