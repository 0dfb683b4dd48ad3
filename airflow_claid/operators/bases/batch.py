"""The base of the operators that do one operation for a whole catalogue, in one task."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_claid.batch.batch import Batch
from airflow_claid.batch.counts import BatchCounts
from airflow_claid.batch.items import ItemKind, ItemRow, Items
from airflow_claid.batch.manifest import Manifest, check_address
from airflow_claid.batch.progress import Progress
from airflow_claid.batch.reuse import still_there
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.client import JobKind
from airflow_claid.client.text import shortened
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, KnownReceipts
from airflow_claid.fulfilment.spare_receipts import SparedReceipts, SpareReceipts
from airflow_claid.operators.bases.batch_endings import fail_if_too_many_failed, summary_of, with_what_is_left
from airflow_claid.operators.bases.batch_parameters import batch_folder, batch_terms, columns_of, shard_of
from airflow_claid.operators.bases.lineage import report_lineage
from airflow_claid.operators.bases.paying import ClaidPayingOperator, Where, failing_at_once, spare_receipts
from airflow_claid.orders.fingerprint import fingerprint
from airflow_claid.orders.order import Order
from airflow_claid.parameters import given, is_literal, optional, refusing_at_once, seconds
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.places import RECEIPTS_FOLDER, Place, checked_name, stem_of
from airflow_claid.storage.signed_links import shown_in
from airflow_claid.version_compat import task_state_store

if TYPE_CHECKING:
    from airflow.sdk import Context

_KILLED = "The task was killed or timed out"


@dataclass(frozen=True)
class _Plan:
    """What a batch is to do, checked before anything is paid.

    :param folder: the place's folder, as Airflow writes there.
    :param identity: what identifies the batch: the same in each attempt and run, whatever a file holds by then.
    """

    items: Items
    place: Place
    folder: str
    terms: BatchTerms
    report_seconds: float
    identity: Mapping[str, Any]

    @cached_property
    def total(self) -> int:
        """Number of items."""
        return self.items.count()


class ClaidBatchOperator(ClaidPayingOperator):
    """Base of the operators that do one operation for a whole catalogue, in one worker slot.

    Requests are paced by the account's quota, with any number of threads and, with a ``quota_store`` in the connection,
    of workers. An item that is twice in the input with the same name is paid for once. Files are read as a stream, so
    memory grows little with the number of items.

    Nothing is paid for twice: a retry, a clear or a new run reads the manifest and the receipts and resumes from there.
    A picture that was removed or replaced since is requested, and paid for, again. An item that fails for a passing
    reason is tried up to 4 times before it counts as failed. When the task is killed or times out, running requests are
    finished and nothing more is sent.

    :param output: (templated) folder of the pictures, of the receipts and of the manifest: object storage (``s3://``,
        ``gs://``, ``file://``), or a connected storage (``storage://NAME/PATH/``) that the connection maps.
    :param columns: (templated) what the file calls our columns, where it is another name: ``{"prompt": "Caption"}``.
        A number is a position, from 0, also in rows without names; ``None`` leaves a column out.
    :param shard: (templated) ``(k, n)``: only the rows k+1, k+1+n, k+1+2n, …, to split one file among n mapped tasks.
    :param manifest: (templated) address of the manifest; default: in ``output``, named after the items' file. Each
        batch needs its own.
    :param concurrency: (templated) items running at once; default: as many as the quota and the duration of a
        request require.
    :param on_error: (templated) ``"continue"`` with the others, or ``"fail"`` at the first item that fails.
    :param error_threshold: (templated) the task fails if more than this share (0 to 1) of the items failed or were
        invalid; after the first 100, it stops as soon as the share is exceeded.
    :param report_seconds: (templated) how often the progress is logged and stored in Airflow's ``task_state_store``
        (3.3+, key ``claid_progress``).
    :param max_credits: (templated) a ceiling for each execution: the task stops before it is exceeded, and its error
        says how many items are left.
    :returns: a summary: ``manifest`` (its address), ``items``, ``done``, ``blocked``, ``failed``, ``invalid``,
        ``duplicate``, ``reused`` (items that cost this execution nothing), ``images``, ``credits``,
        ``credits_in_doubt`` (for requests whose answer was lost), ``seconds``. The manifest has a line of JSON for each
        row of the input, with the paths of its pictures. The XCom ``manifest`` holds its address alone.
    """

    item_kind: ItemKind
    operation: str
    """The contract's operation id."""
    job_kind: JobKind | None = None
    """The kind of job that each item becomes; ``None`` where Claid answers at once."""

    batch_fields: tuple[str, ...] = (
        "output_path",
        "columns",
        "shard",
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
            if is_literal([report_seconds, shard]):
                seconds(report_seconds, "report_seconds")
                shard_of(shard)

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Fulfil all items, reusing paid ones, and return a summary."""
        began = time.monotonic()
        with failing_at_once(self._subject):
            plan = self._plan()
            manifest = self._open_manifest(plan)
            try:
                self._batch = self._prepared(context, plan, manifest)
                self._find_page(plan.place, [])
                self._push_links(context)
                counts = self._work_through(context, self._batch, plan.total)
                address = manifest.finish()
                written = chain([address], manifest.index.paths())
                report_lineage(self.hook, inputs=plan.items.addresses, outputs=written)
            finally:
                manifest.close()
        summary = summary_of(counts, address, time.monotonic() - began)
        self.log.info("%s", summary)
        context["ti"].xcom_push(key="summary", value=summary)
        context["ti"].xcom_push(key="manifest", value=address)
        self._end_batch(counts, summary)
        return summary

    def on_kill(self) -> None:
        """Send nothing more, and finish running requests as far as Airflow leaves time for it."""
        self._killed = True
        if self._batch is not None:
            self._batch.stop(_KILLED)

    @property
    def _subject(self) -> str:
        parameter = self.item_kind.parameter
        return f"{parameter}={shortened(shown_in(getattr(self, parameter)))}"

    def _plan(self) -> _Plan:
        """Check all parameters, and then the items."""
        self._terms()
        self._budget()
        terms, place, shard = self._batch_terms(), batch_folder(self.output_path), shard_of(self.shard)
        report_seconds = seconds(self.report_seconds, "report_seconds")
        self._check_batch()
        items = Items(
            getattr(self, self.item_kind.parameter),
            self.item_kind,
            columns=columns_of(self.columns, self.item_kind.subject),
            shard=shard,
        )
        items.count()
        self._check_place(place)
        folder = self.hook.storages.readable_uri(place.folder)
        return _Plan(items, place, folder, terms, report_seconds, self._identity(items, place, shard))

    def _check_batch(self) -> None:
        """Check the parameters of this kind of batch."""

    def _batch_terms(self) -> BatchTerms:
        return batch_terms(concurrency=self.concurrency, on_error=self.on_error, error_threshold=self.error_threshold)

    def _prepared(self, context: Context, plan: _Plan, manifest: Manifest) -> Batch:
        pictures = Inventory(plan.folder, recursive=plan.place.is_written_by_claid)
        regenerate = self._terms().regenerate
        pace, fulfilment = self.hook.client.pace(self.job_kind), self._fulfilment(context)
        return Batch(
            rows=plan.items,
            order_of=self._order_maker(plan.place),
            fulfilment=_fulfilments(fulfilment, plan.folder + RECEIPTS_FOLDER, spare_receipts(context)),
            budget=fulfilment.budget,
            manifest=manifest,
            still_there=lambda row: not regenerate and still_there(row, plan.place, pictures),
            quota_rate=lambda: pace.fastest_rate,
            latency=lambda: pace.latency,
            poll_rate=lambda: pace.poll_rate,
            terms=plan.terms,
            report=Progress(plan.total, lambda: pace.quota_used, task_state_store(context)),
            report_seconds=plan.report_seconds,
        )

    def _order_maker(self, place: Place) -> Callable[[ItemRow], Order]:
        """Return what makes the order of a row: the operator's parameters, replaced by what the row says."""
        parameters = given(self, self.request_fields)
        where: Where = {
            "base_url": self.hook.client.base_url,
            "place": place,
            "landing": self._landing(place),
            "name": None,
        }

        def order_of(row: ItemRow) -> Order:
            name = checked_name(row.name) if row.name is not None else None
            return self._order({**parameters, **row.values}, {**where, "name": name})

        return order_of

    def _work_through(self, context: Context, batch: Batch, total: int) -> BatchCounts:
        if self._killed:
            batch.stop(_KILLED)
        try:
            return batch.run()
        except Exception as error:
            raise with_what_is_left(error, batch.counts, total) from error
        finally:
            context["ti"].xcom_push(key="credits", value=batch.counts.credits)

    def _identity(self, items: Items, place: Place, shard: tuple[int, int] | None) -> dict[str, Any]:
        if len(items.addresses) == 1:
            rows = without_connection(items.addresses[0])
        else:
            texts: list[object] = [without_connection(address) for address in items.addresses] or list(items.items)
            rows = hashlib.sha256(json.dumps(texts, default=str, skipkeys=True).encode()).hexdigest()
        return {
            "base_url": self.hook.client.base_url,
            "operation": self.operation,
            "body": {
                self.item_kind.parameter: rows,
                "folder": without_connection(place.folder),
                **self._defaults(),
                "shard": shard,
            },
        }

    def _defaults(self) -> dict[str, Any]:
        """Return what is asked of each item, for the identity of the batch."""
        asked = shown_in(given(self, self.request_fields))
        return {"parameters": json.loads(json.dumps(asked, default=str, skipkeys=True))}

    def _open_manifest(self, plan: _Plan) -> Manifest:
        content = _content(plan.items.addresses, self.item_kind.parameter)
        batch = fingerprint(**plan.identity, place={"content": content})
        return Manifest(plan.folder, batch, self._manifest_address(plan))

    def _manifest_address(self, plan: _Plan) -> str:
        if optional(self.manifest) is not None:
            address = self.hook.storages.readable_uri(str(self.manifest))
            check_address(address)
            return address
        addresses = plan.items.addresses
        stem = stem_of(addresses[0]) if addresses else self.item_kind.parameter
        return f"{plan.folder}manifest-{stem}-{fingerprint(**plan.identity, place={})[:8]}.jsonl"

    def _end_batch(self, counts: BatchCounts, summary: Mapping[str, Any]) -> None:
        """Fail or skip the task, if it should be."""
        fail_if_too_many_failed(counts, summary, self._batch_terms().error_threshold)


def _fulfilments(fulfilment: Fulfilment, receipts: str, spares: SpareReceipts) -> Callable[[bool], Fulfilment]:
    """Return the fulfilment for the first attempt at an item, or a later one: the first needs few lookups."""
    terms = replace(fulfilment.terms, wait_for_answers=False)
    known, all_receipts = (
        SparedReceipts(KnownReceipts(receipts, Inventory(receipts, recursive=False).has), spares),
        SparedReceipts(FolderReceipts(receipts), spares),
    )
    first = replace(fulfilment, terms=terms, receipts=lambda _: known)
    again = replace(fulfilment, terms=terms, receipts=lambda _: all_receipts)
    return lambda is_first: first if is_first else again


def _content(addresses: Sequence[str], parameter: str) -> str | None:
    """Return what tells one content of the files from another; ``None`` where there are none."""
    checksums = [checksum_if_there(address, parameter) for address in addresses]
    return checksums[0] if len(checksums) == 1 else "|".join(map(str, checksums)) or None
