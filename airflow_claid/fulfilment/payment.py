"""Payment: from an order to a paid receipt. Nothing is paid for twice.

That holds only if these steps keep their order: read the receipt; reserve the credits; write the intent; send; write
the answer as it came; read it.
"""

from __future__ import annotations

import logging
from datetime import datetime

import tenacity

from airflow_claid.client import Answer, Call, ClaidAnswerUnreadError, ClaidError
from airflow_claid.client.text import shortened
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import UnreadAnswerError
from airflow_claid.fulfilment.kept_answer import KeptAnswer
from airflow_claid.fulfilment.lost_answers import MissingAnswer
from airflow_claid.fulfilment.proof import Turn
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.orders.order import Order, Sent

log = logging.getLogger(__name__)


class _TakenOverError(Exception):
    """Another run sends the request that this one was about to send."""


class Payment:
    """The payment of one order.

    :param order: what to pay for.
    :param store: keeps its receipt.
    :param resources: see :class:`Resources`.
    """

    def __init__(self, order: Order, store: ReceiptStore, resources: Resources) -> None:
        self._order = order
        self._store = store
        self._resources = resources
        self._credits = 0.0
        self.turn: Turn | None = None
        """To be ended when the request's pictures are in place, or cannot be."""

    @property
    def credits(self) -> float:
        """Credits that this execution has spent on the order."""
        return self._credits

    def end_turn(self) -> None:
        """Let the next request of the operation be sent."""
        if self.turn is not None:
            self.turn.end()

    def receipt(self) -> Receipt:
        """Return a paid receipt: the stored one, if it can still be used, or that of a new request."""
        receipt = self._store.read(self._order.fingerprint)
        author = self._resources.author
        if receipt is None:
            return self._pay(edition=1, former=None)
        if self._resources.terms.regenerate and not receipt.author.same_attempt(author):
            log.info("Paying again for %s on purpose (regenerate)", shortened(self._order.subject))
            return self.again(receipt)
        if receipt.state is ReceiptState.INTENT:
            receipt = self._missing_answer(receipt).wait_while_it_may_come(self._store)
        if receipt.state is ReceiptState.INTENT:
            return self._settle_lost_answer(receipt)
        if receipt.state.has_nothing_to_lose:
            return self._pay(edition=receipt.edition, former=receipt)
        if receipt.state.is_final:
            return self._reuse(receipt)
        log.info("Resuming the paid request %s for %s", receipt.request_id, shortened(self._order.subject))
        return self._read(receipt) if receipt.state is ReceiptState.UNREAD else receipt

    def again(self, former: Receipt) -> Receipt:
        """Pay for a new edition of a request that was paid for before; return its receipt."""
        return self._pay(edition=former.edition + 1, former=former)

    def _reuse(self, receipt: Receipt) -> Receipt:
        delivery, margin = self._resources.delivery, self._resources.terms.margin
        gone = [image for image in receipt.images if not delivery.is_there(image, margin)]
        if not gone:
            log.info("Reusing %d paid images for %s: 0 credits", len(receipt.images), shortened(self._order.subject))
            return receipt
        log.warning(
            "%d of %d images for %s are no longer there (%s): requesting them again for %g credits",
            len(gone),
            len(receipt.images),
            shortened(self._order.subject),
            "the temporary link has expired or expires soon"
            if gone[0].expires_at
            else f"{gone[0].path} was removed or replaced",
            self._order.credits,
        )
        return self.again(receipt)

    def _settle_lost_answer(self, receipt: Receipt) -> Receipt:
        """Look up the pictures of a request whose answer is lost; if there are none, pay again or fail."""
        receipt = self._missing_answer(receipt).settle()
        if receipt.state is not ReceiptState.PAID:
            return self.again(receipt)
        self._credits += self._resources.budget.settle(self._order)
        self._store.write(receipt)
        return receipt

    def _missing_answer(self, receipt: Receipt) -> MissingAnswer:
        return MissingAnswer(self._order, receipt, self._resources)

    def _pay(self, *, edition: int, former: Receipt | None) -> Receipt:
        order, client, budget = self._order, self._resources.client, self._resources.budget
        budget.check(order)
        if self.turn is None:
            self.turn = self._resources.proof.take_turn(
                order, budget.check_open, on_purpose=self._resources.terms.regenerate
            )
        call = order.prepared(edition)
        intents: list[Receipt] = []
        with client.send_slot(lambda: self._renew_intent(intents)), budget.reserve(order) as reservation:
            receipt = self._write_intent(edition=edition, former=former)
            intents += [receipt] if receipt else []
            answer = self._send(call, receipt, former) if receipt else None
            if answer is not None:
                self._credits += reservation.charge()
        if receipt is None or answer is None:
            return self.receipt()
        receipt = self._answered(intents[-1], answer)
        self._write_patiently(receipt)
        return self._read(receipt)

    def _write_intent(self, *, edition: int, former: Receipt | None) -> Receipt | None:
        """Record that a request is about to be sent; ``None`` if another run has done so first."""
        order, resources, store = self._order, self._resources, self._store
        destination = order.destination(edition)
        receipt = Receipt(
            fingerprint=order.fingerprint,
            state=ReceiptState.INTENT,
            author=resources.author,
            operation=order.operation,
            base_url=order.base_url,
            subject=order.subject,
            body=order.recorded,
            output=order.place.folder + (order.place.file or ""),
            name=order.name,
            edition=edition,
            lost_answers=former.lost_answers if former else 0,
            credits=former.credits if former else 0.0,
            credits_in_doubt=former.credits_in_doubt if former else 0.0,
            asked_at=resources.now().isoformat(),
            before=resources.delivery.state_of(destination) if destination else None,
        )
        if former is not None:
            kept = store.read(order.fingerprint)
            if kept is not None and not kept.is_same_state(former):
                return None
            store.write(receipt)
        elif not store.create(receipt) and store.read(order.fingerprint) != receipt:
            return None
        return receipt

    def _renew_intent(self, intents: list[Receipt]) -> None:
        """Write a new intent after a long wait for the quota, so that other runs see that this one is alive.

        :raises _TakenOverError: if another run took this one for dead and sends the request itself.
        """
        now = self._resources.now
        for receipt in intents[-1:]:
            asked_at = datetime.fromisoformat(receipt.asked_at or now().isoformat())
            if (now() - asked_at).total_seconds() <= self._resources.terms.grace / 3:
                return
            kept = self._store.read(receipt.fingerprint)
            if kept is not None and not kept.is_same_state(receipt):
                raise _TakenOverError
            intents.append(receipt.evolve(asked_at=now().isoformat()))
            self._store.write(intents[-1])

    def _send(self, call: Call, receipt: Receipt, former: Receipt | None) -> Answer | None:
        """Send a request; record it if it was certainly not charged. ``None`` if another run sends it."""
        try:
            return self._resources.client.send(call)
        except _TakenOverError:
            log.warning("While %s waited for the quota, another run requested it", shortened(self._order.subject))
            return None
        except ClaidError as error:
            if not error.may_have_been_charged:
                paid_before = former is not None and former.state.is_paid
                self._store.write(former if former and paid_before else receipt.evolve(state=ReceiptState.REFUSED))
            raise

    def _answered(self, receipt: Receipt, answer: Answer) -> Receipt:
        """Return the receipt of a request that was answered, and so is paid for, whatever the answer says."""
        kept = KeptAnswer(answer)
        return receipt.evolve(
            state=ReceiptState.UNREAD,
            paid_at=self._resources.now().isoformat(),
            credits=receipt.credits + self._order.credits,
            request_id=answer.request_id,
            answer=kept,
            signed=kept.may_be_signed,
        )

    def _read(self, receipt: Receipt) -> Receipt:
        """Read the answer that a receipt keeps; where it tells nothing, look where its pictures were to be written.

        :raises UnreadAnswerError: if there is nothing to be found; the receipt keeps the answer.
        """
        if receipt.job_id is not None:
            return receipt.evolve(state=ReceiptState.SUBMITTED, answer=None)
        try:
            sent = self._read_answer(receipt)
        except ClaidAnswerUnreadError as error:
            return self._found_in_place_of_answer(receipt, error)
        if sent.job_id is not None:
            receipt = receipt.evolve(state=ReceiptState.SUBMITTED, job_id=sent.job_id, answer=None)
            self._write_patiently(receipt)
            return receipt
        images = sent.images
        if 0 < len(images) < self._order.number_of_images:
            found = self._missing_answer(receipt).find_images(wait=False)
            if len(found) > len(images):
                return receipt.evolve(state=ReceiptState.PAID, images=tuple(found))
        if 0 < self._order.number_of_images < len(images):
            log.warning("The answer for %s names %d pictures", shortened(self._order.subject), len(images))
            images = images[: self._order.number_of_images]
        expires_at = self._resources.delivery.links_expire_at(receipt.paid_at)
        return receipt.evolve(
            state=ReceiptState.PAID,
            images=tuple(
                DeliveredImage.from_answer(position, image).evolve(expires_at=expires_at)
                for position, image in enumerate(images, start=1)
            ),
        )

    def _read_answer(self, receipt: Receipt) -> Sent:
        if receipt.answer is None:
            raise ValueError(f"the receipt {receipt.fingerprint} has no answer, although it was answered")
        answer = receipt.answer.answer
        try:
            return self._order.read(answer)
        except ClaidAnswerUnreadError:
            raise
        except Exception as error:  # noqa: BLE001 - what nobody foresaw must not lose an answer either
            raise ClaidAnswerUnreadError(answer, f"reading it failed ({type(error).__name__})") from None

    def _found_in_place_of_answer(self, receipt: Receipt, error: ClaidAnswerUnreadError) -> Receipt:
        images = self._missing_answer(receipt).find_images(wait=False)
        if not images:
            raise UnreadAnswerError(
                f"Claid answered {error.answer.operation} for {shortened(self._order.subject)} and charged "
                f"{self._order.credits:g} credits, but the answer could not be read: {error.reason}. It is kept in "
                "the receipt and is not requested again: a newer airflow-claid may read it. To pay again, run with "
                f"regenerate=True [request id {error.request_id}]"
            ) from None
        log.warning(
            "The answer for %s could not be read (%s), but its %d images were found at %s",
            shortened(self._order.subject),
            error.reason,
            len(images),
            self._order.destination(receipt.edition),
        )
        return receipt.evolve(state=ReceiptState.PAID, images=tuple(images))

    def _write_patiently(self, receipt: Receipt) -> None:
        """Write a paid receipt, retrying for a minute; if that fails, go on: the pictures are worth more than it."""
        attempts = tenacity.Retrying(
            wait=tenacity.wait_exponential(multiplier=1, max=15),
            stop=tenacity.stop_after_attempt(8),
            sleep=self._resources.sleep,
            before_sleep=lambda state: log.warning(
                "The receipt of the paid request %s could not be written (%s); retrying",
                receipt.request_id,
                state.outcome.exception() if state.outcome else None,
            ),
            reraise=True,
        )
        try:
            attempts(self._store.write, receipt)
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            log.warning(
                "The receipt of the paid request %s could not be written (%s). Its pictures are delivered all the "
                "same. If this try does not end well, the next one knows that they are paid for only if it reads the "
                "second place of receipts",
                receipt.request_id,
                error,
            )
