"""The base of the operators that do one operation for a whole catalogue, in one task."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_claid.client import ClaidValidationError, JobKind
from airflow_claid.client.text import counted, shortened
from airflow_claid.operators.bases.batch_endings import (
    fail_if_too_many_failed,
    shares_of,
    summary_of,
    told,
    with_what_is_left,
)
from airflow_claid.operators.bases.batch_parameters import (
    batch_folder,
    batch_terms,
    columns_of,
    preview_of,
    shard_of,
)
from airflow_claid.operators.bases.paying import ClaidPayingOperator, Where, failing_at_once
from airflow_claid.parameters import given, is_literal, optional, refusing_at_once, seconds, truth
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.places import checked_name
from airflow_claid.storage.signed_links import shown_in

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.batch.batch import Batch
    from airflow_claid.batch.counts import BatchCounts
    from airflow_claid.batch.estimate import Estimate
    from airflow_claid.batch.item_kind import ItemKind
    from airflow_claid.batch.item_rows import ItemRow
    from airflow_claid.batch.items import Items
    from airflow_claid.batch.manifest import Manifest
    from airflow_claid.batch.terms import BatchTerms
    from airflow_claid.operators.bases.batch_plan import BatchPlan
    from airflow_claid.operators.bases.batch_run import BatchRun
    from airflow_claid.orders.order import Order
    from airflow_claid.storage.places import Place

_KILLED = "The task was killed or timed out"


class ClaidBatchOperator(ClaidPayingOperator):
    """Base of the operators that do one operation for a whole catalogue, in one worker slot.

    Requests are paced by the account's quota, with any number of threads and, with a ``quota_store`` in the connection,
    of workers. An item that is twice in the input with the same name is paid for once. Files and folders are read as a
    stream, so memory grows little with the number of items.

    Nothing is paid for twice: a retry, a clear or a new run reads the manifest and the receipts and resumes from there.
    A picture that was removed or replaced since is requested, and paid for, again. An item that fails for a passing
    reason is tried up to 4 times before it counts as failed. When the task is killed or times out, running requests are
    finished and nothing more is sent.

    :param output: (templated) folder of the pictures, of the receipts and of the manifest: object storage (``s3://``,
        ``gs://``, ``file://``), or a connected storage (``storage://NAME/PATH/``) that the connection maps.
    :param columns: (templated) what the file calls our columns, where it is another name: ``{"prompt": "Caption"}``.
        A number is a position, from 0, also in rows without names; ``None`` leaves a column out. Default: no other
        names.
    :param shard: (templated) ``(k, n)``: only the rows k+1, k+1+n, k+1+2n, …, to split the items among n mapped tasks.
        Default: all.
    :param preview: (templated) only so many items, 1 or more, spread over the catalogue, to look at before the rest is
        paid for. A later run without it pays for none of them again. Default: all.
    :param dry_run: (templated) only tell what the batch would cost: the items are read and checked, and what is paid
        for already is looked up, but nothing is sent that is charged, and nothing is written. Returns the estimate.
        Default: false.
    :param manifest: (templated) address of the manifest; default: in ``output``, named after the items' file or
        folder. Each batch needs its own.
    :param concurrency: (templated) requests running at once, 1 to 400; default: as many as the quota and the duration
        of a request require.
    :param on_error: (templated) ``"continue"``, the default, with the others, or ``"fail"`` at the first item that
        fails or is invalid.
    :param error_threshold: (templated) the task fails if more than this share (0 to 1; default: 0.1) of the items
        failed or were invalid; after the first 100, it stops as soon as the share is exceeded.
    :param report_seconds: (templated) seconds, 30 by default, between two reports of the progress in the log and in
        Airflow's ``task_state_store`` (3.3+, key ``claid_progress``).
    :param max_credits: (templated) a ceiling in credits for each execution: the task stops before it is exceeded, and
        its error says how many items are left. Default: none. A reached ``spend_limit`` stops the batch in the same
        way, and the error says when to go on.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``on_lost_response``, ``lost_response_grace``,
        ``spend_limit`` and ``claid_conn_id``.
    :returns: a summary: ``manifest`` (its address), ``items``, ``done``, ``blocked``, ``failed``, ``invalid``,
        ``duplicate``, ``skipped`` (the earlier batch has no picture of them), ``gone`` (no longer in the input),
        ``reused`` (items that cost this execution nothing), ``images``, ``credits``, ``credits_in_doubt`` (for requests
        whose answer was lost), ``seconds``. The manifest has a line of JSON for each row of the input, with the paths
        of its pictures. The XCom ``manifest`` holds its address alone.
    :raises AirflowFailException: if a retry cannot help: wrong parameters or items, key or scope, no credits left.
    """

    item_kind: ItemKind
    operation: str
    """The contract's operation id."""
    job_kind: JobKind | None = None
    """The kind of job that each item becomes; ``None`` where Claid answers at once."""

    row_fields: tuple[str, ...] = ()
    """Parameters that are no part of a request, and that a row may say for itself as well."""

    batch_fields: tuple[str, ...] = (
        "output_path",
        "columns",
        "shard",
        "preview",
        "estimate_only",
        "manifest",
        "concurrency",
        "on_error",
        "error_threshold",
        "report_seconds",
        *ClaidPayingOperator.terms_template_fields,
    )

    def __init__(
        self,
        *,
        output: str,
        columns: Mapping[str, str | int | None] | None = None,
        shard: Sequence[int] | str | None = None,
        preview: int | str | None = None,
        dry_run: bool | str = False,
        manifest: str | None = None,
        concurrency: int | str | None = None,
        on_error: str = "continue",
        error_threshold: float | str = 0.1,
        report_seconds: float | str = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output
        self.columns = columns
        self.shard = shard
        self.preview = preview
        self.estimate_only = dry_run
        self.manifest = manifest
        self.concurrency = concurrency
        self.on_error = on_error
        self.error_threshold = error_threshold
        self.report_seconds = report_seconds
        self._batch: Batch | None = None
        self._killed = False
        with refusing_at_once():
            if is_literal(output):
                batch_folder(output)
            if is_literal([concurrency, on_error, error_threshold]):
                self._batch_terms()
            if is_literal([report_seconds, shard, preview, dry_run]):
                seconds(report_seconds, "report_seconds")
                shard_of(shard)
                preview_of(preview)
                truth(dry_run, "dry_run")

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Fulfil all items, reusing paid ones, and return a summary; or an estimate, in a dry run."""
        with refusing_at_once():
            only_estimate = truth(self.estimate_only, "dry_run")
        if only_estimate:
            estimated = self.estimate(context).to_json()
            self.log.info("Nothing was sent that is charged (dry_run): %s", estimated)
            self._reports.withhold_events(self)
            return estimated
        began = time.monotonic()
        with failing_at_once(self._subject):
            plan = self._plan()
            manifest = self._open_manifest(plan)
            try:
                fulfilment, order_of = self._fulfilment(context), self._order_maker(plan.place, manifest)
                self._batch = self._run.batch(context, plan, manifest, fulfilment, order_of, self.job_kind)
                self._reports.find_page(self, plan.place, [])
                self._reports.push_links(self, context)
                counts = self._work_through(context, self._batch, plan.total)
                address = manifest.finish()
                self._reports.report(
                    self,
                    context,
                    plan.place,
                    inputs=plan.items.addresses,
                    outputs=chain([address], manifest.index.paths()),
                    paths=manifest.index.paths(),
                    facts={"pictures": counts.images, "manifest": address},
                )
            finally:
                manifest.close()
                plan.items.close()
        summary = summary_of(counts, address, time.monotonic() - began)
        self.log.info("%s", told(summary))
        context["ti"].xcom_push(key="summary", value=summary)
        context["ti"].xcom_push(key="manifest", value=address)
        self._end_batch(counts, summary)
        return summary

    def estimate(self, context: Context | None = None) -> Estimate:
        """Return what the batch would cost if it ran now; nothing is sent that is charged, and nothing is written.

        :param context: of the task; ``None`` outside of one, where the parameters must be literal.
        :raises AirflowFailException: if a parameter is wrong.
        """
        with failing_at_once(self._subject):
            if context is None:
                self._refuse_templates()
            plan = self._plan()
            manifest = self._open_manifest(plan)
            try:
                in_task = context or self._run.outside_task()
                fulfilment, order_of = self._fulfilment(in_task), self._order_maker(plan.place, manifest)
                return self._run.estimate(in_task, plan, manifest, fulfilment, order_of, self.job_kind)
            finally:
                manifest.close()
                plan.items.close()

    def on_kill(self) -> None:
        """Send nothing more, and finish running requests as far as Airflow leaves time for it."""
        self._killed = True
        if self._batch is not None:
            self._batch.stop(_KILLED)

    @property
    def _run(self) -> BatchRun:
        """What runs the task; what it needs is loaded here, and not when the DAG is parsed."""
        from airflow_claid.operators.bases.batch_run import BatchRun

        return BatchRun(self, self._reports)

    @property
    def _subject(self) -> str:
        parameter = self.item_kind.parameter
        return f"{parameter}={shortened(shown_in(getattr(self, parameter)))}"

    def _plan(self) -> BatchPlan:
        """Check all parameters, and then the items."""
        from airflow_claid.operators.bases.batch_plan import BatchPlan

        regenerate = self._terms().regenerate
        self._budget()
        terms, place, shard = self._batch_terms(), batch_folder(self.output_path), shard_of(self.shard)
        preview, report_seconds = preview_of(self.preview), seconds(self.report_seconds, "report_seconds")
        self._check_batch()
        folder = self.hook.storages.readable_uri(place.folder)
        items = self._run.items(
            getattr(self, self.item_kind.parameter),
            self.item_kind,
            folder=folder,
            columns=columns_of(self.columns, self.item_kind.subject),
            shard=shard,
            preview=preview,
            filters=self._filters(),
        )
        plan = BatchPlan(
            items=items,
            place=place,
            folder=folder,
            nested=self._is_nested,
            is_whole=shard is None and preview is None and not self._is_part,
            terms=terms,
            report_seconds=report_seconds,
            identity=self._identity(items, place, shard),
        )
        if not regenerate:
            plan.list_ahead(self._manifest_address(plan))
        self.log.info("%s to do", counted(plan.total, "item"))
        self._run.check_place(place)
        return plan

    def _check_batch(self) -> None:
        """Check the parameters of this kind of batch."""

    def _filters(self) -> dict[str, Any]:
        """Return which files of a folder are items."""
        return {}

    @property
    def _is_nested(self) -> bool:
        """Whether pictures go into folders of the output."""
        return False

    @property
    def _is_part(self) -> bool:
        """Whether files of a folder are left out that were items before."""
        return False

    def _batch_terms(self) -> BatchTerms:
        return batch_terms(concurrency=self.concurrency, on_error=self.on_error, error_threshold=self.error_threshold)

    def _order_maker(self, place: Place, manifest: Manifest) -> Callable[[ItemRow], Order | Sequence[Order]]:
        """Return what makes the order of a row: the operator's parameters, replaced by what the row says."""
        parameters = given(self, (*self.request_fields, *self.row_fields))
        base_url, landing = self.hook.client.base_url, self._landing(place)
        versions = self._run.versions(manifest, self.item_kind.subject)

        def order_of(row: ItemRow) -> Order | Sequence[Order]:
            name = checked_name(row.name) if row.name is not None else None
            inner = quote(row.folder) if place.is_written_by_claid else row.folder
            where: Where = {
                "base_url": base_url,
                "place": replace(place, folder=place.folder + inner) if inner else place,
                "landing": landing and landing + quote(row.folder),
                "name": name,
            }
            return self._orders_of({**parameters, **row.values}, where, versions.of(row))

        return order_of

    def _orders_of(self, parameters: Mapping[str, Any], where: Where, version: str | None) -> Order | Sequence[Order]:
        """Return the order of an item, or also those that follow while its images are all blocked."""
        return self._order(parameters, where, version)

    def _work_through(self, context: Context, batch: Batch, total: int) -> BatchCounts:
        if self._killed:
            batch.stop(_KILLED)
        try:
            return batch.run()
        except Exception as error:
            raise with_what_is_left(error, batch.counts, total) from error
        finally:
            self._shares = shares_of(batch.counts)
            context["ti"].xcom_push(key="credits", value=batch.counts.credits)

    def _identity(self, items: Items, place: Place, shard: tuple[int, int] | None) -> dict[str, Any]:
        return {
            "base_url": self.hook.client.base_url,
            "operation": self.operation,
            "body": {
                self.item_kind.parameter: items.identity,
                "folder": without_connection(place.folder),
                **self._defaults(),
                "shard": shard,
            },
        }

    def _defaults(self) -> dict[str, Any]:
        """Return what is asked of each item, for the identity of the batch."""
        asked = shown_in(given(self, self.request_fields))
        return {"parameters": json.loads(json.dumps(asked, default=str, skipkeys=True))}

    def _open_manifest(self, plan: BatchPlan) -> Manifest:
        return self._run.manifest(plan, self._manifest_address(plan))

    def _manifest_address(self, plan: BatchPlan) -> str:
        address = None if optional(self.manifest) is None else str(self.manifest)
        return self._run.manifest_address(plan, address, self.item_kind.parameter)

    def _end_batch(self, counts: BatchCounts, summary: Mapping[str, Any]) -> None:
        """Fail or skip the task, if it should be."""
        fail_if_too_many_failed(counts, summary, self._batch_terms().error_threshold)

    def _refuse_templates(self) -> None:
        for name, value in given(self, self.template_fields).items():
            if not is_literal(value):
                raise ClaidValidationError(
                    f"{name}={shortened(value)} is known only when a task runs: give the value itself, or run the "
                    "task with dry_run=True"
                )


def estimate(operator: ClaidBatchOperator) -> Estimate:
    """Return what a batch would cost if it ran now, without a task: from a notebook, a test, or a script.

    Nothing is sent that is charged, and nothing is written.

    :param operator: with literal parameters.
    :raises AirflowFailException: if a parameter is wrong, or a template.
    """
    return operator.estimate()
