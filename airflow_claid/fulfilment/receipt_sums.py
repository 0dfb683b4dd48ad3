"""What receipts say that was spent, by day and operation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timezone, tzinfo

from airflow_claid.client.prices import price_of
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState


@dataclass(frozen=True)
class Cost:
    """What requests have cost.

    :param credits: those that were charged, as far as is known.
    :param credits_in_doubt: those that may have been charged besides, for requests whose answer is lost.
    :param unknown: how many lost requests have a price that only Claid knows; it is not in ``credits_in_doubt``.
    """

    credits: float = 0.0
    credits_in_doubt: float = 0.0
    unknown: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.credits + other.credits,
            self.credits_in_doubt + other.credits_in_doubt,
            self.unknown + other.unknown,
        )


@dataclass(frozen=True)
class Sum:
    """What the receipts of a day and an operation say.

    :param receipts: how many there are.
    :param images: usable pictures that were delivered.
    :param blocked_images: pictures that the content filter blocked.
    :param blocked: receipts all of whose pictures it blocked.
    :param failed: receipts of jobs that ended without a picture.
    :param in_doubt: receipts with an answer that is, or was, lost.
    :param cost: of all of them.
    :param cost_of_blocked: the part of it for ``blocked``.
    """

    receipts: int = 0
    images: int = 0
    blocked_images: int = 0
    blocked: int = 0
    failed: int = 0
    in_doubt: int = 0
    cost: Cost = Cost()
    cost_of_blocked: Cost = Cost()

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.receipts + other.receipts,
            self.images + other.images,
            self.blocked_images + other.blocked_images,
            self.blocked + other.blocked,
            self.failed + other.failed,
            self.in_doubt + other.in_doubt,
            self.cost + other.cost,
            self.cost_of_blocked + other.cost_of_blocked,
        )


def cost_of(receipt: Receipt) -> Cost:
    """Return what a request has cost, in all the times that it was sent."""
    lost, unknown = 0.0, 0
    if receipt.state is ReceiptState.INTENT:
        price = price_of(receipt.operation, receipt.body)
        lost, unknown = price or 0.0, price is None
    in_doubt = receipt.credits_in_doubt
    return Cost(receipt.credits - in_doubt, in_doubt + lost, int(unknown))


def day_of(receipt: Receipt, timezone_of_days: tzinfo = timezone.utc) -> date | None:
    """Return the day on which a request was paid for the last time, or else sent."""
    moment = receipt.paid_at or receipt.asked_at
    return None if moment is None else datetime.fromisoformat(moment).astimezone(timezone_of_days).date()


def sums_of(receipts: Iterable[Receipt], timezone_of_days: tzinfo = timezone.utc) -> dict[tuple[date | None, str], Sum]:
    """Add receipts up, by the day on which they were paid for and their operation; in this order.

    A request that was paid for several times counts on the day of the last.
    """
    sums: dict[tuple[date | None, str], Sum] = {}
    for receipt in receipts:
        key = (day_of(receipt, timezone_of_days), receipt.operation)
        sums[key] = sums.get(key, Sum()) + _sum_of(receipt)
    return dict(sorted(sums.items(), key=lambda item: (item[0][0] or date.min, item[0][1])))


def _sum_of(receipt: Receipt) -> Sum:
    cost, is_blocked = cost_of(receipt), receipt.state is ReceiptState.BLOCKED
    return Sum(
        receipts=1,
        images=sum(image.usable for image in receipt.images),
        blocked_images=sum(image.blocked is True for image in receipt.images),
        blocked=int(is_blocked),
        failed=int(receipt.state is ReceiptState.FAILED),
        in_doubt=int(bool(cost.credits_in_doubt or cost.unknown)),
        cost=cost,
        cost_of_blocked=cost if is_blocked else Cost(),
    )
