"""Lineage: what a task read and wrote, as Airflow hands it to OpenLineage and others.

Inputs are pictures and files of prompts, outputs are pictures and manifests; receipts are neither. Files are read and
written past ``ObjectStoragePath.open``, which would report each of them by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import islice
from urllib.parse import urlsplit

from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.storage.addresses import is_link, without_connection
from airflow_claid.storage.signed_links import unsigned
from airflow_claid.version_compat import lineage_collector

log: logging.Logger = logging.getLogger(__name__)

MOST = 100
"""Airflow takes no more inputs, and no more outputs, of one task."""


def report_lineage(hook: ClaidHook, *, inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """Report what a task read and wrote; an error here is logged and fails nobody.

    :param hook: which Airflow names as the reporter.
    :param inputs: addresses; of a link, its query is left out.
    :param outputs: addresses; temporary links are no outputs.
    """
    try:
        collector, readable = lineage_collector(), hook.storages.find_readable_uri
        for address in _firsts(_asset(one, readable) for one in inputs):
            collector.add_input_asset(context=hook, uri=address)
        for address in _firsts(_asset(one, readable) for one in outputs if not is_link(one)):
            collector.add_output_asset(context=hook, uri=address)
    except Exception as error:  # noqa: BLE001 - a collector that fails must not fail a paid task
        log.warning("The lineage of the task was not reported (%s: %s)", type(error).__name__, error)


def _firsts(addresses: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(islice(addresses, MOST))


def _asset(address: str, readable: Callable[[str], str | None]) -> str:
    """Return the address by which an asset is known: without connection, login, query or fragment."""
    if is_link(address):
        parts = urlsplit(unsigned(address))
        return parts._replace(query="", fragment="").geturl()
    plain = without_connection(readable(address) or address)
    return plain.replace("?", "%3F").replace("#", "%23")
