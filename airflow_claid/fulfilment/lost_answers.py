"""Lost answers: wait for them, look up their pictures, and give them up as ``on_lost_response`` says."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_claid.client.text import shortened
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import AnswerPendingError, LostAnswerError
from airflow_claid.fulfilment.liveness import has_ended
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.fulfilment.steps import Step, step_after_lookup
from airflow_claid.orders.order import Order

log: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MissingAnswer:
    """The missing answer to a request that, by its receipt, was or may have been sent."""

    order: Order
    receipt: Receipt
    resources: Resources

    def wait_while_it_may_come(self, store: ReceiptStore) -> Receipt:
        """Wait for another process to record its answer, while it may still come; return the latest receipt.

        A process that has certainly ended is not waited for, and neither is this one.
        """
        receipt, author = self.receipt, self.receipt.author
        left = 0.0 if self._nobody_sends() else self._seconds_left(receipt)
        if left > 0:
            log.info(
                "%s %s %s is requesting %s right now: waiting for its pictures instead of paying twice",
                author.dag_id,
                author.run_id,
                author.task_id,
                shortened(self.order.subject),
            )
        while receipt.state is ReceiptState.INTENT and left > 0:
            left -= self._wait()
            latest = store.read(self.order.fingerprint) or receipt
            if latest.state is ReceiptState.INTENT and latest.asked_at != receipt.asked_at:
                left = self._seconds_left(latest)
            receipt = latest
        return receipt

    @property
    def may_still_come(self) -> bool:
        """Whether another process may be about to record the answer."""
        asked_at = self.receipt.asked_at
        since = self.resources.now() - datetime.fromisoformat(asked_at) if asked_at else timedelta(0)
        return not self._nobody_sends() and since.total_seconds() < self.resources.terms.grace

    def _nobody_sends(self) -> bool:
        """Return whether the process that wrote the intent sends nothing more."""
        writer, own = self.receipt.author, self.resources.author
        if writer.process and writer.process != own.process:
            return has_ended(writer.process)
        return writer.same_attempt(own)

    def settle(self) -> Receipt:
        """Return the receipt as paid, with the pictures that were found; or without any, to request them again.

        :raises LostAnswerError: if no pictures were found and ``on_lost_response`` is ``"fail"``.
        """
        order, images = self.order, self.find_images()
        receipt = self.receipt.evolve(
            lost_answers=self.receipt.lost_answers + 1, credits=self.receipt.credits + order.credits
        )
        step = step_after_lookup(found=bool(images), on_lost_response=self.resources.terms.on_lost_response)
        if step is Step.COMPLETE:
            log.warning(
                "The answer for %s was lost; its %d images were found at %s and are not paid for again",
                shortened(order.subject),
                len(images),
                order.destination(receipt.edition),
            )
            paid_at = self.resources.now().isoformat()
            return receipt.evolve(state=ReceiptState.PAID, images=tuple(images), paid_at=paid_at)
        problem = (
            f"The answer for {shortened(order.subject)}, requested at {receipt.asked_at}, is lost: it may have cost "
            f"{order.credits:g} credits"
        )
        if step is Step.FAIL:
            raise LostAnswerError(
                f"{problem}, and on_lost_response='fail'. Check Claid's dashboard, then run again with "
                "on_lost_response='resubmit' to request it again."
            )
        log.warning("%s. Requesting it again (on_lost_response='resubmit')", problem)
        return receipt.evolve(credits_in_doubt=receipt.credits_in_doubt + order.credits)

    def find_images(self, *, wait: bool = True) -> list[DeliveredImage]:
        """Look up the pictures at their destination.

        :param wait: whether to look again until all are there or the grace period ends.
        """
        order, receipt, delivery = self.order, self.receipt, self.resources.delivery
        destination = order.destination(receipt.edition) if order.findable else None
        if destination is None:
            return []
        left = self._seconds_left(receipt) if wait else 0.0
        while True:
            images = delivery.at_destination(destination)
            if images is None:
                log.warning("%s cannot be read from here: map the storage in the connection's extra", destination)
                return []
            if images and receipt.before is not None and delivery.state_of(destination) == receipt.before:
                images = []
            if len(images) >= order.number_of_images or left <= 0:
                return images[: order.number_of_images]
            left -= self._wait()

    def _seconds_left(self, receipt: Receipt) -> float:
        """Return how long the answer that a receipt waits for may still come: never longer than ``grace`` from now."""
        grace, now = self.resources.terms.grace, self.resources.now()
        asked_at = datetime.fromisoformat(receipt.asked_at) if receipt.asked_at else now
        return min(grace - (now - asked_at).total_seconds(), self.resources.awaited.seconds_left(receipt, grace))

    def _wait(self) -> float:
        """Wait until the next lookup, if the terms allow waiting here; return the seconds."""
        self.resources.budget.check_open()
        if not self.resources.terms.wait_for_answers:
            raise AnswerPendingError(f"The answer for {shortened(self.order.subject)} may still come")
        interval = self.resources.terms.lookup_interval
        self.resources.sleep(interval)
        return interval
