"""From an answer that a receipt keeps to the pictures or the job in it; nothing is written here."""

from __future__ import annotations

import logging

from airflow_claid.client import ClaidAnswerUnreadError
from airflow_claid.client.text import shortened
from airflow_claid.errors import UnreadAnswerError
from airflow_claid.fulfilment.lost_answers import MissingAnswer
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.orders.order import Order, Sent

log = logging.getLogger(__name__)


def read_kept_answer(order: Order, receipt: Receipt, resources: Resources) -> Receipt:
    """Read the answer that a receipt keeps; where it tells nothing, look where its pictures were to be written.

    :returns: the receipt with the pictures, or with the job.
    :raises UnreadAnswerError: if there is nothing to be found; the receipt keeps the answer.
    """
    if receipt.job_id is not None:
        return receipt.evolve(state=ReceiptState.SUBMITTED, answer=None)
    missing = MissingAnswer(order, receipt, resources)
    try:
        sent = _read(order, receipt)
    except ClaidAnswerUnreadError as error:
        return _found_in_place_of_answer(missing, error)
    if sent.job_id is not None:
        return receipt.evolve(state=ReceiptState.SUBMITTED, job_id=sent.job_id, answer=None)
    images = sent.images
    if 0 < len(images) < order.number_of_images:
        found = missing.find_images(wait=False)
        if len(found) > len(images):
            return receipt.evolve(state=ReceiptState.PAID, images=tuple(found))
    if 0 < order.number_of_images < len(images):
        log.warning("The answer for %s names %d pictures", shortened(order.subject), len(images))
        images = images[: order.number_of_images]
    return receipt.evolve(state=ReceiptState.PAID, images=resources.delivery.announced(images, receipt.paid_at))


def _read(order: Order, receipt: Receipt) -> Sent:
    if receipt.answer is None:
        raise ValueError(f"the receipt {receipt.fingerprint} has no answer, although it was answered")
    answer = receipt.answer.answer
    try:
        return order.read(answer)
    except ClaidAnswerUnreadError:
        raise
    except Exception as error:  # noqa: BLE001 - what nobody foresaw must not lose an answer either
        raise ClaidAnswerUnreadError(answer, f"reading it failed ({type(error).__name__})") from None


def _found_in_place_of_answer(missing: MissingAnswer, error: ClaidAnswerUnreadError) -> Receipt:
    order, receipt, images = missing.order, missing.receipt, missing.find_images(wait=False)
    if not images:
        raise UnreadAnswerError(
            f"Claid answered {error.answer.operation} for {shortened(order.subject)} and charged "
            f"{order.credits:g} credits, but the answer could not be read: {error.reason}. It is kept in "
            "the receipt and is not requested again: a newer airflow-claid may read it. To pay again, run with "
            f"regenerate=True [request id {error.request_id}]"
        ) from None
    log.warning(
        "The answer for %s could not be read (%s), but its %d images were found at %s",
        shortened(order.subject),
        error.reason,
        len(images),
        order.destination(receipt.edition),
    )
    return receipt.evolve(state=ReceiptState.PAID, images=tuple(images))
