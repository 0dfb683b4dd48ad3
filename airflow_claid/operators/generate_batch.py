"""Generation of a whole catalogue in one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_claid.batch.item_kind import PROMPTS, ItemKind
from airflow_claid.operators.bases.batch import ClaidBatchOperator
from airflow_claid.operators.bases.filtered_batch import PromptedBatchOperator
from airflow_claid.operators.generate import GenerationParameters
from airflow_claid.parameters import number

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class ImageGenerationBatchOperator(GenerationParameters, PromptedBatchOperator):
    """Generate images for many prompts in one task: a hundred thousand of them, in one worker slot.

    Costs 1 credit an image; a prompt that is twice in the input with the same name is paid for once. What a retry, a
    clear, a new run or a kill does is said at :class:`~airflow_claid.operators.bases.batch.ClaidBatchOperator`.

    :param prompts: (templated) a list of texts, or of dicts with ``prompt`` and, if wanted, ``name``,
        ``number_of_images``, ``guidance_scale`` and ``fallback_prompt``; the result of an upstream task; or the address
        of a file with these columns, a list of such, or a glob of them, anywhere Airflow can read: ``.csv``, ``.tsv``,
        ``.jsonl`` or ``.parquet`` (extra ``airflow-claid[parquet]``), each also with ``.gz``. Texts of a list in the
        DAG file are rendered, unless ``airflow.sdk.literal`` wraps them; those of upstream tasks and files are not.
    :param number_of_images: (templated) 1, the default, to 4, for rows that name none.
    :param guidance_scale: (templated) 1 to below 50, for rows that name none: how closely to follow the prompt;
        default: 5.
    :param on_blocked: see :class:`~airflow_claid.operators.bases.filtered_batch.PromptedBatchOperator`; so is
        ``fallback_prompt``.
    :param output: see :class:`~airflow_claid.operators.bases.batch.ClaidBatchOperator`; so are all other parameters and
        the result.
    """

    template_fields: Sequence[str] = (
        "prompts",
        *GenerationParameters.request_fields,
        *PromptedBatchOperator.filtered_fields,
        *ClaidBatchOperator.batch_fields,
    )
    ui_color = "#e6f0ff"
    item_kind: ItemKind = replace(PROMPTS, overrides=(*PROMPTS.overrides, *PromptedBatchOperator.row_fields))
    operation = "generate_image"

    def __init__(self, *, prompts: str | ObjectStoragePath | Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prompts = prompts

    def _defaults(self) -> dict[str, Any]:
        return {"defaults": [number(self.number_of_images), number(self.guidance_scale)]}
