"""Edits of a whole catalogue in one task: any, upscaling, resizing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.operators.bases.job_terms import JobTermsOperator
from airflow_claid.operators.bases.picture_batch import InputBatchOperator
from airflow_claid.operators.edit import AnyEditParameters, EditParameters, ResizeParameters, UpscaleParameters
from airflow_claid.parameters import is_literal, mapping, refusing_at_once, truth

if TYPE_CHECKING:
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.edit import EditOrder


class EditBatchOperator(EditParameters, JobTermsOperator, InputBatchOperator):
    """Base of the batches that edit.

    :param as_jobs: (templated) submit each edit as a job and poll it, instead of waiting for its answer: two requests
        and more for a picture, but an answer can be lost for milliseconds only. For edits that take so long that
        answers get lost, in a place where a lost one cannot be looked up. Default: false.
    """

    edit_batch_fields: tuple[str, ...] = (
        "as_jobs",
        *JobTermsOperator.job_terms_fields,
        *InputBatchOperator.picture_fields,
    )
    ui_color = "#e9f7ef"
    operation = "edit_image"

    def __init__(self, *, as_jobs: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.as_jobs = as_jobs
        with refusing_at_once():
            if is_literal(as_jobs):
                truth(as_jobs, "as_jobs")

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> EditOrder:
        order = super()._order(parameters, where, version)
        return replace(order, at_once=not truth(self.as_jobs, "as_jobs"))


class ImageEditBatchOperator(AnyEditParameters, EditBatchOperator):
    """Edit a whole catalogue of pictures with any of Claid's operations, in one task.

    We count 1 credit a picture (Claid publishes no price for editing). Each picture is a request of its own, with the
    same receipt as one of :class:`ImageEditOperator`: what either has paid for, the other does not pay again.

    :param operations: (templated) Claid's operations, e.g. ``{"background": {"remove": True}}``; checked by name and
        range. A column can say it for its row, and a column ``category`` the kind of product whose background is
        removed; so can columns for the next two.
    :param output_format: (templated) ``"jpeg"``, ``"png"``, ``"webp"``, ``"avif"``, ``"tiff"``, or a dict with options
        such as ``{"type": "jpeg", "quality": 90}``. ``None``: Claid's default, JPEG.
    :param metadata: (templated) ``{"dpi": 300, "color_space": "CMYK"}``; ``None``: Claid's default.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param as_jobs: see :class:`EditBatchOperator`; so are ``poll_interval`` and ``timeout``, for jobs.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *AnyEditParameters.request_fields,
        *EditBatchOperator.edit_batch_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"operations": "json", "metadata": "json"}
    item_kind: ItemKind = ItemKind("input", "input", (*AnyEditParameters.request_fields, "category"), pictures=True)

    def _operations(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        operations = mapping(super()._operations(parameters), "operations", "{'background': {'remove': True}}")
        return _in_category(operations, parameters.get("category"))


class ImageUpscaleBatchOperator(UpscaleParameters, EditBatchOperator):
    """Enlarge a whole catalogue of pictures with Claid's upscaler, in one task.

    We count 1 credit a picture. All else is as for :class:`ImageEditBatchOperator`.

    :param scale: (templated) how much larger: a percentage, ``"200%"`` by default, or the width in pixels. A column can
        say it for its row; so can columns for the next three.
    :param mode: (templated) ``"smart_enhance"``, the default, ``"smart_resize"``, ``"faces"``, ``"digital_art"`` or
        ``"photo"``.
    :param output_format: see :class:`ImageEditBatchOperator`; so is ``metadata``.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param as_jobs: see :class:`EditBatchOperator`; so are ``poll_interval`` and ``timeout``, for jobs.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *UpscaleParameters.request_fields,
        *EditBatchOperator.edit_batch_fields,
    )
    item_kind: ItemKind = ItemKind("input", "input", UpscaleParameters.request_fields, pictures=True)


class ImageResizeBatchOperator(ResizeParameters, EditBatchOperator):
    """Bring a whole catalogue of pictures to a size, in one task.

    We count 1 credit a picture; where plain interpolation will do, a line of Pillow in a task of yours costs nothing.
    All else is as for :class:`ImageEditBatchOperator`.

    :param width: (templated) pixels, a percentage such as ``"50%"``, or ``"auto"``, the default, to follow from the
        height. A column can say it for its row; so can columns for the next four.
    :param height: (templated) likewise; not both can be ``"auto"``.
    :param fit: (templated) ``"bounds"``, the default, fits the whole picture into the size. Others: ``"crop"``,
        ``"cover"``, ``"canvas"``, ``"outpaint"``, or a dict with options.
    :param output_format: see :class:`ImageEditBatchOperator`; so is ``metadata``.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param as_jobs: see :class:`EditBatchOperator`; so are ``poll_interval`` and ``timeout``, for jobs.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *ResizeParameters.request_fields,
        *EditBatchOperator.edit_batch_fields,
    )
    item_kind: ItemKind = ItemKind("input", "input", ResizeParameters.request_fields, pictures=True)


def _in_category(operations: Mapping[str, Any], category: object) -> Mapping[str, Any]:
    """Return the operations with a row's category of product, for the removal of its background, where there is one."""
    background = operations.get("background")
    remove = background.get("remove") if isinstance(background, Mapping) else None
    if category is None or not remove or not isinstance(background, Mapping):
        return operations
    options = remove if isinstance(remove, Mapping) else {}
    return {**operations, "background": {**background, "remove": {**options, "category": category}}}
