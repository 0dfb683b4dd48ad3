"""Generation of a whole catalogue in one task."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_claid.batch.batch import Batch, BatchTerms
from airflow_claid.batch.concurrency import MOST_THREADS
from airflow_claid.batch.counts import STATUSES, BatchCounts
from airflow_claid.batch.items import ItemRow, Items
from airflow_claid.batch.manifest import Manifest, check_address
from airflow_claid.batch.progress import Progress
from airflow_claid.client import ClaidValidationError, GenerateRequest
from airflow_claid.client.models.base import UNKNOWN
from airflow_claid.client.text import shortened
from airflow_claid.errors import is_retryable
from airflow_claid.fulfilment.fulfilment import Fulfilment
from airflow_claid.fulfilment.receipt_stores import FolderReceipts, KnownReceipts
from airflow_claid.fulfilment.spare_receipts import SparedReceipts, SpareReceipts
from airflow_claid.operators.bases.blocked import ON_BLOCKED, end_as_told
from airflow_claid.operators.bases.lineage import report_lineage
from airflow_claid.operators.bases.paying import ClaidPayingOperator, failing_at_once, spare_receipts
from airflow_claid.orders.fingerprint import fingerprint
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.orders.order import Order
from airflow_claid.parameters import choice, is_literal, mapping, number, optional, refusing_at_once, seconds
from airflow_claid.storage.addresses import without_connection
from airflow_claid.storage.checksums import checksum_if_there
from airflow_claid.storage.listing import Inventory
from airflow_claid.storage.places import (
    RECEIPTS_FOLDER,
    Place,
    checked_name,
    generation_place,
    stem_of,
)
from airflow_claid.version_compat import AirflowException, AirflowFailException, task_state_store

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

ON_ERROR = ("continue", "fail")
_KILLED = "The task was killed or timed out"


class ImageGenerationBatchOperator(ClaidPayingOperator):
    """Generate images for many prompts in one task: a hundred thousand of them, in one worker slot.

    Requests are paced by the account's quota, with any number of threads and, with a ``quota_store`` in the connection,
    of workers. Costs 1 credit an image; a prompt that is twice in the input with the same name is paid for once. Files
    are read as a stream, so memory grows little with the number of prompts.

    Nothing is paid for twice: a retry, a clear or a new run reads the manifest and the receipts and resumes from there.
    A picture that was removed or replaced since is requested, and paid for, again. A prompt that fails for a passing
    reason is tried up to 4 times before it counts as failed. When the task is killed or times out, running requests are
    finished and nothing more is sent.

    :param prompts: (templated) a list of texts, or of dicts with ``prompt`` and, if wanted, ``name``,
        ``number_of_images`` and ``guidance_scale``; the result of an upstream task; or the address of a file with
        these columns, or a list of such, anywhere Airflow can read: ``.csv``, ``.tsv``, ``.jsonl`` (each also with
        ``.gz``), ``.parquet`` (extra ``airflow-claid[parquet]``). Texts of a list in the DAG file are rendered, unless
        ``airflow.sdk.literal`` wraps them; those of upstream tasks and files are not.
    :param output: (templated) folder of the pictures, of the receipts and of the manifest: object storage (``s3://``,
        ``gs://``, ``file://``), or a connected storage (``storage://NAME/PATH/``) that the connection maps.
    :param number_of_images: (templated) 1 to 4, for rows that name none.
    :param guidance_scale: (templated) 1 to below 50, for rows that name none.
    :param columns: (templated) what the file calls our columns, where it is another name: ``{"prompt": "Caption"}``.
        A number is a position, from 0, also in rows without names; ``None`` leaves a column out.
    :param shard: (templated) ``(k, n)``: only the rows k+1, k+1+n, k+1+2n, …, to split one file among n mapped tasks.
    :param manifest: (templated) address of the manifest; default: in ``output``, named after the prompts' file. Each
        batch needs its own.
    :param concurrency: (templated) prompts running at once; default: as many as the quota and the duration of a
        request require.
    :param on_blocked: (templated) ``"keep"``: blocked prompts are rows of the manifest, and the task succeeds;
        ``"fail"``: the task fails at the end if a prompt was blocked; ``"skip"``: it is skipped if all were.
    :param on_error: (templated) ``"continue"`` with the others, or ``"fail"`` at the first prompt that fails.
    :param error_threshold: (templated) the task fails if more than this share (0 to 1) of the prompts failed or were
        invalid; after the first 100, it stops as soon as the share is exceeded.
    :param report_seconds: (templated) how often the progress is logged and stored in Airflow's ``task_state_store``
        (3.3+, key ``claid_progress``).
    :param max_credits: (templated) a ceiling for each execution: the task stops before it is exceeded, and its error
        says how many prompts are left.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``on_lost_response``, ``lost_response_grace`` and
        ``claid_conn_id``.
    :returns: a summary: ``manifest`` (its address), ``items``, ``done``, ``blocked``, ``failed``, ``invalid``,
        ``duplicate``, ``reused`` (items that cost this execution nothing), ``images``, ``credits``,
        ``credits_in_doubt`` (for requests whose answer was lost), ``seconds``. The manifest has a line of JSON for each
        row of the input, with the paths of its pictures. The XCom ``manifest`` holds its address alone.
    :raises AirflowFailException: if a retry cannot help: wrong parameters, key or scope, or no credits left.
    """

    template_fields: Sequence[str] = (
        "prompts",
        "output_path",
        "number_of_images",
        "guidance_scale",
        "columns",
        "shard",
        "manifest",
        "concurrency",
        "on_blocked",
        "on_error",
        "error_threshold",
        "report_seconds",
        *ClaidPayingOperator.terms_template_fields,
    )
    ui_color = "#e6f0ff"

    def __init__(
        self,
        *,
        prompts: str | ObjectStoragePath | Sequence[Any],
        output: str,
        number_of_images: int | str = 1,
        guidance_scale: float | str = 5.0,
        columns: Mapping[str, str | int | None] | None = None,
        shard: Sequence[int] | str | None = None,
        manifest: str | None = None,
        concurrency: int | str | None = None,
        on_blocked: str = "keep",
        on_error: str = "continue",
        error_threshold: float | str = 0.1,
        report_seconds: float | str = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompts = prompts
        self.output_path = output
        self.number_of_images = number_of_images
        self.guidance_scale = guidance_scale
        self.columns = columns
        self.shard = shard
        self.manifest = manifest
        self.concurrency = concurrency
        self.on_blocked = on_blocked
        self.on_error = on_error
        self.error_threshold = error_threshold
        self.report_seconds = report_seconds
        self._batch: Batch | None = None
        self._killed = False
        with refusing_at_once():
            if is_literal([number_of_images, guidance_scale]):
                GenerateRequest.check_known(UNKNOWN, number(number_of_images), number(guidance_scale))
            if is_literal(output):
                _folder(output)
            if is_literal([concurrency, on_error, error_threshold]):
                self._batch_terms()
            if is_literal([on_blocked, report_seconds, shard]):
                choice(on_blocked, "on_blocked", ON_BLOCKED)
                seconds(report_seconds, "report_seconds")
                _shard(shard)

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Fulfil all prompts, reusing paid ones, and return a summary."""
        began = time.monotonic()
        with failing_at_once(f"prompts={shortened(self.prompts)}"):
            self._terms()  # a wrong parameter is refused before the prompts are read
            self._budget()
            terms, place, shard = self._batch_terms(), _folder(self.output_path), _shard(self.shard)
            choice(self.on_blocked, "on_blocked", ON_BLOCKED)
            pace = seconds(self.report_seconds, "report_seconds")
            prompts = Items(self.prompts, columns=_columns(self.columns), shard=shard)
            total = prompts.count()
            self._check_place(place)
            folder = self.hook.storages.readable_uri(place.folder)
            source = self._source(prompts, place, shard)
            content = _content(prompts.addresses)
            address = self._manifest_address(prompts, folder, source)
            manifest = Manifest(folder, fingerprint(**source, place={"content": content}), address)
            try:
                pictures = Inventory(folder, recursive=place.is_written_by_claid)
                regenerate, landing = self._terms().regenerate, self._landing(place)
                client, fulfilment = self.hook.client, self._fulfilment(context)
                self._batch = Batch(
                    rows=prompts,
                    order_of=lambda row: self._order(row, place, landing),
                    fulfilment=self._fulfilments(fulfilment, folder + RECEIPTS_FOLDER, spare_receipts(context)),
                    budget=fulfilment.budget,
                    manifest=manifest,
                    still_there=lambda row: not regenerate and _still_there(row, place, pictures),
                    quota_rate=lambda: client.fastest_rate,
                    latency=lambda: client.latency,
                    terms=terms,
                    report=Progress(total, lambda: client.quota_used, task_state_store(context)),
                    report_seconds=pace,
                )
                self._find_page(place, [])
                self._push_links(context)
                counts = self._work_through(context, self._batch, total)
                address = manifest.finish()
                written = chain([address], manifest.index.paths())
                report_lineage(self.hook, inputs=prompts.addresses, outputs=written)
                summary = {
                    "manifest": address,
                    "items": counts.items,
                    **{status: counts.by_status[status] for status in STATUSES},
                    "reused": counts.reused,
                    "images": counts.images,
                    "credits": counts.credits,
                    "credits_in_doubt": counts.credits_in_doubt,
                    "seconds": round(time.monotonic() - began, 1),
                }
            finally:
                manifest.close()
        self.log.info("%s", summary)
        context["ti"].xcom_push(key="summary", value=summary)
        context["ti"].xcom_push(key="manifest", value=summary["manifest"])
        self._fail_if_it_should(counts, summary)
        return summary

    def on_kill(self) -> None:
        """Send nothing more, and finish running requests as far as Airflow leaves time for it."""
        self._killed = True
        if self._batch is not None:
            self._batch.stop(_KILLED)

    def _work_through(self, context: Context, batch: Batch, total: int) -> BatchCounts:
        if self._killed:
            batch.stop(_KILLED)
        try:
            return batch.run()
        except Exception as error:
            raise _with_what_is_left(error, batch.counts, total) from error
        finally:
            context["ti"].xcom_push(key="credits", value=batch.counts.credits)

    def _fulfilments(
        self, fulfilment: Fulfilment, receipts: str, spares: SpareReceipts
    ) -> Callable[[bool], Fulfilment]:
        """Return the fulfilment for the first attempt at a prompt, or a later one: the first needs few lookups."""
        terms = replace(fulfilment.terms, wait_for_answers=False)
        known, all_receipts = (
            SparedReceipts(KnownReceipts(receipts, Inventory(receipts, recursive=False).has), spares),
            SparedReceipts(FolderReceipts(receipts), spares),
        )
        first = replace(fulfilment, terms=terms, receipts=lambda _: known)
        again = replace(fulfilment, terms=terms, receipts=lambda _: all_receipts)
        return lambda is_first: first if is_first else again

    def _order(self, row: ItemRow, place: Place, landing: str | None) -> Order:
        return GenerateOrder(
            base_url=self.hook.client.base_url,
            place=place,
            landing=landing,
            name=checked_name(row.name) if row.name is not None else None,
            request=self._request(**row.values),
        )

    def _request(self, prompt: Any, number_of_images: Any = None, guidance_scale: Any = None) -> GenerateRequest:
        return GenerateRequest.of(
            prompt,
            number_of_images=number(self.number_of_images if number_of_images is None else number_of_images),
            guidance_scale=number(self.guidance_scale if guidance_scale is None else guidance_scale),
        )

    def _batch_terms(self) -> BatchTerms:
        threshold = number(self.error_threshold)
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
            raise ClaidValidationError(f"error_threshold={self.error_threshold!r} must be a share from 0 to 1")
        concurrency = None if self.concurrency in (None, "", "None") else number(self.concurrency)
        if concurrency is not None and (type(concurrency) is not int or not 1 <= concurrency <= MOST_THREADS):
            raise ClaidValidationError(
                f"concurrency={self.concurrency!r} must be 1 to {MOST_THREADS}, or None to follow the quota"
            )
        return BatchTerms(
            concurrency=concurrency,
            on_error=choice(self.on_error, "on_error", ON_ERROR),
            error_threshold=float(threshold),
        )

    def _source(self, given: Items, place: Place, shard: tuple[int, int] | None) -> dict[str, Any]:
        """Return what identifies the batch: the same in each attempt and run, whatever a file holds by then."""
        if len(given.addresses) == 1:
            prompts = without_connection(given.addresses[0])
        else:
            items: list[object] = [without_connection(address) for address in given.addresses] or list(given.items)
            prompts = hashlib.sha256(json.dumps(items, default=str, skipkeys=True).encode()).hexdigest()
        return {
            "base_url": self.hook.client.base_url,
            "operation": "generate_image",
            "body": {
                "prompts": prompts,
                "folder": without_connection(place.folder),
                "defaults": [number(self.number_of_images), number(self.guidance_scale)],
                "shard": shard,
            },
        }

    def _manifest_address(self, given: Items, folder: str, source: Mapping[str, Any]) -> str:
        if self.manifest not in (None, "", "None"):
            address = self.hook.storages.readable_uri(str(self.manifest))
            check_address(address)
            return address
        stem = stem_of(given.addresses[0]) if given.addresses else "prompts"
        return f"{folder}manifest-{stem}-{fingerprint(**source, place={})[:8]}.jsonl"

    def _fail_if_it_should(self, counts: BatchCounts, summary: Mapping[str, Any]) -> None:
        share = number(self.error_threshold)
        if counts.share_failed > share:
            message = (
                f"{counts.by_status['failed']} prompts failed and {counts.by_status['invalid']} were invalid, of "
                f"{counts.items}: more than error_threshold={share:g}. The manifest has the reason of each: "
                f"{summary['manifest']}. Paid results are kept and not paid for again"
            )
            raise (AirflowException if counts.by_status["failed"] else AirflowFailException)(message)
        blocked = counts.by_status["blocked"]
        if blocked:
            message = (
                f"Claid's content filter blocked {blocked} prompts; the manifest names them: {summary['manifest']}"
            )
            end_as_told(
                self.on_blocked,
                failed=f"{message}. Change the prompts, or set on_blocked='keep'",
                skipped=None if counts.by_status["done"] else message,
            )


def _columns(columns: object) -> Mapping[str, str | int | None] | None:
    if optional(columns) is None:
        return None
    return mapping(columns, "columns", "{'prompt': 'Caption', 'name': 'sku'}")


def _content(addresses: Sequence[str]) -> str | None:
    """Return what tells one content of the files from another; ``None`` where there are none."""
    checksums = [checksum_if_there(address, "prompts") for address in addresses]
    return checksums[0] if len(checksums) == 1 else "|".join(map(str, checksums)) or None


def _folder(output: object) -> Place:
    place = generation_place(output)  # type: ignore[arg-type]
    if place.is_temporary:
        raise ClaidValidationError(
            f"output={output!r}: a batch keeps its receipts and its manifest beside the pictures: set a folder, "
            "s3://…/, gs://…/, file:///…/ or storage://NAME/…/"
        )
    return place


def _shard(shard: object) -> tuple[int, int] | None:
    if shard in (None, "", "None"):
        return None
    parts = shard.strip("()[] ").split(",") if isinstance(shard, str) else shard
    if not isinstance(parts, (list, tuple)) or len(parts) != 2:
        raise ClaidValidationError(f"shard={shard!r} must be (k, n): the k-th, from 0, of n parts")
    return number(parts[0]), number(parts[1])


def _still_there(row: Mapping[str, Any], place: Place, inventory: Inventory) -> bool:
    """Return whether the pictures of a manifest's row are in place, with the content that was delivered.

    Of a row that somebody spoiled nobody knows: its receipt tells.
    """
    paths, checksums, sizes = (row.get(key) for key in ("paths", "checksums", "bytes"))
    if not (isinstance(paths, list) and isinstance(checksums, list) and isinstance(sizes, list)):
        return False
    if not len(paths) == len(checksums) == len(sizes):
        return False
    return all(
        isinstance(path, str)
        and without_connection(path).startswith(without_connection(place.folder))
        and inventory.holds(place.path_in(path), checksum=checksum, size=size)
        for path, checksum, size in zip(paths, checksums, sizes, strict=True)
    )


def _with_what_is_left(error: Exception, counts: BatchCounts, total: int) -> Exception:
    """Return the error with the batch's progress in its message."""
    doubtful = f" (and perhaps {counts.credits_in_doubt:g} more, for lost answers)" if counts.credits_in_doubt else ""
    message = (
        f"{str(error).rstrip('.')}. {counts.items} of {total} prompts have ended, {counts.by_status['done']} of them "
        f"with pictures, {total - counts.items} are left; {counts.credits:g} credits were spent by this "
        f"execution{doubtful}. Paid results are kept: a retry or a clear resumes from there"
    )
    return AirflowException(message) if is_retryable(error) else AirflowFailException(message)
