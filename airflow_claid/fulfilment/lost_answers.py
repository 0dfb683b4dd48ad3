"""Answers that nobody has written down: waited for, looked for where Claid was to write, and given up on as agreed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_claid.client.text import shortened
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import LostAnswerError
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.order import Order

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MissingAnswer:
    """The answer to a request that was sent, or was about to be, as its receipt says.

    :param delivery: looks where Claid was to write.
    :param terms: how long an answer may still come, and what to do without it.
    :param sleep: waits so many seconds.
    :param now: the time, in UTC.
    :param before_waiting: is asked before each wait, and may raise to do something else meanwhile.
    """

    order: Order
    receipt: Receipt
    delivery: Delivery
    terms: Terms
    sleep: Callable[[float], None]
    now: Callable[[], datetime]
    before_waiting: Callable[[], object]

    def of_other_run(self, store: ReceiptStore) -> Receipt:
        """Wait, while it may still come, for another run to write it down; give the receipt as it is then."""
        receipt, author = self.receipt, self.receipt.author
        if self.now() < self._grace_of(receipt):
            log.info(
                "%s %s %s is asking for %s at this moment: waiting for its pictures instead of paying too",
                author.dag_id,
                author.run_id,
                author.task_id,
                shortened(self.order.subject),
            )
        while receipt.state is ReceiptState.INTENT and self.now() < self._grace_of(receipt):
            self._wait()
            receipt = store.read(self.order.fingerprint) or receipt
        return receipt

    def settled(self) -> Receipt:
        """Give the receipt with the pictures that were found, paid; or without them, to ask again.

        :raises LostAnswerError: if there are none, and ``on_lost_response`` is ``"fail"``.
        """
        order, found = self.order, self._found()
        receipt = self.receipt.evolve(
            lost_answers=self.receipt.lost_answers + 1, credits=self.receipt.credits + order.credits
        )
        if found:
            log.warning(
                "The answer for %s was lost; its %d images were found at %s and are not paid again",
                shortened(order.subject),
                len(found),
                order.destination(receipt.edition),
            )
            return receipt.evolve(state=ReceiptState.PAID, images=tuple(found), paid_at=self.now().isoformat())
        lost = (
            f"The answer for {shortened(order.subject)}, asked at {receipt.asked_at}, is lost: it may have cost "
            f"{order.credits:g} credits"
        )
        if self.terms.on_lost_response == "fail":
            raise LostAnswerError(
                f"{lost}, and on_lost_response='fail'. Poll into Claid's dashboard, then run with "
                "on_lost_response='resubmit' to ask again."
            )
        log.warning("%s. Asking again (on_lost_response='resubmit')", lost)
        return receipt.evolve(credits_in_doubt=receipt.credits_in_doubt + order.credits)

    def _found(self) -> list[DeliveredImage]:
        """Poll where Claid was to write, until all pictures are there or the time of grace is over."""
        order, receipt = self.order, self.receipt
        destination = order.destination(receipt.edition) if order.findable else None
        if destination is None:
            return []
        over = self._grace_of(receipt)
        while True:
            found = self.delivery.at_destination(destination)
            if found is None:
                log.warning("%s cannot be looked at from here: map the storage in the connection's extra", destination)
                return []
            if found and receipt.before is not None and self.delivery.state_of(destination) == receipt.before:
                found = []
            if len(found) >= order.number_of_images or self.now() >= over:
                return found[: order.number_of_images]
            self._wait()

    def _grace_of(self, receipt: Receipt) -> datetime:
        """Until when the answer that a receipt waits for may still come."""
        asked = datetime.fromisoformat(receipt.asked_at) if receipt.asked_at else self.now()
        return asked + timedelta(seconds=self.terms.grace)

    def _wait(self) -> None:
        self.before_waiting()
        self.sleep(self.terms.lookup_interval)
