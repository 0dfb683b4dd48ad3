"""Payment: from an order to a paid receipt. Nothing is paid for twice.

That holds only if these steps keep their order: read the receipt; reserve the credits; write the intent; send; write
the answer as it came; read it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from dataclasses import replace
from datetime import datetime

import tenacity

from airflow_claid.client import Answer, Call, ClaidError
from airflow_claid.client.text import shortened
from airflow_claid.fulfilment.answer_reading import (
    claim_known,
    understood,
    why_of_another,
    with_what_was_answered,
)
from airflow_claid.fulfilment.charges import tell_of_earlier_charges
from airflow_claid.fulfilment.kept_answer import KeptAnswer
from airflow_claid.fulfilment.lost_answers import MissingAnswer
from airflow_claid.fulfilment.proof import Turn
from airflow_claid.fulfilment.receipt import Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import NoReceipts, ReceiptStore
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.fulfilment.steps import Step, missing_images, next_step, why_missing
from airflow_claid.orders.order import Order

log: logging.Logger = logging.getLogger(__name__)


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
        self.found: Receipt | None = None
        """The receipt that there was before, if any."""
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
        terms, author = self._resources.terms, self._resources.author
        receipt = self._store.read(self._order.fingerprint)
        step = next_step(receipt, author, regenerate=terms.regenerate)
        if receipt is None:
            return self._pay(edition=1, former=None)
        if step is Step.LOOK_UP:
            receipt = self._missing_answer(receipt).wait_while_it_may_come(self._store)
            step = next_step(receipt, author, regenerate=False)
        if self.found is None:
            self.found = receipt
            tell_of_earlier_charges(self._resources, self._order, receipt)
        if step is Step.SEND_AGAIN:
            log.info("Paying again for %s on purpose (regenerate)", shortened(self._order.subject))
            return self.again(receipt)
        if step is Step.LOOK_UP:
            return self._settle_lost_answer(receipt)
        if step is Step.SEND:
            return self._pay(edition=receipt.edition, former=receipt)
        claim_known(self._order, receipt, self._resources)
        if step is Step.CHECK_PICTURES:
            return self._reuse(receipt)
        log.info("Resuming the paid request %s for %s", receipt.request_id, shortened(self._order.subject))
        return self._read(receipt) if step is Step.READ else receipt

    def again(self, former: Receipt) -> Receipt:
        """Pay for a new edition of a request that was paid for before; return its receipt."""
        return self._pay(edition=former.edition + 1, former=former)

    def _reuse(self, receipt: Receipt) -> Receipt:
        gone = missing_images(receipt, self._resources.delivery, self._resources.terms.margin)
        if not gone:
            log.debug("Reusing %s, paid for already", shortened(self._order.subject))
            return receipt
        log.warning(
            "%d of %d images for %s are no longer there (%s): requesting them again for %g credits",
            len(gone),
            len(receipt.images),
            shortened(self._order.subject),
            why_missing(gone[0]),
            self._order.credits,
        )
        return self.again(receipt)

    def _settle_lost_answer(self, receipt: Receipt) -> Receipt:
        """Look up the pictures of a request whose answer is lost; if there are none, pay again or fail."""
        receipt = self._missing_answer(receipt).settle()
        if receipt.state is not ReceiptState.PAID:
            return self.again(receipt)
        self._credits += self._resources.budget.settle(self._order, self._request(receipt.edition))
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
        slot, reserved = client.send_slot(lambda: self._renew_intent(intents)), budget.reserve
        with slot, reserved(order, self._request(edition)) as reservation:
            receipt = self._write_intent(edition=edition, former=former)
            intents += [receipt] if receipt else []
            reservation.send()
            answer = self._send(call, receipt, former) if receipt else None
            if answer is not None:
                self._credits += reservation.charge()
        if receipt is None or answer is None:
            return self.receipt()
        receipt = self._answered(intents[-1], answer)
        self._write_patiently(receipt)
        return self._read(receipt, just_sent=True)

    def _request(self, edition: int) -> str:
        """Return what identifies a request under the spend limits: the same in each try of the task instance.

        Where there are no receipts, a try does not know what an earlier one has sent: each reserves for itself.
        """
        author = self._resources.author
        facts = [author.dag_id, author.run_id, author.task_id, author.map_index, self._order.fingerprint, edition]
        if isinstance(self._store, NoReceipts):
            facts.append(uuid.uuid4().hex)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]

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
            fallback_of=order.fallback_of,
            edition=edition,
            lost_answers=former.lost_answers if former else 0,
            credits=former.credits if former else 0.0,
            credits_in_doubt=former.credits_in_doubt if former else 0.0,
            earlier=former.charges if former else (),
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

    def _read(self, receipt: Receipt, *, just_sent: bool = False) -> Receipt:
        """Read the answer that a receipt keeps, and write down the job in it.

        :param just_sent: whether the answer has just come.
        :raises UnreadAnswerError: if there is nothing to be found; the receipt keeps the answer.
        """
        sent = understood(self._order, receipt)
        of_another = why_of_another(self._order, receipt, sent, self._resources, just_sent=just_sent)
        if receipt.answer is not None and of_another != receipt.answer.of_another:
            receipt = receipt.evolve(answer=replace(receipt.answer, of_another=of_another))
            self._write_patiently(receipt)
        read = with_what_was_answered(self._order, receipt, sent, self._resources)
        if read.job_id != receipt.job_id:
            self._write_patiently(read)
        return read

    def _write_patiently(self, receipt: Receipt) -> None:
        """Write a paid receipt, retrying for a minute; if that fails, go on: the pictures are worth more than it."""
        try:
            self._store.write(receipt)
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            self._write_again(receipt, error)

    def _write_again(self, receipt: Receipt, failure: Exception) -> None:
        """Retry to write a paid receipt.

        :param failure: of the first attempt.
        """
        failures = [failure]

        def write() -> None:
            if failures:
                raise failures.pop()
            self._store.write(receipt)

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
            attempts(write)
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            log.warning(
                "The receipt of the paid request %s could not be written (%s). Its pictures are delivered all the "
                "same. If this try does not end well, the next one knows that they are paid for only if it reads the "
                "second place of receipts",
                receipt.request_id,
                error,
            )
