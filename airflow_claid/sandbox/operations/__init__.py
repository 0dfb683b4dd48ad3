"""The contract's operations: one file for each, with its address, scope, body, price and work."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox.operations import ai_edit, batch_edit, edit, fashion, generate, scene, storage, video
from airflow_claid.sandbox.pipeline import Operation

ALL: tuple[Operation[Any], ...] = (
    *generate.OPERATIONS,
    *edit.OPERATIONS,
    *batch_edit.OPERATIONS,
    *ai_edit.OPERATIONS,
    *fashion.OPERATIONS,
    *scene.OPERATIONS,
    *video.OPERATIONS,
    *storage.OPERATIONS,
)
