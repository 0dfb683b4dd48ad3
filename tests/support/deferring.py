"""Tasks run to their end as Airflow does: what is deferred goes on in a new trigger, then in a new operator."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.sdk import BaseOperator


def made_anew(path: str, arguments: dict[str, Any]) -> Any:
    """Make a trigger as the triggerer does, from what the database kept of it."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))


async def fired(trigger: Any) -> dict[str, Any]:
    """Return the payload of a trigger's only event."""
    events = [event async for event in trigger.run()]
    assert len(events) == 1, "it fires once"
    payload: dict[str, Any] = json.loads(json.dumps(events[0].payload))
    assert payload == events[0].payload
    return payload


def run_through(build: Callable[[], BaseOperator], context: Any) -> Any:
    """Run a task; ``build`` makes it anew for each process that it would have."""
    try:
        return build().execute(context)
    except TaskDeferred as deferred:
        event = asyncio.run(fired(made_anew(*deferred.trigger.serialize())))
        carried = json.loads(json.dumps(deferred.kwargs or {}))
        return build().resume_execution(deferred.method_name, {**carried, "event": event}, context)
