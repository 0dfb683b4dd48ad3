"""Batches of the operations whose images go through Claid's content filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.client.values import written_out
from airflow_claid.operators.bases.batch import ClaidBatchOperator
from airflow_claid.operators.bases.batch_endings import end_if_blocked
from airflow_claid.operators.bases.blocked import ON_BLOCKED
from airflow_claid.parameters import choice, is_literal, optional, refusing_at_once

if TYPE_CHECKING:
    from airflow_claid.batch.counts import BatchCounts
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.order import Order


class FilteredBatchOperator(ClaidBatchOperator):
    """Base of the batches whose images go through Claid's content filter.

    :param on_blocked: (templated) ``"keep"``, the default: blocked items are rows of the manifest, and the task
        succeeds; ``"fail"``: the task fails at the end if an item was blocked, without a retry; ``"skip"``: it is
        skipped if one was blocked and none gave a picture.
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


class PromptedBatchOperator(FilteredBatchOperator):
    """Base of the batches whose images are made from prompts, and go through Claid's content filter.

    :param fallback_prompt: (templated) a prompt, or a list of them tried in order, for items whose images all came back
        blocked: each is asked once, and paid for like the first; a retry pays for none of them again. A column of this
        name says it for its row. Default: none.
    """

    filtered_fields: tuple[str, ...] = (*FilteredBatchOperator.filtered_fields, "fallback_prompt")
    row_fields: tuple[str, ...] = ("fallback_prompt",)

    def __init__(self, *, fallback_prompt: str | Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fallback_prompt = fallback_prompt
        with refusing_at_once():
            if is_literal(fallback_prompt):
                _fallbacks(fallback_prompt)

    def _orders_of(self, parameters: Mapping[str, Any], where: Where, version: str | None) -> Order | Sequence[Order]:
        orders: dict[str, Order] = {}
        for number, prompt in enumerate([parameters["prompt"], *_fallbacks(parameters["fallback_prompt"])]):
            try:
                order = self._order({**parameters, "prompt": prompt}, where, version)
            except ClaidValidationError as error:
                if number == 0:
                    raise
                raise ClaidValidationError(f"fallback_prompt={shortened(prompt)}: {error}") from None
            orders.setdefault(order.fingerprint, order)
        return list(orders.values())


def _fallbacks(fallback_prompt: object) -> list[object]:
    """Return the prompts that are tried in order.

    :raises ClaidValidationError: if it is neither a text nor a list.
    """
    value = optional(fallback_prompt)
    if isinstance(value, str) and value.strip().startswith("["):
        value = written_out(value)
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)):
        return [prompt for prompt in value if optional(prompt) is not None]
    raise ClaidValidationError(f"fallback_prompt={shortened(value)} must be a prompt or a list of prompts")
