"""Generation of a whole catalogue in one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.batch.items import PROMPTS
from airflow_claid.operators.bases.batch import ClaidBatchOperator
from airflow_claid.operators.bases.filtered_batch import FilteredBatchOperator
from airflow_claid.operators.generate import GenerationParameters
from airflow_claid.parameters import number

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class ImageGenerationBatchOperator(GenerationParameters, FilteredBatchOperator):
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
        *GenerationParameters.request_fields,
        *FilteredBatchOperator.filtered_fields,
        *ClaidBatchOperator.batch_fields,
    )
    ui_color = "#e6f0ff"
    item_kind = PROMPTS
    operation = "generate_image"

    def __init__(self, *, prompts: str | ObjectStoragePath | Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prompts = prompts

    def _defaults(self) -> dict[str, Any]:
        return {"defaults": [number(self.number_of_images), number(self.guidance_scale)]}
