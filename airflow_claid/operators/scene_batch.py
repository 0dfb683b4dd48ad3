"""Scenes for a whole catalogue of products in one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.operators.bases.filtered_batch import PromptedBatchOperator
from airflow_claid.operators.bases.picture_batch import InputBatchOperator
from airflow_claid.operators.scene import SceneParameters


class BackgroundGenerationBatchOperator(SceneParameters, InputBatchOperator, PromptedBatchOperator):
    """Put a whole catalogue of products into scenes, in one task.

    We count 1 credit an image (Claid publishes no price), and half a credit more for each request whose prompt Claid
    writes. The API key needs the scope *Admin*. Each product is a request of its own, with the same receipt as one of
    :class:`BackgroundGenerationOperator`: what either has paid for, the other does not pay again.

    :param prompt: as for :class:`BackgroundGenerationOperator`; so are ``template``, ``effect``, ``view``,
        ``template_mode``, ``placement``, ``position``, ``scale``, ``rotation``, ``padding``, ``color``,
        ``aspect_ratio``, ``negative_prompt``, ``write_prompt``, ``guidelines``, ``options``, ``number_of_images`` and
        ``output_format``. Each can also be a column, for its row.
    :param input: see :class:`InputBatchOperator`; so are ``recursive``, ``suffixes`` and ``modified_since``.
    :param on_blocked: see :class:`PromptedBatchOperator`; so is ``fallback_prompt``.
    :param output: see :class:`ClaidBatchOperator`; so are all other parameters and the result.
    """

    template_fields: Sequence[str] = (
        "input",
        *SceneParameters.request_fields,
        *PromptedBatchOperator.filtered_fields,
        *InputBatchOperator.picture_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json"}
    ui_color = "#fff6d6"
    operation = "create_scene"
    item_kind: ItemKind = ItemKind(
        "input", "input", SceneParameters.request_fields + PromptedBatchOperator.row_fields, pictures=True
    )
