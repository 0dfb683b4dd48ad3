"""What to do where the content filter blocked every image."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client.text import listed, shortened
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.parameters import choice, is_literal, refusing_at_once
from airflow_claid.version_compat import AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.fulfilment.fulfilment import Fulfilled
    from airflow_claid.fulfilment.task_orders import TaskOrders

log: logging.Logger = logging.getLogger(__name__)

ON_BLOCKED = ("fail", "skip", "keep")


class FilteredOperator(ClaidPayingOperator):
    """Base of the operators whose images go through Claid's content filter.

    :param on_blocked: (templated) what to do where the filter blocked every image: ``"fail"`` without a retry,
        ``"skip"``, or ``"keep"`` going with an empty result.
    """

    def __init__(self, *, on_blocked: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_blocked = on_blocked
        with refusing_at_once():
            if is_literal(on_blocked):
                self._check_on_blocked()

    def _check_on_blocked(self) -> str:
        return choice(self.on_blocked, "on_blocked", ON_BLOCKED)

    def _end(self, context: Context, task_orders: TaskOrders, results: Sequence[Fulfilled]) -> list[str]:
        usable = super()._end(context, task_orders, results)
        if results and not usable:
            end_without_images(results, self._check_on_blocked())
        return usable


def end_without_images(results: Sequence[Fulfilled], on_blocked: str) -> None:
    """End a task none of whose images is usable, as ``on_blocked`` says.

    :raises AirflowFailException: for ``"fail"``: a retry gives the same black image.
    :raises AirflowSkipException: for ``"skip"``.
    """
    number = sum(len(result.images) for result in results)
    spent = sum(result.credits for result in results)
    subjects = listed([shortened(result.order.prompt or result.order.subject) for result in results])
    problem = (
        f"Claid's content filter blocked all {number} images of the prompt {subjects} ({spent:g} credits spent by "
        "this run). Change the prompt"
    )
    end_as_told(on_blocked, failed=f"{problem}, or set on_blocked='skip'.", skipped=f"{problem}.")
    log.warning("%s; going on without images (on_blocked='keep')", problem)


def end_as_told(on_blocked: str, *, failed: str, skipped: str | None) -> None:
    """Fail or skip a task whose images were blocked, as ``on_blocked`` says.

    :param failed: the message where the task fails.
    :param skipped: the message where it is skipped; ``None`` where it is not, because some images are usable.
    :raises AirflowFailException: for ``"fail"``.
    :raises AirflowSkipException: for ``"skip"``.
    """
    if on_blocked == "fail":
        raise AirflowFailException(failed)
    if on_blocked == "skip" and skipped is not None:
        raise AirflowSkipException(skipped)
