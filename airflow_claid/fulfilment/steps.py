"""What is to be done about an order next, by its receipt: decided here for a run and for its forecast."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum

from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState


class Step(Enum):
    """What is to be done next. Only the first two cost credits."""

    SEND = "send"
    """Send the request: it is not paid for."""
    SEND_AGAIN = "send again"
    """Send a new edition of a request that was, or may have been, paid for."""
    LOOK_UP = "look up"
    """Look for the pictures of a request that has no answer."""
    READ = "read"
    """Read the answer that the receipt keeps."""
    COMPLETE = "complete"
    """Wait for the job, and deliver the pictures."""
    CHECK_PICTURES = "check pictures"
    """Reuse the pictures, if they are still in place."""
    FAIL = "fail"
    """Leave the decision to a person."""


def next_step(receipt: Receipt | None, author: Author, *, regenerate: bool) -> Step:
    """Decide what a receipt asks for.

    :param receipt: ``None`` if there certainly is none.
    :param author: the task that decides.
    :param regenerate: whether it is to pay again on purpose.
    """
    if receipt is None:
        return Step.SEND
    if regenerate and not receipt.author.same_attempt(author):
        return Step.SEND_AGAIN
    if receipt.state is ReceiptState.INTENT:
        return Step.LOOK_UP
    if receipt.state.has_nothing_to_lose:
        return Step.SEND
    if receipt.state.is_final:
        return Step.CHECK_PICTURES
    return Step.READ if receipt.state is ReceiptState.UNREAD else Step.COMPLETE


def step_after_lookup(*, found: bool, on_lost_response: str) -> Step:
    """Decide what to do about a lost answer when its pictures were looked for."""
    if found:
        return Step.COMPLETE
    return Step.FAIL if on_lost_response == "fail" else Step.SEND_AGAIN


def missing_images(receipt: Receipt, delivery: Delivery, margin: timedelta) -> list[DeliveredImage]:
    """Return the delivered pictures that are no longer in place; one of them is enough to request all again."""
    return [image for image in receipt.images if not delivery.is_there(image, margin)]


def why_missing(image: DeliveredImage) -> str:
    """Say why a delivered picture is no longer in place."""
    if image.expires_at:
        return "the temporary link has expired or expires soon"
    return f"{image.path} was removed or replaced"


def links_have_expired(receipt: Receipt, expire_at: Callable[[str | None], str], now: datetime) -> bool:
    """Return whether the links of a request have expired; one that fails before may only be forbidden here.

    :param expire_at: returns when links made at a time expire.
    """
    times = [image.expires_at for image in receipt.images if image.path is None and image.expires_at]
    if not times and receipt.paid_at is not None:
        times = [expire_at(receipt.paid_at)]
    return any(now >= datetime.fromisoformat(time) for time in times)
