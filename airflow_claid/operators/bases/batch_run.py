"""How a batch runs: its items, its manifest, and what works through them.

Loaded when a task runs, before anything is paid, and not when its DAG is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_claid.batch.batch import Batch
from airflow_claid.batch.estimate import Estimate
from airflow_claid.batch.estimate import estimate as estimate_rows
from airflow_claid.batch.items import Items
from airflow_claid.batch.manifest import Manifest, check_address
from airflow_claid.batch.progress import Progress
from airflow_claid.batch.versions import Versions
from airflow_claid.operators.bases.batch_parameters import manifest_stem
from airflow_claid.operators.bases.batch_plan import BatchPlan, OutsideTask
from airflow_claid.operators.bases.paying_run import PayingRun, spare_receipts
from airflow_claid.orders.fingerprint import fingerprint
from airflow_claid.version_compat import task_state_store

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.batch.intake import OrderOf
    from airflow_claid.batch.item_kind import ItemKind
    from airflow_claid.client import JobKind
    from airflow_claid.fulfilment.fulfilment import Fulfilment


class BatchRun(PayingRun):
    """One execution of a batch, or an estimate of it."""

    def items(
        self,
        given: object,
        kind: ItemKind,
        *,
        folder: str,
        columns: Mapping[str, str | int | None] | None,
        shard: tuple[int, int] | None,
        preview: int | None,
        filters: Mapping[str, Any],
    ) -> Items:
        """Return the items of the batch, or those of a preview.

        :param folder: the output's, which is no part of the input.
        :param filters: which files of a folder are items.
        """
        readable = self.operator.hook.storages.readable_uri
        items = Items(given, kind, columns=columns, shard=shard, without=[folder], readable=readable, **filters)
        return items if preview is None else items.preview(preview)

    def manifest(self, plan: BatchPlan, address: str) -> Manifest:
        """Open the manifest."""
        batch = fingerprint(**plan.identity, place={"content": plan.items.content()})
        return Manifest(plan.folder, batch, address)

    def versions(self, manifest: Manifest, subject: str) -> Versions:
        """Return what tells the contents of the items from those of earlier attempts."""
        return Versions(manifest.index, subject)

    def batch(
        self,
        context: Context,
        plan: BatchPlan,
        manifest: Manifest,
        fulfilment: Fulfilment,
        order_of: OrderOf,
        job_kind: JobKind | None,
    ) -> Batch:
        """Return what works through the items."""
        pace = self.operator.hook.client.pace(job_kind)
        return Batch(
            rows=plan.items,
            order_of=order_of,
            fulfilment=plan.fulfilments(fulfilment, spare_receipts(context)),
            budget=fulfilment.budget,
            manifest=manifest,
            still_there=plan.reusable(regenerate=fulfilment.terms.regenerate),
            overwritten_by=plan.neighbours(manifest.address, fulfilment.author).overwritten_by,
            quota_rate=lambda: pace.fastest_rate,
            latency=lambda: pace.latency,
            poll_rate=lambda: pace.poll_rate,
            terms=plan.terms,
            report=Progress(plan.total, lambda: pace.quota_used, task_state_store(context), self.reports.events),
            report_seconds=plan.report_seconds,
            listed=plan.items.has if plan.is_whole else None,
        )

    def estimate(
        self,
        context: Context,
        plan: BatchPlan,
        manifest: Manifest,
        fulfilment: Fulfilment,
        order_of: OrderOf,
        job_kind: JobKind | None,
    ) -> Estimate:
        """Return what the batch would cost; nothing is sent that is charged, and nothing is written."""
        pace = self.operator.hook.client.pace(job_kind)
        return estimate_rows(
            plan.items,
            order_of,
            manifest.index,
            plan.reusable(regenerate=fulfilment.terms.regenerate),
            plan.fulfilments(fulfilment, spare_receipts(context))(True).forecast,
            overwritten_by=plan.neighbours(manifest.address, fulfilment.author).overwritten_by,
            seconds_needed=pace.seconds_needed,
        )

    def outside_task(self) -> Context:
        """Return what stands for the context where there is no task."""
        context: Any = {"ti": OutsideTask(self.operator.task_id)}
        return context  # type: ignore[no-any-return]

    def manifest_address(self, plan: BatchPlan, address: str | None, parameter: str) -> str:
        """Return the manifest's address, as Airflow reads it.

        :param address: as it was given; ``None``: in the plan's folder, named after the items' file or folder.
        :param parameter: of the items, after which it is named where they come from neither.
        """
        if address is not None:
            readable = self.operator.hook.storages.readable_uri(address)
            check_address(readable)
            return readable
        addresses = plan.items.addresses
        stem = manifest_stem(addresses[0]) if addresses else parameter
        return f"{plan.folder}manifest-{stem}-{fingerprint(**plan.identity, place={})[:8]}.jsonl"
