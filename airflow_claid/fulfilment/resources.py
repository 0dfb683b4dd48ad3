"""What fulfilment needs, the same for all orders of a task."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_claid.delivery.delivery import Delivery
from airflow_claid.fulfilment.awaited import AwaitedAnswers
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.claimed_answers import ClaimedAnswers
from airflow_claid.fulfilment.events import Events, NoEvents
from airflow_claid.fulfilment.proof import Proof
from airflow_claid.fulfilment.receipt import Author
from airflow_claid.fulfilment.terms import Terms

if TYPE_CHECKING:
    from airflow_claid.client import ClaidClient


def utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What fulfilment needs to fulfil orders.

    :param client: calls Claid.
    :param delivery: brings pictures to their place.
    :param author: the task, as the receipts name it.
    :param terms: see :class:`Terms`.
    :param budget: what the task may spend; every paid call asks it.
    :param proof: lets one request go alone until an answer of its operation has been read.
    :param awaited: the answers that the task waits for.
    :param claimed: which request each answer belongs to.
    :param events: is told what becomes of orders.
    :param sleep: waits for a number of seconds.
    :param now: returns the time in UTC.
    """

    client: ClaidClient
    delivery: Delivery
    author: Author
    terms: Terms = field(default_factory=Terms)
    budget: Budget = field(default_factory=Budget)
    proof: Proof = field(default_factory=Proof)
    awaited: AwaitedAnswers = field(default_factory=AwaitedAnswers)
    claimed: ClaimedAnswers = field(default_factory=ClaimedAnswers)
    events: Events = field(default_factory=NoEvents)
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = utc_now
