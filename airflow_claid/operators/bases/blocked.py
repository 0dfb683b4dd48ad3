"""What to do where the content filter blacked out every image."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_claid.client.text import shortened
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.version_compat import AirflowFailException, AirflowSkipException

log = logging.getLogger(__name__)

ON_BLOCKED = ("fail", "skip", "keep")


def end_without_images(results: Sequence[Fulfilled], on_blocked: str) -> None:
    """End a task none of whose images is good, as ``on_blocked`` says.

    :raises AirflowFailException: for ``"fail"``: a retry gives the same black image.
    :raises AirflowSkipException: for ``"skip"``.
    """
    number = sum(len(result.images) for result in results)
    spent = sum(result.credits for result in results)
    subjects = ", ".join(shortened(result.order.prompt or result.order.subject) for result in results)
    problem = (
        f"Claid's content filter blacked out all {number} images of the prompt {subjects} ({spent:g} credits spent by "
        "this run). Change the prompt"
    )
    end_as_told(on_blocked, failed=f"{problem}, or set on_blocked='skip'.", skipped=f"{problem}.")
    log.warning("%s; going on without images (on_blocked='keep')", problem)


def end_as_told(on_blocked: str, *, failed: str, skipped: str | None) -> None:
    """Fail or skip a task whose images were blocked, as ``on_blocked`` says.

    :param failed: the message where the task fails.
    :param skipped: the message where it is skipped; ``None`` where it is not, because some images are good.
    :raises AirflowFailException: for ``"fail"``.
    :raises AirflowSkipException: for ``"skip"``.
    """
    if on_blocked == "fail":
        raise AirflowFailException(failed)
    if on_blocked == "skip" and skipped is not None:
        raise AirflowSkipException(skipped)
