"""From an answer that a receipt keeps to the pictures or the job in it; nothing is written here.

A picture of another request is never taken for this one's: an answer may have been given to the wrong request, by a
proxy or its cache.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from airflow_claid.client import ClaidAnswerUnreadError, Job, OutputImage
from airflow_claid.client.reading import is_same_prompt
from airflow_claid.client.redaction import without_queries
from airflow_claid.client.text import shortened
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import UnreadAnswerError
from airflow_claid.fulfilment.lost_answers import MissingAnswer
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.orders.order import Order, Sent
from airflow_claid.storage.addresses import is_link

log: logging.Logger = logging.getLogger(__name__)


Understood: TypeAlias = Sent | ClaidAnswerUnreadError | None
"""What an answer says, or why it cannot be read; ``None`` where there is no answer."""


def understood(order: Order, receipt: Receipt) -> Understood:
    """Return what the answer that a receipt keeps says, whichever request it belongs to, or why it cannot be read.

    :returns: ``None`` if the receipt keeps no answer.
    """
    if receipt.answer is None:
        return None
    answer = receipt.answer.answer
    try:
        return order.read(answer)
    except ClaidAnswerUnreadError as error:
        return error
    except Exception as error:  # noqa: BLE001 - what nobody foresaw must not lose an answer either
        return ClaidAnswerUnreadError(answer, f"reading it failed ({type(error).__name__})")


def with_what_was_answered(order: Order, receipt: Receipt, sent: Understood, resources: Resources) -> Receipt:
    """Return a receipt with what its answer says; where that is nothing, look where its pictures were to be written.

    :param sent: see :func:`understood`.
    :returns: the receipt with the pictures, or with the job.
    :raises UnreadAnswerError: if there is nothing to be found; the receipt keeps the answer.
    """
    if receipt.job_id is not None:
        return receipt.evolve(state=ReceiptState.SUBMITTED, answer=None)
    if sent is None:
        raise ValueError(f"the receipt {receipt.fingerprint} has no answer, although it was answered")
    missing = MissingAnswer(order, receipt, resources)
    if receipt.answer is not None and receipt.answer.of_another is not None:
        sent = ClaidAnswerUnreadError(receipt.answer.answer, receipt.answer.of_another)
    if isinstance(sent, ClaidAnswerUnreadError):
        return _found_in_place_of_answer(missing, sent)
    if sent.job_id is not None:
        return receipt.evolve(state=ReceiptState.SUBMITTED, job_id=sent.job_id, answer=None)
    try:
        images = tuple(dict.fromkeys(sent.images)) if sent.proven else _own_images(order, receipt, sent.images)
    except ClaidAnswerUnreadError as error:
        return _found_in_place_of_answer(missing, error)
    if 0 < len(images) < order.number_of_images:
        found = missing.find_images(wait=False)
        if len(found) > len(images):
            return receipt.evolve(state=ReceiptState.PAID, images=tuple(found))
    if 0 < order.number_of_images < len(images):
        log.warning("The answer for %s names %d pictures", shortened(order.subject), len(images))
        images = images[: order.number_of_images]
    return receipt.evolve(state=ReceiptState.PAID, images=resources.delivery.announced(images, receipt.paid_at))


def why_of_another(
    order: Order, receipt: Receipt, sent: Understood, resources: Resources, *, just_sent: bool
) -> str | None:
    """Say why the answer that a receipt keeps is that of another request; ``None`` where nothing shows that it is.

    :param sent: see :func:`understood`.
    :param just_sent: whether the request was sent a moment ago, not in an earlier try.
    """
    if not isinstance(sent, Sent):
        return None
    names = [f"job {sent.job_id}"] if sent.job_id is not None else _names(sent.images)
    if receipt.answer is not None and receipt.answer.of_another is not None:
        resources.claimed.set_aside(order, names)
        return receipt.answer.of_another
    taken = resources.claimed.claim(order, names, just_sent=just_sent)
    return _taken(taken) if taken is not None and not sent.proven else None


def claim_known(order: Order, receipt: Receipt, resources: Resources) -> None:
    """Claim for an order what its receipt names."""
    jobs = [f"job {receipt.job_id}"] if receipt.job_id is not None else []
    resources.claimed.claim(order, [*jobs, *_names(receipt.images)])


def own_images_of_job(order: Order, receipt: Receipt, job: Job, resources: Resources) -> tuple[OutputImage, ...]:
    """Return those of a job's pictures that can be this request's, without those that are named twice."""
    prompt, images = order.repeated_prompt, set(job.outputs)
    if prompt is not None and job.prompt is not None and not is_same_prompt(prompt, job.prompt):
        log.warning("Job %s is about another prompt, %r: its pictures are not used", job.id, shortened(job.prompt))
        return ()
    own = tuple(image for image in dict.fromkeys(job.outputs) if _may_be_own(order, receipt, image))
    taken = resources.claimed.claim(order, _names(own))
    if taken is not None or len(own) < len(images):
        log.warning("The result of job %s names a picture of another request, which is not used", job.id)
    return own if taken is None else ()


def _own_images(order: Order, receipt: Receipt, images: Sequence[OutputImage]) -> tuple[OutputImage, ...]:
    """Return those of the pictures that an answer names that can be this request's, without those named twice."""
    own = tuple(image for image in dict.fromkeys(images) if _may_be_own(order, receipt, image))
    if not own and receipt.answer is not None:
        foreign = without_queries(next(_addresses(images[0])))
        raise ClaidAnswerUnreadError(
            receipt.answer.answer,
            f"it names {foreign}, which is not what this request was to write ({order.destination(receipt.edition)}), "
            "so it may be the answer to another one",
        )
    return own


def _may_be_own(order: Order, receipt: Receipt, image: OutputImage) -> bool:
    addresses = list(_addresses(image))
    if order.destination(receipt.edition) is None:
        return image.tmp_url is not None or is_link(image.object_uri or "")
    return not addresses or any(order.may_have_written(one, receipt.edition) for one in addresses)


def _addresses(image: OutputImage) -> Iterator[str]:
    return (one for one in (image.claid_storage_uri, image.object_uri, image.object_key) if one)


def _names(images: Iterable[OutputImage | DeliveredImage]) -> list[str]:
    """Return the links and addresses of pictures, which no other picture has."""
    return [
        one for image in images for one in (image.tmp_url, image.claid_storage_uri, image.object_uri) if one is not None
    ]


def _taken(name: str) -> str:
    return f"it names {without_queries(name)}, which another request of this task got, so it is the answer to that one"


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
