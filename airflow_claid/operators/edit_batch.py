"""Edits of a whole catalogue in one task: any, upscaling, resizing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_claid.batch.items import ItemKind
from airflow_claid.operators.bases.picture_batch import InputBatchOperator
from airflow_claid.operators.edit import AnyEditParameters, EditParameters, ResizeParameters, UpscaleParameters


class EditBatchOperator(EditParameters, InputBatchOperator):
    """Base of the batches that edit."""

    ui_color = "#e9f7ef"
    operation = "edit_image"


class ImageEditBatchOperator(AnyEditParameters, EditBatchOperator):
    """Edit a whole catalogue of pictures with any of Claid's operations, in one task.

    We count 1 credit a picture (Claid publishes no price for editing). Each picture is a request of its own, with the
    same receipt as one of :class:`ImageEditOperator`: what either has paid for, the other does not pay again.

    :param operations: as for :class:`ImageEditOperator`; so are ``output_format`` and ``metadata``.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *AnyEditParameters.request_fields,
        *InputBatchOperator.picture_fields,
    )
    template_fields_renderers = {"operations": "json", "metadata": "json"}  # noqa: RUF012 - Airflow's own form
    item_kind = ItemKind("input", "input", (*AnyEditParameters.request_fields, "category"))

    def _operations(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return _in_category(super()._operations(parameters), parameters.get("category"))


class ImageUpscaleBatchOperator(UpscaleParameters, EditBatchOperator):
    """Enlarge a whole catalogue of pictures with Claid's upscaler, in one task.

    :param scale: as for :class:`ImageUpscaleOperator`; so are ``mode``, ``output_format`` and ``metadata``.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *UpscaleParameters.request_fields,
        *InputBatchOperator.picture_fields,
    )
    item_kind = ItemKind("input", "input", UpscaleParameters.request_fields)


class ImageResizeBatchOperator(ResizeParameters, EditBatchOperator):
    """Bring a whole catalogue of pictures to a size, in one task.

    Claid is paid for each picture; where plain interpolation will do, a line of Pillow in a task of yours costs
    nothing.

    :param width: as for :class:`ImageResizeOperator`; so are ``height``, ``fit``, ``output_format`` and ``metadata``.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *ResizeParameters.request_fields,
        *InputBatchOperator.picture_fields,
    )
    item_kind = ItemKind("input", "input", ResizeParameters.request_fields)


def _in_category(operations: Mapping[str, Any], category: object) -> Mapping[str, Any]:
    """Return the operations with a row's category of product, for the removal of its background, where there is one."""
    background = operations.get("background")
    remove = background.get("remove") if isinstance(background, Mapping) else None
    if category is None or not remove or not isinstance(background, Mapping):
        return operations
    options = remove if isinstance(remove, Mapping) else {}
    return {**operations, "background": {**background, "remove": {**options, "category": category}}}
