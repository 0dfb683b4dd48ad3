"""AI edits of a whole catalogue in one task."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.client import JobKind
from airflow_claid.operators.ai_edit import AIEditParameters
from airflow_claid.operators.bases.filtered_batch import PromptedBatchOperator
from airflow_claid.operators.bases.job_terms import JobTermsOperator
from airflow_claid.operators.bases.picture_batch import InputBatchOperator


class ImageAIEditBatchOperator(AIEditParameters, JobTermsOperator, InputBatchOperator, PromptedBatchOperator):
    """Change a whole catalogue of pictures as a prompt says, in one task.

    Costs 2 credits an image (docs.claid.ai). Each picture is a job of its own, with the same receipt as one of
    :class:`ImageAIEditOperator`: what either has paid for, the other does not pay again, and a retry waits for the
    same jobs. Each of the first seven parameters can also be a column, for its row.

    :param prompt: (templated) 3 to 5000 characters: what to change; ``None``: each row says its own.
    :param model: (templated) ``"v1"`` or ``"v2"``; ``None``: Claid's default, v2.
    :param aspect_ratio: (templated) such as ``"16:9"``, with v1; ``None``: Claid's default.
    :param inference_steps: (templated) 1 to 50, with v1; ``None``: Claid's default.
    :param guidance_scale: (templated) 1 to 10, with v1: how closely to follow the prompt; ``None``: Claid's default.
    :param number_of_images: (templated) 1, the default, to 4 for each picture.
    :param output_format: (templated) ``"png"`` or ``"jpeg"``; ``None``: Claid's default, PNG.
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
    job_kind: JobKind = JobKind.AI_EDIT
    item_kind: ItemKind = ItemKind(
        "input", "input", AIEditParameters.request_fields + PromptedBatchOperator.row_fields, pictures=True
    )
