"""AI edits of a whole catalogue in one task."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_claid.batch.items import ItemKind
from airflow_claid.client import JobKind
from airflow_claid.operators.ai_edit import AIEditParameters
from airflow_claid.operators.bases.filtered_batch import PromptedBatchOperator
from airflow_claid.operators.bases.job_terms import JobTermsOperator
from airflow_claid.operators.bases.picture_batch import InputBatchOperator


class ImageAIEditBatchOperator(AIEditParameters, JobTermsOperator, InputBatchOperator, PromptedBatchOperator):
    """Change a whole catalogue of pictures as a prompt says, in one task.

    Costs 2 credits an image (docs.claid.ai).

    :param prompt: as for :class:`ImageAIEditOperator`; so are ``model``, ``aspect_ratio``, ``inference_steps``,
        ``guidance_scale``, ``number_of_images`` and ``output_format``.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param on_blocked: see :class:`PromptedBatchOperator`; so is ``fallback_prompt``.
    :param timeout: see :class:`JobTermsOperator`; so is ``poll_interval``.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *AIEditParameters.request_fields,
        *PromptedBatchOperator.filtered_fields,
        *JobTermsOperator.job_terms_fields,
        *InputBatchOperator.picture_fields,
    )
    ui_color = "#f3e8ff"
    operation = "submit_ai_edit"
    job_kind = JobKind.AI_EDIT
    item_kind = ItemKind(
        "input", "input", AIEditParameters.request_fields + PromptedBatchOperator.row_fields, pictures=True
    )
