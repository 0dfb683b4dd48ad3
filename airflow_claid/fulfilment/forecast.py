"""Forecasts: what fulfilling an order now would cost. Nothing is written, and nothing is sent that is charged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_claid.errors import ReceiptUnreadableError, UnreadAnswerError
from airflow_claid.fulfilment.answer_reading import own_images_of_job, understood, with_what_was_answered
from airflow_claid.fulfilment.completion import polled, receipt_of_job
from airflow_claid.fulfilment.lost_answers import MissingAnswer
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.fulfilment.steps import (
    Step,
    links_have_expired,
    missing_images,
    next_step,
    step_after_lookup,
    why_missing,
)
from airflow_claid.orders.order import Order
from airflow_claid.waiting.decision import WaitState


@dataclass(frozen=True)
class Forecast:
    """What fulfilling an order now would cost.

    :param credits: what the run would spend, as its XCom ``credits`` shows it: 0 for what was paid for before. Where
        only Claid knows the number of pictures, as of a folder that cannot be listed, 0 before its job is done.
    :param requests: paid requests that it would send.
    :param reused: whether it would use what was paid for before.
    :param in_doubt: credits beyond those, for an earlier request whose answer is lost: they may have been charged.
    :param reason: why, as a sentence without a full stop.
    :param blocked: whether the content filter blocked all that was paid for before.
    """

    credits: float
    requests: int
    reused: bool
    in_doubt: float
    reason: str
    blocked: bool = False


class Forecaster:
    """Makes the forecast of one order; see :meth:`.fulfilment.Fulfilment.forecast`.

    :param order: what would be paid for.
    :param store: keeps its receipt.
    :param resources: see :class:`Resources`.
    """

    def __init__(self, order: Order, store: ReceiptStore, resources: Resources) -> None:
        self._order = order
        self._store = store
        self._resources = resources

    def forecast(self) -> Forecast:
        """Return the forecast."""
        terms = self._resources.terms
        try:
            receipt = self._store.read(self._order.fingerprint)
        except ReceiptUnreadableError as error:
            return _nothing(str(error))
        step = next_step(receipt, self._resources.author, regenerate=terms.regenerate)
        if receipt is None:
            return self._sent("It has not been requested before")
        if step is Step.SEND_AGAIN:
            return self._sent("It is paid for again on purpose (regenerate)")
        if step is Step.SEND:
            return self._sent(f"Its last request was not paid for, or made nothing ({receipt.state.value})")
        if step is Step.LOOK_UP:
            return self._without_answer(receipt)
        if step is Step.CHECK_PICTURES:
            gone = missing_images(receipt, self._resources.delivery, terms.margin)
            if gone:
                return self._sent(f"A picture is no longer there: {why_missing(gone[0])}")
            is_blocked = receipt.state is ReceiptState.BLOCKED
            return replace(_reused("Its pictures were blocked" if is_blocked else _IN_PLACE), blocked=is_blocked)
        if step is Step.READ:
            try:
                sent = understood(self._order, receipt)
                receipt = with_what_was_answered(self._order, receipt, sent, self._resources)
            except UnreadAnswerError as error:
                return _nothing(str(error))
        return self._completed(receipt)

    def _without_answer(self, receipt: Receipt) -> Forecast:
        order, missing = self._order, MissingAnswer(self._order, receipt, self._resources)
        found, on_lost_response = bool(missing.find_images(wait=False)), self._resources.terms.on_lost_response
        step = step_after_lookup(found=found, on_lost_response=on_lost_response)
        if step is Step.COMPLETE:
            return _reused(f"Its answer was lost, but its pictures are at {order.destination(receipt.edition)}")
        problem = f"The answer to its request at {receipt.asked_at} is not there"
        if missing.may_still_come:
            problem += ", but may still come: then it costs nothing more"
        if step is Step.FAIL:
            return _nothing(f"{problem} (on_lost_response='fail')", in_doubt=order.credits)
        return self._sent(problem, in_doubt=order.credits)

    def _completed(self, receipt: Receipt) -> Forecast:
        """Forecast for a paid request: its job's final price, and whether its pictures are still to be had."""
        extra = 0.0
        if receipt.state is ReceiptState.SUBMITTED:
            if self._order.number_of_images and not self._links_have_expired(receipt):
                return _reused(f"Its job {receipt.job_id} is paid for")
            decision = polled(self._order, receipt, self._resources.client)
            if not decision.succeeded or decision.job is None:
                is_paid = decision.state is WaitState.WAIT or decision.is_unread
                return (_reused if is_paid else _nothing)(decision.message)
            own = own_images_of_job(self._order, receipt, decision.job, self._resources)
            receipt, extra = receipt_of_job(self._order, receipt, decision.job, own, self._resources.delivery)
        if self._links_have_expired(receipt) and self._has_lost_pictures(receipt):
            return self._sent("It was paid for, but the links to its pictures have expired", extra=extra)
        return _reused("It is paid for; its pictures are still to be delivered", credits=extra)

    def _links_have_expired(self, receipt: Receipt) -> bool:
        return links_have_expired(receipt, self._resources.delivery.links_expire_at, self._resources.now())

    def _has_lost_pictures(self, receipt: Receipt) -> bool:
        return any(
            image.path is None
            and not image.blocked
            and not self._resources.delivery.can_deliver(self._order, image, receipt.edition)
            for image in receipt.images
        )

    def _sent(self, reason: str, *, extra: float = 0.0, in_doubt: float = 0.0) -> Forecast:
        if self._order.number_of_images == 0:
            reason += ". Only Claid knows how many pictures it is about, and so what it costs"
        return Forecast(self._order.credits + extra, 1, reused=False, in_doubt=in_doubt, reason=reason)


_IN_PLACE = "Its pictures are in place"


def _reused(reason: str, *, credits: float = 0.0) -> Forecast:  # noqa: A002 - Claid's own word
    return Forecast(credits, 0, reused=True, in_doubt=0.0, reason=reason)


def _nothing(reason: str, *, in_doubt: float = 0.0) -> Forecast:
    """Return the forecast of a run that would fail before it sends anything."""
    return Forecast(0.0, 0, reused=False, in_doubt=in_doubt, reason=reason)
