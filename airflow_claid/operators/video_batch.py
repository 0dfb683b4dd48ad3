"""Videos of a whole catalogue of pictures in one task."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.client import JobKind
from airflow_claid.operators.bases.job_terms import JobTermsOperator
from airflow_claid.operators.bases.picture_batch import InputBatchOperator
from airflow_claid.operators.video import VideoParameters


class ImageToVideoBatchOperator(VideoParameters, JobTermsOperator, InputBatchOperator):
    """Set a whole catalogue of pictures in motion, in one task: an MP4 of 5 or 10 seconds each.

    Costs 35 credits for 5 seconds, 70 for 10 (docs.claid.ai): set ``max_credits``. The API key needs the scope *Admin*.
    Each picture is a job of its own, with the same receipt as one of :class:`ImageToVideoOperator`: what either has
    paid for, the other does not pay again, and a retry waits for the same jobs. Each of the first six parameters can
    also be a column, for its row.

    :param prompt: (templated) 3 to 5000 characters: what moves; ``None``: each row says its own, or ``write_prompt``.
    :param duration: (templated) seconds: 5, the default, or 10.
    :param negative_prompt: (templated) 3 to 5000 characters: what must not be there; default: none.
    :param guidance_scale: (templated) 0 to 1, how closely to follow the prompt; ``None``: Claid's default.
    :param write_prompt: (templated) have Claid write the prompts; not together with ``prompt``. Default: false.
    :param guidelines: (templated) 3 to 1000 characters: what Claid writes the prompts by; default: none.
    :param on_lost_response: (templated) ``"fail"``, the default here because of the price, or ``"resubmit"``.
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
    job_kind: JobKind = JobKind.VIDEO
    item_kind: ItemKind = ItemKind("input", "input", VideoParameters.request_fields, pictures=True)
