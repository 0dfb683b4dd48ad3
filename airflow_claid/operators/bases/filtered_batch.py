"""Batches of the operations whose images go through Claid's content filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_claid.batch.counts import BatchCounts
from airflow_claid.operators.bases.batch import ClaidBatchOperator
from airflow_claid.operators.bases.batch_endings import end_if_blocked
from airflow_claid.operators.bases.blocked import ON_BLOCKED
from airflow_claid.parameters import choice, is_literal, refusing_at_once


class FilteredBatchOperator(ClaidBatchOperator):
    """Base of the batches whose images go through Claid's content filter.

    :param on_blocked: (templated) ``"keep"``: blocked items are rows of the manifest, and the task succeeds;
        ``"fail"``: the task fails at the end if an item was blocked; ``"skip"``: it is skipped if all were.
    """

    filtered_fields: tuple[str, ...] = ("on_blocked",)

    def __init__(self, *, on_blocked: str = "keep", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_blocked = on_blocked
        with refusing_at_once():
            if is_literal(on_blocked):
                self._check_batch()

    def _check_batch(self) -> None:
        choice(self.on_blocked, "on_blocked", ON_BLOCKED)

    def _end_batch(self, counts: BatchCounts, summary: Mapping[str, Any]) -> None:
        super()._end_batch(counts, summary)
        end_if_blocked(counts, summary, self.on_blocked)
