"""The budget: checked before every paid call is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_claid.client.spending.spending import Held, Spending
from airflow_claid.client.text import shortened
from airflow_claid.errors import AirflowClaidError, CreditCeilingError, may_have_been_charged
from airflow_claid.fulfilment.events import Events, NoEvents
from airflow_claid.orders.order import Order
from airflow_claid.storage.compact_map import CompactMap

_THOUSANDTHS = 1000


class Budget:
    """Keeps what one execution of a task spends below ``max_credits``; shared by all threads of the task.

    It also has the credits counted under the spend limits that the task shares with others.

    A paid call reserves its credits before it is sent and charges them when it is answered. Reserved, spent and
    doubtful credits all count against the ceiling, so threads cannot exceed it together.

    :param max_credits: the ceiling; ``None`` for none.
    :param spent: credits that this execution has already spent in another process.
    :param spending: the spend limits; ``None`` for none.
    :param events: is told what was charged, and what may have been.
    """

    def __init__(
        self,
        max_credits: float | None = None,
        *,
        spent: float = 0.0,
        spending: Spending | None = None,
        events: Events | None = None,
    ) -> None:
        self._max_credits = max_credits
        self._spending = spending
        self._events = events or NoEvents()
        self._lock = threading.Lock()
        self._spent = spent
        self._spent_on = CompactMap()
        """Thousandths of a credit by the hash of an order's fingerprint, without what another process spent."""
        self._reserved = 0.0
        self._in_doubt: dict[str, float] = {}
        """By the fingerprint of the order."""
        self._total_in_doubt = 0.0
        self._closed_by: Callable[[], Exception] | None = None
        self._refused_by: Callable[[], Exception] | None = None

    @property
    def limited(self) -> bool:
        """Whether there is a ceiling, or a spend limit."""
        return self._max_credits is not None or self._spending is not None

    @property
    def spent(self) -> float:
        """Credits spent, as far as is known."""
        return self._spent

    def spent_on(self, order: Order) -> float:
        """Return the credits that this process spent on an order, as far as is known."""
        with self._lock:  # a map that grows in another thread is empty meanwhile
            return (self._spent_on.get(hash(order.fingerprint)) or 0) / _THOUSANDTHS

    @property
    def in_doubt(self) -> float:
        """Credits of requests whose answer is lost: they may have been charged."""
        return self._total_in_doubt

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Refuse every payment with the error that this makes; orders that are paid for may still be waited for."""
        self._refused_by = error

    def close(self, error: Callable[[], Exception]) -> None:
        """Stop all payments and waits, because the task ends; each raises an error that the first of these makes.

        Takes no lock, so that a signal handler may call it.
        """
        if self._closed_by is None:
            self._closed_by = error

    def check_open(self) -> None:
        """Raise the error that the budget was closed with, if it was closed."""
        if self._closed_by is not None:
            raise self._closed_by()

    def check(self, order: Order) -> None:
        """Raise unless an order may be paid for now.

        :raises CreditCeilingError: if it would exceed the ceiling.
        :raises Exception: the error that the budget was closed with, or refuses with.
        """
        with self._lock:
            self._check(order)

    @contextmanager
    def reserve(self, order: Order, request: str = "") -> Iterator[Reservation]:
        """Reserve an order's credits while it is sent.

        At the end they are spent if :meth:`Reservation.charge` was called, in doubt if the request may have been
        charged, and free again otherwise. Raises what :meth:`check` raises.

        :param request: identifies the request under the spend limits; see
            :mod:`airflow_claid.client.spending.spending`.
        :raises SpendLimitError: if it would exceed a spend limit.
        :raises SpendStoreError: if the spend limits cannot be read.
        """
        with self._lock:
            self._check(order)
            self._reserved += order.credits
        reservation = Reservation(order.credits)
        try:
            reservation.held = self._hold(order, request)
            yield reservation
        except BaseException as error:
            self._end(order, reservation, in_doubt=reservation.in_doubt(error))
            raise
        else:
            self._end(order, reservation, in_doubt=False)

    def add(self, order: Order, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Add the difference between a job's final price and the price known when it was submitted."""
        with self._lock:
            self._spent += credits
        if self._spending is not None:
            self._spending.add(credits)
        if credits:
            self._events.charged(order, credits)

    def settle(self, order: Order, request: str = "") -> float:
        """Count an order as paid whose answer was lost but whose pictures were found.

        :param request: as it was reserved.
        :returns: the credits, if this execution sent it; 0 if an earlier one did.
        """
        if self._spending is not None:
            self._spending.settle(request, order.credits)
        with self._lock:
            of_order = self._in_doubt.pop(order.fingerprint, 0.0)
            settled = min(order.credits, of_order)
            if of_order > settled:
                self._in_doubt[order.fingerprint] = of_order - settled
            self._total_in_doubt -= settled
            self._spent += settled
        self._events.answer_found(order, order.credits)
        return settled

    def _hold(self, order: Order, request: str) -> Held | None:
        """Reserve an order's credits under the spend limits."""
        if self._spending is None:
            return None
        return self._spending.reserve(request, shortened(order.subject), order.credits)

    def _check(self, order: Order) -> None:
        self.check_open()
        if self._refused_by is not None:
            raise self._refused_by()
        in_doubt = self._total_in_doubt
        committed = self._spent + self._reserved
        if self._max_credits is None or committed + in_doubt + order.credits <= self._max_credits:
            return
        doubtful = f" (and perhaps {in_doubt:g} more, for lost answers)" if in_doubt else ""
        raise CreditCeilingError(
            f"{shortened(order.subject)} would cost {order.credits:g} credits on top of {committed:g} spent by this "
            f"execution{doubtful}; max_credits={self._max_credits:g}. It was not sent. Raise max_credits, then clear "
            "the task: nothing is paid for twice."
        )

    def _end(self, order: Order, reservation: Reservation, *, in_doubt: bool) -> None:
        with self._lock:
            self._reserved -= order.credits
            if reservation.charged:
                self._spent += order.credits
                self._spent_on.add(hash(order.fingerprint), round(order.credits * _THOUSANDTHS))
            elif in_doubt:
                self._in_doubt[order.fingerprint] = self._in_doubt.get(order.fingerprint, 0.0) + order.credits
                self._total_in_doubt += order.credits
        if self._spending is not None and reservation.held is not None:
            self._spending.end(reservation.held, charged=reservation.charged or in_doubt)
        if reservation.charged:
            self._events.charged(order, order.credits)
        elif in_doubt:
            self._events.answer_lost(order, order.credits)


@dataclass
class Reservation:
    """Credits reserved for one request.

    :param credits: how many.
    :param charged: whether the request was answered, and so paid for.
    :param sending: whether it may have been sent.
    :param held: the same credits under the spend limits.
    """

    credits: float
    charged: bool = False
    sending: bool = False
    held: Held | None = None

    def send(self) -> None:
        """Mark the request as about to be sent."""
        self.sending = True

    def charge(self) -> float:
        """Mark the request as answered; return its credits."""
        self.charged = True
        return self.credits

    def in_doubt(self, error: BaseException) -> bool:
        """Return whether a request that ended with an error may have been charged.

        Our own errors know; any other, such as a task's timeout, may have interrupted it after it was sent.
        """
        if isinstance(error, AirflowClaidError):
            return may_have_been_charged(error)
        return self.sending
