"""Garments of a whole catalogue shown on persons, in one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.client import JobKind
from airflow_claid.operators.bases.filtered_batch import FilteredBatchOperator
from airflow_claid.operators.bases.job_terms import JobTermsOperator
from airflow_claid.operators.bases.picture_batch import PictureBatchOperator
from airflow_claid.operators.fashion import FashionParameters

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class FashionModelBatchOperator(FashionParameters, JobTermsOperator, PictureBatchOperator, FilteredBatchOperator):
    """Show the garments of a whole catalogue on persons, in one task: each item is an outfit.

    Costs 2 credits an image (docs.claid.ai).

    :param clothing: (templated) the garments, by the same sources as ``input`` of :class:`InputBatchOperator`, with a
        column ``clothing``: a picture, or a list of up to 5 that are worn together.
    :param model: as for :class:`FashionModelOperator`; so are ``pose``, ``background``, ``aspect_ratio``,
        ``number_of_images`` and ``output_format``.
    :param recursive: see :class:`PictureBatchOperator`; so are ``suffixes`` and ``modified_since``.
    :param on_blocked: see :class:`FilteredBatchOperator`.
    :param timeout: see :class:`JobTermsOperator`; so is ``poll_interval``.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "clothing",
        *FashionParameters.request_fields,
        *FilteredBatchOperator.filtered_fields,
        *JobTermsOperator.job_terms_fields,
        *PictureBatchOperator.picture_fields,
    )
    ui_color = "#ffeaf2"
    operation = "submit_fashion_model"
    job_kind: JobKind = JobKind.FASHION_MODEL
    item_kind: ItemKind = ItemKind(
        "clothing", "clothing", FashionParameters.request_fields, pictures=True, several=True
    )

    def __init__(self, *, clothing: str | ObjectStoragePath | Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.clothing = clothing
