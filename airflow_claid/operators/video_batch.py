"""Videos of a whole catalogue of pictures in one task."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_claid.batch.items import ItemKind
from airflow_claid.client import JobKind
from airflow_claid.operators.bases.job_terms import JobTermsOperator
from airflow_claid.operators.bases.picture_batch import InputBatchOperator
from airflow_claid.operators.video import VideoParameters


class ImageToVideoBatchOperator(VideoParameters, JobTermsOperator, InputBatchOperator):
    """Set a whole catalogue of pictures in motion, in one task: an MP4 of 5 or 10 seconds each.

    Costs 35 credits for 5 seconds, 70 for 10 (docs.claid.ai): set ``max_credits``.

    :param prompt: as for :class:`ImageToVideoOperator`; so are ``duration``, ``negative_prompt``, ``guidance_scale``,
        ``write_prompt`` and ``guidelines``, and the default of ``on_lost_response``.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param timeout: see :class:`JobTermsOperator`; so is ``poll_interval``.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *VideoParameters.request_fields,
        *JobTermsOperator.job_terms_fields,
        *InputBatchOperator.picture_fields,
    )
    ui_color = "#e8f4ff"
    operation = "submit_video"
    job_kind = JobKind.VIDEO
    item_kind = ItemKind("input", "input", VideoParameters.request_fields, pictures=True)
