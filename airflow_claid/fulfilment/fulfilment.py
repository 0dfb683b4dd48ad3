"""Fulfilment: the one path from an order to its pictures, on which nothing is paid for twice.

Payment (:mod:`.payment`) and completion (:mod:`.completion`) are separate, so that a task can submit all its jobs
before it waits for the first, and can wait for them in another process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_claid.client.values import without_nulls
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import DeadLinkError, PictureError, PictureNotFoundError, UnreadAnswerError
from airflow_claid.fulfilment.charges import is_paid_by_another, tell_of_earlier_charges
from airflow_claid.fulfilment.completion import Completion, JobRunningError
from airflow_claid.fulfilment.forecast import Forecast, Forecaster
from airflow_claid.fulfilment.payment import Payment
from airflow_claid.fulfilment.proof import Turn
from airflow_claid.fulfilment.receipt import Charge, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import ReceiptStore
from airflow_claid.fulfilment.resources import Resources
from airflow_claid.fulfilment.steps import links_have_expired
from airflow_claid.orders.order import Order

log: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fulfilled:
    """The result of an order.

    :param images: all pictures of the order, including blocked ones.
    :param credits: what this execution spent on it; 0 if it was paid for before.
    :param request_id: Claid's id of the request that made the pictures.
    :param charged: its total cost, in this execution and before, as far as is known.
    :param in_doubt: the part of the cost for requests whose answer is lost; they may not have been charged.
    :param reasons: why Claid could not make some pictures, in its words.
    :param charges: when each part of the cost was paid, and by which task.
    """

    order: Order
    images: tuple[DeliveredImage, ...]
    credits: float
    request_id: str | None
    charged: float
    in_doubt: float
    reasons: tuple[str, ...] = ()
    charges: tuple[Charge, ...] = ()

    @classmethod
    def of(cls, order: Order, receipt: Receipt, spent: float) -> Fulfilled:
        """Return the result that a complete receipt holds."""
        images = tuple(_with_path_of(order, image) for image in receipt.images)
        return cls(
            order,
            images,
            spent,
            receipt.request_id,
            receipt.credits,
            receipt.credits_in_doubt,
            receipt.reasons,
            receipt.charges,
        )

    def images_as_json(self) -> list[dict[str, Any]]:
        """Return a dict for each picture, as XCom ``images`` has it: without what is not known."""
        of_order = {
            "name": self.order.name,
            "prompt": self.order.prompt,
            "input": self.order.input,
            "fingerprint": self.order.fingerprint,
            "request_id": self.request_id,
            "credits": self.credits / max(1, len(self.images)),
        }
        return [without_nulls({**image.to_json(), **of_order}) for image in self.images]


@dataclass(frozen=True)
class Begun:
    """An order that is paid for, and what this execution spent on it.

    :param turn: ends when it is complete, so that the next request may be sent.
    :param deadline: when to stop waiting for its job, where that was set when it began.
    :param failures: how many polls of its job in a row have failed.
    :param work: ends when its job is no longer waited for: until then it may prove that answers can be read.
    """

    order: Order
    store: ReceiptStore
    receipt: Receipt
    credits: float
    turn: Turn | None = None
    deadline: datetime | None = None
    failures: int = 0
    work: ExitStack | None = None

    @property
    def waiting(self) -> bool:
        """Whether its job may still be running."""
        return self.receipt.state is ReceiptState.SUBMITTED


class _WaitingError(Exception):
    """An order's job has not ended, and is polled again later."""

    def __init__(self, begun: Begun) -> None:
        super().__init__()
        self.begun = begun


@dataclass(frozen=True, kw_only=True)
class Fulfilment(Resources):
    """Fulfils the orders of one task; thread-safe.

    :param receipts: returns the store for an order's receipt.
    """

    receipts: Callable[[Order], ReceiptStore]

    def fulfil(self, order: Order) -> Fulfilled:
        """Fulfil an order, paying for it once, and return the result.

        Raises what :meth:`begin` and :meth:`complete` raise.
        """
        with self.proof.working():
            return self._complete(self._begin(order), None)

    def start(self, order: Order) -> Begun | Fulfilled:
        """Fulfil an order as :meth:`fulfil` does, but for the wait for its job: that is for :meth:`poll_once`."""
        with ExitStack() as work:
            work.enter_context(self.proof.working())
            begun = self._begin(order)
            if begun.waiting:
                return self._waiting(begun, work)
            try:
                return self._complete(begun, None, waits=False)
            except _WaitingError as waiting:
                return self._waiting(waiting.begun, work)

    def poll_once(self, begun: Begun) -> Begun | Fulfilled:
        """Poll the job of an order once; deliver its pictures if it has ended, else return it to be polled again.

        Raises what :meth:`complete` raises; the order is then no longer waited for.
        """
        with begun.work or ExitStack() as work:
            try:
                return self._complete(begun, begun.deadline, waits=False)
            except _WaitingError as waiting:
                return self._waiting(waiting.begun, work)

    def _waiting(self, begun: Begun, work: ExitStack) -> Begun:
        """Return an order to be polled later, for which the work goes on until then."""
        deadline = begun.deadline or self._deadline()
        return replace(begun, deadline=deadline, work=work.pop_all())

    def _deadline(self) -> datetime:
        return self.now() + timedelta(seconds=self.terms.timeout)

    def forecast(self, order: Order) -> Forecast:
        """Return what :meth:`fulfil` would cost now; nothing is written, and nothing is sent that is charged.

        It reads the receipt and decides as :meth:`fulfil` does: pictures are looked up, and a job is polled where its
        price depends on it. Only ``max_credits``, the spend limits and what other orders of the task do are left out.
        """
        self.proof.is_proven(order)  # where that is remembered, so is the quota: the client then expects it
        return Forecaster(order, self.receipts(order), self).forecast()

    def begin(self, order: Order) -> Begun:
        """Make sure that an order is paid for: find its receipt, or send it.

        :raises ClaidError: if Claid refused or failed; the receipt records whether it may have been charged.
        :raises ReceiptUnreadableError: if a receipt may exist but cannot be read; nothing was sent.
        :raises LostAnswerError: if an answer is lost and ``on_lost_response`` is ``"fail"``.
        :raises AnswerPendingError: if an answer may still come, and the terms say not to wait for it.
        :raises CreditCeilingError: if it would exceed ``max_credits``.
        :raises SpendLimitError: if it would exceed a spend limit.
        :raises SpendStoreError: if the Redis that counts the spend limits cannot be reached; nothing was sent.
        :raises UnreadAnswerError: if the answer could not be read; the receipt keeps it.
        :raises UnprovenAnswersError: if no answer of the operation could be used so far; nothing was sent.
        """
        with self.proof.working():
            return self._begin(order)

    def _begin(self, order: Order) -> Begun:
        store = self.receipts(order)
        payment = Payment(order, store, self)
        try:
            receipt = payment.receipt()
        except BaseException as error:
            if isinstance(error, UnreadAnswerError):
                self.proof.doubt(order, error)
            payment.end_turn()
            raise
        if payment.found is not None and not payment.credits and is_paid_by_another(payment.found, self.author):
            self.events.reused(order)
        return Begun(order, store, receipt, payment.credits, payment.turn)

    def resume(self, order: Order, receipt: Receipt, spent: float) -> Begun:
        """Resume an order that was begun in another process of the same try.

        :param receipt: as it was then; a stored receipt of the same request goes first if it is paid.
        :param spent: credits that this try has spent on it.
        """
        store = self.receipts(order)
        kept = store.read(order.fingerprint)
        further = kept is not None and kept.is_of_same_request(receipt) and kept.state.is_paid
        if kept is not None and kept.state is ReceiptState.UNREAD and kept.job_id is None:
            further = False
        latest = kept if kept is not None and further else receipt
        tell_of_earlier_charges(self, order, latest)
        return Begun(order, store, latest, spent)

    def complete(self, begun: Begun, deadline: datetime | None = None) -> Fulfilled:
        """Wait for a paid order's job, if it has one, and deliver its pictures.

        :param deadline: when to stop waiting for a job; default: the terms' ``timeout`` from now.
        :raises PictureError: if a picture could not be delivered; a retry costs nothing.
        :raises JobFailedError: if Claid ended the job without a result.
        :raises JobTimeoutError: if the job did not end in time; a retry waits for the same job.
        """
        with self.proof.working():
            return self._complete(begun, deadline)

    def completed(self, begun: Begun, deadline: datetime) -> Begun:
        """Complete a paid order as :meth:`complete` does, and return it with its final receipt."""
        with self.proof.working():
            receipt, spent = self._complete_and_record(begun, deadline)
            return replace(begun, receipt=receipt, credits=spent, turn=None)

    def _complete(self, begun: Begun, deadline: datetime | None, *, waits: bool = True) -> Fulfilled:
        receipt, spent = self._complete_and_record(begun, deadline, waits=waits)
        return Fulfilled.of(begun.order, receipt, spent)

    def _complete_and_record(
        self, begun: Begun, deadline: datetime | None, *, waits: bool = True
    ) -> tuple[Receipt, float]:
        """Complete an order, and record whether its answer could be used.

        :param waits: whether to wait for a job; if not, it is polled once, and a :class:`_WaitingError` says that it
            goes on.
        """
        order, turn = begun.order, begun.turn
        try:
            receipt, spent = self._completed(begun, deadline or self._deadline(), waits=waits)
        except _WaitingError:
            turn = None
            raise
        except (PictureError, UnreadAnswerError) as error:
            self.proof.doubt(order, error)
            raise
        else:
            if not begun.receipt.state.is_final:
                self.proof.prove(order)
                blocked = sum(bool(image.blocked) for image in receipt.images)
                self.events.delivered(order, pictures=len(receipt.images) - blocked, blocked=blocked)
            return receipt, spent
        finally:
            if turn is not None:
                turn.end()

    def _completed(self, begun: Begun, deadline: datetime, *, waits: bool) -> tuple[Receipt, float]:
        """Return the receipt of a completed order, and what this execution spent on it."""
        order, spent = begun.order, begun.credits
        completion = Completion(order, begun.store, begun.receipt, self, waits=waits, failures=begun.failures)
        try:
            receipt = completion.receipt(deadline)
        except JobRunningError as running:
            raise _WaitingError(replace(begun, failures=running.failures)) from None
        except (DeadLinkError, PictureNotFoundError) as error:
            latest = begun.store.read(order.fingerprint)
            if latest is not None and latest.state.is_final:
                return latest, spent
            expire_at = self.delivery.links_expire_at
            if spent > 0 or not links_have_expired(latest or begun.receipt, expire_at, self.now()):
                raise
            log.warning("%s. Its picture is lost: requesting it again for %g credits", error, order.credits)
            same = latest is not None and latest.is_of_same_request(begun.receipt)
            payment = Payment(order, begun.store, self)
            try:
                receipt = payment.again(latest if latest is not None and same else begun.receipt)
                spent = completion.credits + payment.credits
                if receipt.state is ReceiptState.SUBMITTED and not waits:
                    turn, payment.turn = payment.turn, None
                    raise _WaitingError(Begun(order, begun.store, receipt, spent, turn)) from None
                completion = Completion(order, begun.store, receipt, self)
                receipt = completion.receipt(deadline)
            finally:
                payment.end_turn()
        return receipt, spent + completion.credits


def _with_path_of(order: Order, image: DeliveredImage) -> DeliveredImage:
    """Return a picture whose path names the connection of this order, not that of the run that paid."""
    if not order.place.is_written_by_airflow or image.path is None:
        return image
    return image.evolve(path=order.place.folder + order.place.path_in(image.path))
