"""Fulfilment: the one path from an order to its pictures, on which nothing that is paid is paid again.

Paying (:mod:`.payment`) and completing (:mod:`.completion`) are apart, so that a task can submit all its jobs before it
waits for the first, and wait for them in another process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import DeadLinkError
from airflow_claid.fulfilment.completion import Completion
from airflow_claid.fulfilment.payment import Payment
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.orders.order import Order

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fulfilled:
    """What became of an order.

    :param images: all pictures of the order, blocked ones included.
    :param credits: what this execution spent on it; 0 where it was paid before.
    :param request_id: Claid's, of the request that made the pictures.
    :param charged: what it has cost in all, in this execution and before, as far as is known.
    :param in_doubt: how much of that is of requests whose answer is lost, which may not have been charged.
    :param reasons: what Claid said of the pictures that it could not make.
    """

    order: Order
    images: tuple[DeliveredImage, ...]
    credits: float
    request_id: str | None
    charged: float
    in_doubt: float
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, order: Order, receipt: Receipt, spent: float) -> Fulfilled:
        """Read the result from a receipt that is complete."""
        images = tuple(_as_addressed(order, image) for image in receipt.images)
        return cls(order, images, spent, receipt.request_id, receipt.credits, receipt.credits_in_doubt, receipt.reasons)


@dataclass(frozen=True)
class Begun:
    """An order that is paid, and what this execution spent on it."""

    order: Order
    store: ReceiptStore
    receipt: Receipt
    credits: float

    @property
    def waiting(self) -> bool:
        """Whether its job is not known to have ended."""
        return self.receipt.state is ReceiptState.SUBMITTED


@dataclass(frozen=True, kw_only=True)
class Fulfilment(Resources):
    """Fulfils orders for one task; may be used by several threads at once.

    :param receipts: returns the store for an order's receipt.
    """

    receipts: Callable[[Order], ReceiptStore]

    def fulfil(self, order: Order) -> Fulfilled:
        """Return an order's pictures, paid for once.

        Raises what :meth:`begin` and :meth:`complete` raise.
        """
        return self.complete(self.begin(order))

    def begin(self, order: Order) -> Begun:
        """Make sure that an order is paid: by a receipt that is there, or by sending it.

        :raises ClaidError: if Claid refused or failed; the receipt knows whether it may have been paid.
        :raises ReceiptUnreadableError: if a receipt may exist but cannot be read; nothing was sent.
        :raises LostAnswerError: if an answer is lost and ``on_lost_response`` is ``"fail"``.
        :raises AnswerPendingError: if an answer may still come, and the terms say not to wait for it.
        :raises CreditCeilingError: if sending it would pass ``max_credits``.
        """
        store = self.receipts(order)
        payment = Payment(order, store, self)
        receipt = payment.receipt()
        return Begun(order, store, receipt, payment.credits)

    def resume(self, order: Order, receipt: Receipt, spent: float) -> Begun:
        """Go on with an order that was begun in another process of the same try.

        :param receipt: as it was then; one that is kept of the same request, and has come as far, goes first.
        :param spent: credits that this try has spent on it.
        """
        store = self.receipts(order)
        kept = store.read(order.fingerprint)
        further = kept is not None and kept.is_of_same_request(receipt) and kept.state.is_paid
        return Begun(order, store, kept if kept is not None and further else receipt, spent)

    def complete(self, begun: Begun, deadline: datetime | None = None) -> Fulfilled:
        """Wait for a paid order's job, if it has one, and bring its pictures to their place.

        :param deadline: until when to wait for a job; by default for the terms' ``timeout`` from now.
        :raises PictureError: if a picture could not be brought to its place; a retry pays nothing again.
        :raises JobFailedError: if Claid ended the job without a result.
        :raises JobTimeoutError: if the job takes longer than that; a retry waits for the same job.
        """
        deadline = deadline or self.now() + timedelta(seconds=self.terms.timeout)
        order, spent = begun.order, begun.credits
        completion = Completion(order, begun.store, begun.receipt, self)
        try:
            receipt = completion.receipt(deadline)
        except DeadLinkError as error:
            latest = begun.store.read(order.fingerprint)
            if latest is not None and latest.state.is_final:
                return Fulfilled.of(order, latest, spent)
            if spent > 0:
                raise
            log.warning("%s. What it gave is lost: asking Claid again for %g credits", error, order.credits)
            same = latest is not None and latest.is_of_same_request(begun.receipt)
            payment = Payment(order, begun.store, self)
            receipt = payment.again(latest if latest is not None and same else begun.receipt)
            spent = completion.credits + payment.credits
            completion = Completion(order, begun.store, receipt, self)
            receipt = completion.receipt(deadline)
        return Fulfilled.of(order, receipt, spent + completion.credits)


def _as_addressed(order: Order, image: DeliveredImage) -> DeliveredImage:
    """Name a picture's path by the connection that this order uses, not by the one of the run that paid."""
    if not order.place.is_written_by_airflow or image.path is None:
        return image
    return image.evolve(path=order.place.folder + order.file_name(image.position))
