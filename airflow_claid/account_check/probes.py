"""The free part: requests that cost nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

from airflow_claid.account_check.access import is_known, is_reached
from airflow_claid.account_check.evidence import Evidence, Step
from airflow_claid.account_check.quota import compared_polls
from airflow_claid.client import Call, ClaidClient, ClaidError, JobKind, Storage
from airflow_claid.client.calls import EDITING, poll
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.listing import stream_files

MADE_UP_KEY = "made-up-by-airflow-claid-check"
"""A key that no account has."""

_NO_NUMBER = "not-a-number"
_PAUSES = (0.0, 1.2, 1.2)
"""Seconds: a limit of requests per second is over then."""


def ask_for_free(
    evidence: Evidence,
    client: ClaidClient,
    storages: ConnectedStorages,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send the requests of the free part; what fails is noted.

    The request that breaks the contract is an edit without an input: it names nothing that could be edited, so that it
    cannot be charged.

    :param client: one whose ``on_answer`` is the evidence's ``record``.
    :param sleep: waits for a number of seconds, between polls whose quota another limit hides.
    """
    no_job = replace(poll(JobKind.EDIT, 0), may_be_empty=True)
    _attempt(evidence, Step.NO_JOB, lambda: client.send(no_job))
    if not is_reached(evidence):
        return
    _attempt(evidence, Step.WRONG_KEY, lambda: _ask_with_made_up_key(evidence, client, no_job))
    if not is_known(evidence):
        return
    for pause in _PAUSES:
        sleep(pause)
        _attempt(evidence, Step.NO_JOB_AGAIN, lambda: client.send(no_job))
        if compared_polls(evidence) is not None:
            break
    _attempt(evidence, Step.NO_VIDEO, lambda: client.send(replace(poll(JobKind.VIDEO, 0), may_be_empty=True)))
    _attempt(evidence, Step.BAD_ID, lambda: client.send(poll(JobKind.EDIT, _NO_NUMBER)))
    nothing = Call("edit_image", "POST", "image/edit", EDITING, json={})
    _attempt(evidence, Step.EMPTY_EDIT, lambda: client.send(nothing))
    _attempt(evidence, Step.STORAGES, lambda: _look_at_storages(evidence, client, storages))


def _attempt(evidence: Evidence, step: str, action: Callable[[], object]) -> None:
    with evidence.step(step):
        try:
            action()
        except ClaidError as error:
            evidence.failures[step] = str(error)


def _ask_with_made_up_key(evidence: Evidence, client: ClaidClient, call: Call) -> None:
    with ClaidClient(MADE_UP_KEY, client.base_url, max_wait=0, on_answer=evidence.record) as stranger:
        stranger.send(call)


def _look_at_storages(evidence: Evidence, client: ClaidClient, storages: ConnectedStorages) -> None:
    evidence.mapping = storages.mapped
    listed = client.list_storages()
    evidence.storages = []
    for storage in listed:
        is_mapped = storage.name in storages.mapped
        problem = _problem_of(storage, storages) if is_mapped and storage.writable else None
        evidence.storages.append(
            {
                "name": storage.name,
                "bucket": storage.parameters.bucket,
                "writable": storage.writable,
                "mapped": is_mapped,
                "readable": None if not is_mapped or not storage.writable else problem is None,
                "problem": problem,
            }
        )
    known = next((storage.id for storage in listed if storage.id is not None and storage.writable), None)
    if known is not None:
        with evidence.step(Step.STORAGE), suppress(ClaidError):
            client.get_storage(known)


def _problem_of(storage: Storage, storages: ConnectedStorages) -> str | None:
    """Return why Airflow cannot list a mapped storage; ``None`` if it can."""
    root = storages.find_readable_uri(f"storage://{quote(storage.name)}/")
    if root is None:
        return "Claid does not tell its bucket"
    try:
        next(iter(stream_files(root)), None)
    except Exception as error:  # noqa: BLE001 - each storage has errors of its own
        return f"{type(error).__name__}: {str(error)[:200]}"
    return None
