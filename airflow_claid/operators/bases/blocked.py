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
    said = (
        f"Claid's content filter blacked out all {number} images of the prompt {subjects} ({spent:g} credits spent by "
        "this run). Change the prompt"
    )
    if on_blocked == "fail":
        raise AirflowFailException(f"{said}, or set on_blocked='skip'.")
    if on_blocked == "skip":
        raise AirflowSkipException(f"{said}.")
    log.warning("%s; going on without images (on_blocked='keep')", said)
