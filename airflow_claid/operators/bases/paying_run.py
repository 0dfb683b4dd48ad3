"""How a task that pays runs: its orders, its fulfilment, its budget, and where its receipts lie.

Loaded when a task runs, before anything is paid, and not when its DAG is parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_claid.delivery.delivery import Delivery
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.liveness import this_process
from airflow_claid.fulfilment.proof import Proof, ProofRecords
from airflow_claid.fulfilment.proof_records import FolderProof, QuotaStoreProof
from airflow_claid.fulfilment.receipt import Author
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, NoReceipts, ReceiptStore, TaskStateReceipts
from airflow_claid.fulfilment.resources import utc_now
from airflow_claid.fulfilment.spare_receipts import SparedReceipts, SpareReceipts, SpoolSpare, TaskStateSpare
from airflow_claid.fulfilment.task_orders import TaskOrders
from airflow_claid.operators.bases.told import lines_of
from airflow_claid.storage.object_storage import located
from airflow_claid.version_compat import THREADS_AT_ONCE, task_state_store

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.client.spending.limits import SpendLimit
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.fulfilment.fulfilment import Fulfilled
    from airflow_claid.fulfilment.terms import Terms
    from airflow_claid.operators.bases.paying import ClaidPayingOperator
    from airflow_claid.operators.bases.task_reports import TaskReports
    from airflow_claid.orders.order import Order
    from airflow_claid.storage.places import Place


class PayingRun:
    """One execution of an operator that pays.

    :param operator: the operator.
    :param reports: what its task reports.
    """

    def __init__(self, operator: ClaidPayingOperator, reports: TaskReports) -> None:
        self.operator = operator
        self.reports = reports

    def orders(self, fulfilment: Fulfilment, asked: Sequence[Order | Failure]) -> TaskOrders:
        """Return the orders of the task, none of which is begun."""
        return TaskOrders(fulfilment, asked, THREADS_AT_ONCE)

    def budget(self, most: float | None, limits: tuple[SpendLimit, ...], spent: float = 0.0) -> Budget:
        """Return the budget of this execution.

        :param most: the ceiling in credits.
        :param limits: the task's own spend limits.
        :param spent: credits that it has already spent in another process.
        """
        operator, used = self.operator, self.reports.metrics.spend_limit_used
        spending = operator.hook.spending(limits, f"{operator.dag_id}.{operator.task_id}", used)
        return Budget(most, spent=spent, spending=spending, events=self.reports.events)

    def fulfilment(self, context: Context, terms: Terms, budget: Budget) -> Fulfilment:
        """Return what fulfils the orders of this execution."""
        hook, spares = self.operator.hook, spare_receipts(context)
        self.reports.bill.report_to(context["ti"])
        return Fulfilment(
            client=hook.client,
            delivery=Delivery(hook.downloader, hook.storages, utc_now),
            receipts=lambda order: self._receipts(order, context, spares),
            author=_author(context),
            proof=Proof(hook.client, self._proof_records),
            terms=terms,
            budget=budget,
            events=self.reports.events,
        )

    def check_place(self, place: Place) -> None:
        """Check, before credits are spent, that the place can be written to."""
        if place.is_written_by_claid:
            self.operator.hook.storages.check_writable(place.storage_name)
        elif place.is_written_by_airflow:
            located(place.folder)

    def log_results(self, results: Sequence[Fulfilled], spent: float) -> None:
        """Log what became of the orders."""
        for line in lines_of(results, spent):
            self.operator.log.info("%s", line)

    def _proof_records(self, order: Order) -> tuple[ProofRecords, ...]:
        """Return where it is remembered that answers were read: beside the receipts, and in the quota store."""
        hook = self.operator.hook
        readable = None if order.place.is_temporary else hook.storages.find_readable_uri(order.place.receipts)
        in_store = QuotaStoreProof(hook.client)
        return (FolderProof(readable), in_store) if readable else (in_store,)

    def _receipts(self, order: Order, context: Context, spares: SpareReceipts) -> ReceiptStore:
        """Choose the store of an order's receipt: beside the pictures, else with the task instance, else none."""
        if not order.place.is_temporary:
            readable = self.operator.hook.storages.find_readable_uri(order.place.receipts)
            if readable is not None:
                return SparedReceipts(FolderReceipts(readable), spares)
        store = task_state_store(context)
        if store is not None:
            return SparedReceipts(TaskStateReceipts(store), spares)
        self.operator.log.warning(
            "There is no place for receipts: a retry of this task pays again. Set an output that Airflow can write "
            "to, map the connected storage to an Airflow connection, or use Airflow 3.3 or later"
        )
        return NoReceipts()


def spare_receipts(context: Context) -> SpareReceipts:
    """Return the second places of receipts: Airflow's task state (3.3+), and this machine."""
    store = task_state_store(context)
    return SpareReceipts([*([TaskStateSpare(store)] if store is not None else []), SpoolSpare.of_this_machine()])


def _author(context: Context) -> Author:
    ti = context["ti"]
    map_index = ti.map_index if ti.map_index is not None else -1
    generation = getattr(ti, "max_tries", 0) or 0
    return Author(ti.dag_id, ti.run_id, ti.task_id, map_index, ti.try_number, generation, this_process())
