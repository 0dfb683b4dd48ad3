"""Fulfilment: the one path from an order to its pictures, on which nothing that is paid is paid again.

The order of steps is the rule of money and must not be relaxed: read the receipt; write the intent; send; write
the answer; bring the pictures to their place one by one; write the receipt anew after each. A new attempt reads
the receipt and goes on from where the last one stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import tenacity

from airflow_claid.client import ClaidAnswerLostError, ClaidClient, ClaidError, Job, JobKind
from airflow_claid.client.text import shortened
from airflow_claid.delivery.delivery import TEMPORARY_LIFE, Delivery
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import DeadLinkError
from airflow_claid.fulfilment.budget import check_ceiling
from airflow_claid.fulfilment.lost_answers import MissingAnswer
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptsOfOneRequest, ReceiptStore
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.order import Order, Sent
from airflow_claid.storage.places import PlaceKind
from airflow_claid.waiting.jobs import JobDecision, Waiting, decide, pause

log = logging.getLogger(__name__)


_ENDED = (ReceiptState.DELIVERED, ReceiptState.BLOCKED)
_PAID = (ReceiptState.SUBMITTED, ReceiptState.PAID, *_ENDED)


class _TakenOverError(Exception):
    """Another run asks for what this one was about to ask for."""


def utc_now() -> datetime:
    """Tell the time, in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Fulfilled:
    """What became of an order.

    :param images: all pictures of the order, blocked ones included.
    :param credits: what this execution spent on it; 0 where it was paid before.
    :param request_id: Claid's, of the request that made the pictures.
    :param charged: what it has cost in all, in this execution and before, as far as is known.
    :param in_doubt: how much of that was asked for by requests whose answer is lost, which may not have been charged.
    :param reasons: what Claid said of the pictures that it could not make.
    """

    order: Order
    images: tuple[DeliveredImage, ...]
    credits: float
    request_id: str | None
    charged: float
    in_doubt: float
    reasons: tuple[str, ...] = ()


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


@dataclass
class Fulfilment:
    """Fulfils orders for one task.

    :param client: Claid.
    :param delivery: brings pictures to their place.
    :param receipts: gives the store for an order's receipt.
    :param author: the task, for the receipts.
    :param terms: see :class:`Terms`.
    :param sleep: waits so many seconds.
    :param now: the time, in UTC.
    :param before_paying: is asked right before an order is paid, and may raise to prevent it.
    :param before_waiting: is asked before each wait for an answer that may still come (another run's, or one that
        seems lost), and may raise to do something else meanwhile: fulfilling the order anew goes on from there.
    """

    client: ClaidClient
    delivery: Delivery
    receipts: Callable[[Order], ReceiptStore]
    author: Author
    terms: Terms = field(default_factory=Terms)
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = utc_now
    before_paying: Callable[[Order], object] = lambda _: None
    before_waiting: Callable[[], object] = lambda: None
    spent: float = 0.0

    def fulfil(self, order: Order) -> Fulfilled:
        """Give an order's pictures, paid for once.

        Raises what :meth:`begin` and :meth:`complete` raise.
        """
        return self.complete(self.begin(order))

    def begin(self, order: Order) -> Begun:
        """See to it that an order is paid: by a receipt that is there, or by sending it.

        :raises ClaidError: if Claid refused or failed; the receipt knows whether it may have been paid.
        :raises ReceiptUnreadableError: if a receipt may exist but cannot be read; nothing was sent.
        :raises LostAnswerError: if an answer is lost and ``on_lost_response`` is ``"fail"``.
        :raises CreditCeilingError: if sending it would pass ``max_credits``.
        """
        spent_before = self.spent
        store = self.receipts(order)
        receipt = self._paid_receipt(order, store)
        return Begun(order, store, receipt, self.spent - spent_before)

    def resume(self, order: Order, receipt: Receipt, spent: float) -> Begun:
        """Go on with an order that was begun in another process of the same try.

        :param receipt: as it was then; one that is kept of the same request, and has come as far, goes first.
        :param spent: credits that this try has spent on it.
        """
        store = self.receipts(order)
        kept = store.read(order.fingerprint)
        further = kept is not None and kept.is_of_same_request(receipt) and kept.state in _PAID
        return Begun(order, store, kept if kept is not None and further else receipt, spent)

    def complete(self, begun: Begun, deadline: datetime | None = None) -> Fulfilled:
        """Wait for a paid order's job, if it has one, and bring its pictures to their place.

        :param deadline: until when to wait for a job; by default for the terms' ``timeout`` from now.
        :raises PictureError: if a picture could not be brought to its place; a retry pays nothing again.
        :raises JobFailedError: if Claid ended the job without a result.
        :raises JobTimeoutError: if the job takes longer than that; a retry waits for the same job.
        """
        deadline = deadline or self.now() + timedelta(seconds=self.terms.timeout)
        order, store, receipt, cost = begun.order, begun.store, begun.receipt, begun.credits
        spent_before = self.spent
        try:
            receipt = self._completed(order, receipt, store, deadline)
        except DeadLinkError as error:
            latest = store.read(order.fingerprint)
            if latest is not None and latest.state in _ENDED:
                return self._fulfilled(order, latest, cost)
            if cost > 0:
                raise
            log.warning("%s. What it gave is lost: asking Claid again for %g credits", error, order.credits)
            former = latest if latest is not None and latest.is_of_same_request(receipt) else receipt
            receipt = self._pay(order, store, edition=former.edition + 1, former=former)
            receipt = self._completed(order, receipt, store, deadline)
        return self._fulfilled(order, receipt, cost + self.spent - spent_before)

    @staticmethod
    def _fulfilled(order: Order, receipt: Receipt, cost: float) -> Fulfilled:
        images = tuple(_as_addressed(order, image) for image in receipt.images)
        return Fulfilled(
            order, images, cost, receipt.request_id, receipt.credits, receipt.credits_in_doubt, receipt.reasons
        )

    def _paid_receipt(self, order: Order, store: ReceiptStore) -> Receipt:
        """Give a receipt that is paid: the one that is there, where it still serves, or that of a new request."""
        receipt = store.read(order.fingerprint)
        if receipt is None:
            return self._pay(order, store, edition=1, former=None)
        if self.terms.regenerate and not receipt.author.same_attempt(self.author):
            log.info("Paying again for %s on purpose (regenerate)", shortened(order.subject))
            return self._pay(order, store, edition=receipt.edition + 1, former=receipt)
        if receipt.state is ReceiptState.INTENT and not receipt.author.same_attempt(self.author):
            receipt = self._missing_answer(order, receipt).of_other_run(store)
        if receipt.state is ReceiptState.INTENT:
            return self._settle_lost_answer(order, receipt, store)
        if receipt.state in (ReceiptState.REFUSED, ReceiptState.FAILED):
            return self._pay(order, store, edition=receipt.edition, former=receipt)
        if receipt.state in (ReceiptState.DELIVERED, ReceiptState.BLOCKED):
            return self._reused(order, receipt, store)
        log.info("Going on with the paid request %s for %s", receipt.request_id, shortened(order.subject))
        return receipt

    def _completed(self, order: Order, receipt: Receipt, store: ReceiptStore, deadline: datetime) -> Receipt:
        """Bring a paid receipt to its end."""
        if order.job_kind is not None:
            store = ReceiptsOfOneRequest(store, receipt)
        if receipt.state is ReceiptState.SUBMITTED:
            receipt = self._await_job(order, receipt, store, deadline)
        if receipt.state is ReceiptState.PAID:
            receipt = self._deliver(order, receipt, store)
        return receipt

    def _reused(self, order: Order, receipt: Receipt, store: ReceiptStore) -> Receipt:
        gone = [image for image in receipt.images if not self.delivery.is_there(image, self.terms.margin)]
        if not gone:
            log.info("Reusing %d paid images for %s: 0 credits", len(receipt.images), shortened(order.subject))
            return receipt
        log.warning(
            "%d of %d images for %s are no longer there (%s): asking Claid again for %g credits",
            len(gone),
            len(receipt.images),
            shortened(order.subject),
            "the temporary link is dead or dies soon"
            if gone[0].expires_at
            else f"{gone[0].path} was removed or replaced",
            order.credits,
        )
        return self._pay(order, store, edition=receipt.edition + 1, former=receipt)

    def _pay(self, order: Order, store: ReceiptStore, *, edition: int, former: Receipt | None) -> Receipt:
        check_ceiling(order, self.spent, self.terms.max_credits)
        send = order.prepared(edition)
        announced: list[Receipt] = []
        with self.client.send_slot(lambda: self._still_asking(store, announced)):
            self.before_paying(order)
            receipt = self._announced(order, store, edition=edition, former=former)
            announced += [receipt] if receipt else []
            sent = self._sent(order, store, receipt, former, send) if receipt else None
        if receipt is None or sent is None:
            return self._paid_receipt(order, store)
        if not sent.images and sent.job_id is None:
            raise ClaidAnswerLostError(
                f"{order.operation} for {shortened(order.subject)} was answered without a picture. It may have been "
                f"charged [request id {sent.request_id}]",
                request_id=sent.request_id,
            )
        receipt = self._answered(announced[-1], order, sent)
        self._write_patiently(store, receipt)
        return receipt

    def _announced(self, order: Order, store: ReceiptStore, *, edition: int, former: Receipt | None) -> Receipt | None:
        """Write down that a request is about to be sent; ``None`` where another run has done so first."""
        destination = order.destination(edition)
        receipt = Receipt(
            fingerprint=order.fingerprint,
            state=ReceiptState.INTENT,
            author=self.author,
            operation=order.operation,
            base_url=order.base_url,
            subject=order.subject,
            body=order.body,
            output=order.place.folder + (order.place.file or ""),
            name=order.name,
            edition=edition,
            lost_answers=former.lost_answers if former else 0,
            credits=former.credits if former else 0.0,
            credits_in_doubt=former.credits_in_doubt if former else 0.0,
            asked_at=self.now().isoformat(),
            before=self.delivery.state_of(destination) if destination else None,
        )
        if former is not None:
            kept = store.read(order.fingerprint)
            if kept is not None and not _is_same_state(kept, former):
                return None
            store.write(receipt)
        elif not store.create(receipt) and store.read(order.fingerprint) != receipt:
            return None
        return receipt

    def _still_asking(self, store: ReceiptStore, announced: list[Receipt]) -> None:
        """Tell other runs, after a long wait for the quota, that this one is still asking.

        :raises _TakenOverError: if another run has taken this one for dead, and asks itself.
        """
        for receipt in announced[-1:]:
            asked = datetime.fromisoformat(receipt.asked_at or self.now().isoformat())
            if (self.now() - asked).total_seconds() <= self.terms.grace / 3:
                return
            kept = store.read(receipt.fingerprint)
            if kept is not None and not _is_same_state(kept, receipt):
                raise _TakenOverError
            announced.append(receipt.evolve(asked_at=self.now().isoformat()))
            store.write(announced[-1])

    def _sent(
        self,
        order: Order,
        store: ReceiptStore,
        receipt: Receipt,
        former: Receipt | None,
        send: Callable[[ClaidClient], Sent],
    ) -> Sent | None:
        """Send a request; where it was surely not paid, its receipt says so. ``None`` if another run sends it."""
        try:
            return send(self.client)
        except _TakenOverError:
            log.warning("While %s waited for the quota, another run asked for it", shortened(order.subject))
            return None
        except ClaidError as error:
            if not error.may_have_been_charged:
                paid_before = former is not None and former.state in _PAID
                store.write(former if former and paid_before else receipt.evolve(state=ReceiptState.REFUSED))
            raise

    def _add_to_spent(self, more: float) -> None:
        self.spent += more

    def _write_patiently(self, store: ReceiptStore, receipt: Receipt) -> None:
        """Write down what is paid, again and again for a minute: without it the next try pays again."""
        try:
            store.write(receipt)
        except Exception as error:  # noqa: BLE001 - each storage fails in a way of its own, and any may pass
            log.warning("The receipt of a paid request could not be written (%s)", error)
        else:
            return
        attempts = tenacity.Retrying(
            wait=tenacity.wait_exponential(multiplier=1, max=15),
            stop=tenacity.stop_after_attempt(7),
            sleep=self.sleep,
            before_sleep=lambda state: log.warning(
                "The receipt of the paid request %s could not be written (%s); trying again",
                receipt.request_id,
                state.outcome.exception() if state.outcome else None,
            ),
            reraise=True,
        )
        attempts(store.write, receipt)

    def _answered(self, receipt: Receipt, order: Order, sent: Sent) -> Receipt:
        self._add_to_spent(order.credits)
        return receipt.evolve(
            state=ReceiptState.SUBMITTED if sent.job_id is not None else ReceiptState.PAID,
            paid_at=self.now().isoformat(),
            credits=receipt.credits + order.credits,
            request_id=sent.request_id,
            job_id=sent.job_id,
            images=tuple(
                DeliveredImage.from_answer(position, image).evolve(expires_at=self._death_of_links(None))
                for position, image in enumerate(sent.images, start=1)
            ),
        )

    def _settle_lost_answer(self, order: Order, receipt: Receipt, store: ReceiptStore) -> Receipt:
        """Take over the pictures of a request whose answer is lost; where none are found, do as the terms say."""
        receipt = self._missing_answer(order, receipt).settled()
        if receipt.state is not ReceiptState.PAID:
            return self._pay(order, store, edition=receipt.edition + 1, former=receipt)
        store.write(receipt)
        return receipt

    def _missing_answer(self, order: Order, receipt: Receipt) -> MissingAnswer:
        return MissingAnswer(order, receipt, self.delivery, self.terms, self.sleep, self.now, self.before_waiting)

    def _await_job(self, order: Order, receipt: Receipt, store: ReceiptStore, deadline: datetime) -> Receipt:
        """Poll at a job until it ends, and write down what it made."""
        kind, job_id = order.job_kind, receipt.job_id
        if kind is None or job_id is None:
            raise ValueError(f"the receipt {receipt.fingerprint} waits for a job, but names none")
        name = f"Job {job_id} ({kind.value}) for {shortened(receipt.subject)}"
        decision = JobDecision(Waiting.WAIT, "")
        polls = 0
        while True:
            seen = self._look(kind, job_id)
            said = decision.message
            decision = decide(name, seen, failures=decision.failures, overdue=self.now() >= deadline)
            if decision.waiting is not Waiting.WAIT:
                break
            if decision.message != said:
                log.info("%s", decision.message)
            left = (deadline - self.now()).total_seconds()
            self.sleep(pause(polls, self.terms.poll_interval, left))
            polls += 1
        if decision.succeeded and decision.job is not None:
            kept = store.read(order.fingerprint)
            if kept is not None and kept.state in _ENDED and kept.edition >= receipt.edition:
                log.info("Another run has brought the pictures for %s to their place", shortened(order.subject))
                self._add_to_spent(kept.credits - receipt.credits if kept.is_of_same_request(receipt) else 0.0)
                return kept
            receipt = self._made(order, receipt, decision.job)
            store.write(receipt)
        elif decision.waiting is Waiting.ENDED:
            store.write(receipt.evolve(state=ReceiptState.FAILED))
        decision.raise_if_fruitless()
        return receipt

    def _look(self, kind: JobKind, job_id: int) -> Job | Exception:
        try:
            return self.client.get_job(kind, job_id)
        except ClaidError as error:
            return error

    def _made(self, order: Order, receipt: Receipt, job: Job) -> Receipt:
        """Take over what a job made; where the price depends on it, that is known only now."""
        images = tuple(
            DeliveredImage.from_answer(position, output).evolve(expires_at=self._death_of_links(receipt.paid_at))
            for position, output in enumerate(job.outputs, start=1)
        )
        more = order.credits_when_done(len(job.outputs) + len(job.errors or ())) - order.credits
        self._add_to_spent(more)
        if job.errors:
            log.warning("Job %s made %d, and said: %s", job.id, len(images), job.reasons)
        return receipt.evolve(
            state=ReceiptState.PAID,
            images=images,
            credits=receipt.credits + more,
            reasons=tuple(error.reason for error in job.errors or ()),
        )

    def _death_of_links(self, made_at: str | None) -> str:
        """Tell when temporary links die; for a job at the earliest, for nobody says when it made them."""
        made = datetime.fromisoformat(made_at) if made_at else self.now()
        return (made + TEMPORARY_LIFE).isoformat()

    def _deliver(self, order: Order, receipt: Receipt, store: ReceiptStore) -> Receipt:
        if len(receipt.images) < order.number_of_images:
            log.warning(
                "Claid gave %d of %d images for %s",
                len(receipt.images),
                order.number_of_images,
                shortened(order.subject),
            )
        for image in receipt.images:
            if image.path is not None or image.blocked:
                continue
            delivered = self.delivery.deliver(order, image)
            others = (other if other.position != image.position else delivered for other in receipt.images)
            receipt = receipt.evolve(images=tuple(others))
            if len(receipt.images) > 1 and order.place.kind is PlaceKind.OBJECT_STORAGE:
                store.write(receipt)
        blocked = bool(receipt.images) and all(image.blocked for image in receipt.images)
        receipt = receipt.evolve(
            state=ReceiptState.BLOCKED if blocked else ReceiptState.DELIVERED, delivered_at=self.now().isoformat()
        )
        store.write(receipt)
        destination = order.destination(receipt.edition)
        if order.landing and destination:
            self.delivery.clear_landing(destination)
        return receipt


def _is_same_state(kept: Receipt, receipt: Receipt) -> bool:
    """Whether a receipt is still the one that was written, and nobody has written another since."""
    one, other = ((each.state, each.author, each.edition, each.asked_at) for each in (kept, receipt))
    return one == other


def _as_addressed(order: Order, image: DeliveredImage) -> DeliveredImage:
    """Give a picture's path by the connection that this order uses, not by the one of the run that paid."""
    if order.place.kind is not PlaceKind.OBJECT_STORAGE or image.path is None:
        return image
    return image.evolve(path=order.place.folder + order.file_name(image.position))
