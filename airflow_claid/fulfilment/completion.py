"""Completion: from a paid receipt to pictures in their place.

The receipt is rewritten after each step, so that a new attempt resumes from there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_claid.client import ClaidError, Job, OutputImage
from airflow_claid.client.text import shortened
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.errors import UnreadAnswerError
from airflow_claid.fulfilment.answer_reading import own_images_of_job
from airflow_claid.fulfilment.lost_answers import MissingAnswer
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptsOfOneRequest, ReceiptStore
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.orders.order import Order
from airflow_claid.waiting.decision import WaitState
from airflow_claid.waiting.jobs import JobDecision, decide, pause

if TYPE_CHECKING:
    from airflow_claid.client import ClaidClient

log: logging.Logger = logging.getLogger(__name__)


class JobRunningError(Exception):
    """A job has not ended, and the thread does other work instead of waiting for it.

    :param failures: how many polls in a row have failed.
    """

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures


class Completion:
    """The completion of one paid order.

    :param order: what was paid for.
    :param store: keeps its receipt.
    :param receipt: the paid receipt.
    :param resources: see :class:`Resources`.
    :param waits: whether to wait for a job; if not, it is polled once.
    :param failures: how many polls in a row failed before.
    """

    def __init__(
        self,
        order: Order,
        store: ReceiptStore,
        receipt: Receipt,
        resources: Resources,
        *,
        waits: bool = True,
        failures: int = 0,
    ) -> None:
        self._order = order
        self._store = ReceiptsOfOneRequest(store, receipt) if receipt.job_id is not None else store
        self._receipt = receipt
        self._resources = resources
        self._waits = waits
        self._failures = failures
        self._credits = 0.0

    @property
    def credits(self) -> float:
        """The difference between the order's final price and the price known when it was sent."""
        return self._credits

    def receipt(self, deadline: datetime) -> Receipt:
        """Wait for the job, if there is one, deliver the pictures, and return the receipt.

        :param deadline: when to stop waiting for a job.
        :raises JobRunningError: if the job has not ended, and is not to be waited for here.
        """
        receipt = self._receipt
        if receipt.state is ReceiptState.UNREAD and receipt.job_id is not None:
            receipt = receipt.evolve(state=ReceiptState.SUBMITTED, answer=None)
        if receipt.state is ReceiptState.SUBMITTED:
            receipt = self._await_job(receipt, deadline)
        if receipt.state is ReceiptState.PAID:
            receipt = self._deliver(receipt)
        return receipt

    def _await_job(self, receipt: Receipt, deadline: datetime) -> Receipt:
        """Poll a job until it ends, and record its result."""
        decision = self._wait_for_job(receipt, deadline)
        own = own_images_of_job(self._order, receipt, decision.job, self._resources) if decision.job else ()
        if decision.succeeded and decision.job is not None and own:
            kept = self._store.read(self._order.fingerprint)
            if kept is not None and kept.state.is_final and kept.edition >= receipt.edition:
                log.info("Another run has delivered the pictures for %s", shortened(self._order.subject))
                self._add_to_cost(kept.credits - receipt.credits if kept.is_of_same_request(receipt) else 0.0)
                return kept
            receipt, extra = receipt_of_job(self._order, receipt, decision.job, own, self._resources.delivery)
            self._add_to_cost(extra)
            self._store.write(receipt)
        elif (decision.is_unread or decision.succeeded) and decision.job is not None:
            receipt = self._with_pictures_found(receipt, decision.job)
            self._store.write(receipt)
            return receipt
        elif decision.state is WaitState.ENDED:
            self._store.write(receipt.evolve(state=ReceiptState.FAILED))
        decision.raise_if_fruitless()
        return receipt

    def _wait_for_job(self, receipt: Receipt, deadline: datetime) -> JobDecision:
        """Poll a job until it ends or the deadline passes."""
        now = self._resources.now
        decision = JobDecision(WaitState.WAIT, "", self._failures)
        polls = 0
        while True:
            last_message = decision.message
            overdue = now() >= deadline
            decision = polled(self._order, receipt, self._resources.client, decision.failures, overdue=overdue)
            if decision.state is not WaitState.WAIT:
                return decision
            if not self._waits:
                raise JobRunningError(decision.failures)
            if decision.message != last_message:
                log.info("%s", decision.message)
            left = (deadline - now()).total_seconds()
            self._resources.sleep(pause(polls, self._resources.terms.poll_interval, left))
            polls += 1

    def _with_pictures_found(self, receipt: Receipt, job: Job) -> Receipt:
        """Return the receipt of a job whose result tells nothing, with the pictures that are at its destination.

        :raises UnreadAnswerError: if there are none; a later try polls the job again and pays nothing.
        """
        images = MissingAnswer(self._order, receipt, self._resources).find_images(wait=False)
        if not images:
            problem = "names what another request made" if job.outputs else "holds no link to a picture"
            raise UnreadAnswerError(
                f"Job {job.id} for {shortened(receipt.subject)} is {job.status}, but its result could not be read: it "
                f"{problem}. It is not requested again: a later try, or a newer airflow-claid, may read it. To pay "
                "again, run with regenerate=True"
            )
        return receipt.evolve(state=ReceiptState.PAID, images=tuple(images))

    def _add_to_cost(self, extra: float) -> None:
        self._resources.budget.add(self._order, extra)
        self._credits += extra

    def _deliver(self, receipt: Receipt) -> Receipt:
        order, delivery = self._order, self._resources.delivery
        if len(receipt.images) < order.number_of_images:
            log.warning(
                "Claid made %d of %d images for %s",
                len(receipt.images),
                order.number_of_images,
                shortened(order.subject),
            )
        failures: list[Exception] = []
        for image in receipt.images:
            if image.path is not None or image.blocked:
                continue
            try:
                delivered = delivery.deliver(order, image, receipt.edition)
            except Exception as error:  # noqa: BLE001 - one picture must not lose the others
                failures.append(error)
                continue
            images = (other if other.position != image.position else delivered for other in receipt.images)
            receipt = receipt.evolve(images=tuple(images))
            if len(receipt.images) > 1 and order.place.is_written_by_airflow:
                self._store.write(receipt)
        if failures:
            raise failures[0]
        signed = receipt.signed
        blocked = bool(receipt.images) and all(image.blocked for image in receipt.images)
        receipt = receipt.evolve(
            state=ReceiptState.BLOCKED if blocked else ReceiptState.DELIVERED,
            delivered_at=self._resources.now().isoformat(),
            answer=None,
            signed=False,
        )
        self._store.write(receipt, replace=signed)
        destination = order.destination(receipt.edition)
        if order.landing and destination:
            delivery.clear_landing(destination)
        return receipt


def polled(
    order: Order, receipt: Receipt, client: ClaidClient, failures: int = 0, *, overdue: bool = False
) -> JobDecision:
    """Poll the job that a receipt waits for, and decide what to do then.

    :param failures: how many polls in a row failed before.
    :param overdue: whether the time to wait is over.
    """
    kind, job_id = order.job_kind, receipt.job_id
    if kind is None or job_id is None:
        raise ValueError(f"the receipt {receipt.fingerprint} waits for a job but names none")
    name = f"Job {job_id} ({kind.value}) for {shortened(receipt.subject)}"
    answer: Job | Exception
    try:
        answer = client.get_job(kind, job_id)
    except ClaidError as error:
        answer = error
    return decide(name, answer, failures=failures, overdue=overdue)


def receipt_of_job(
    order: Order, receipt: Receipt, job: Job, own: Sequence[OutputImage], delivery: Delivery
) -> tuple[Receipt, float]:
    """Return the receipt with a job's pictures, and by how much it cost more than was known when it was sent.

    :param own: those of its pictures that are used.
    """
    images = delivery.announced(own, receipt.paid_at)
    extra = order.credits_when_done(len(job.outputs) + len(job.errors or ())) - order.credits
    if job.errors:
        log.warning("Job %s made %d pictures, and failed for others: %s", job.id, len(images), job.reasons)
    paid = receipt.evolve(
        state=ReceiptState.PAID,
        images=images,
        signed=receipt.signed or any("?" in (image.tmp_url or "") for image in images),
        credits=receipt.credits + extra,
        reasons=tuple(error.reason for error in job.errors or ()),
    )
    return paid, extra
