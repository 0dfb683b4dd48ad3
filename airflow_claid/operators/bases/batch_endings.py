"""How the task of a batch ends: its summary, and the errors that say what is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_claid.batch.counts import STATUSES, BatchCounts
from airflow_claid.client.text import counted
from airflow_claid.operators.bases.blocked import end_as_told
from airflow_claid.version_compat import AirflowException, AirflowFailException, is_worth_a_retry


def summary_of(counts: BatchCounts, manifest: str, seconds: float) -> dict[str, Any]:
    """Return what the task returns."""
    return {
        "manifest": manifest,
        "items": counts.items,
        **{status: counts.by_status[status] for status in STATUSES},
        "reused": counts.reused,
        "images": counts.images,
        "credits": counts.credits,
        "credits_in_doubt": counts.credits_in_doubt,
        "seconds": round(seconds, 1),
    }


def shares_of(counts: BatchCounts) -> tuple[float, float]:
    """Return the shares of the items tried that were blocked, and that failed or were invalid."""
    return counts.by_status["blocked"] / max(1, counts.tried), counts.share_failed


def told(summary: Mapping[str, Any]) -> str:
    """Return a summary in words."""
    ended = ", ".join(f"{summary[status]:,} {status}" for status in STATUSES if summary[status]) or "nothing to do"
    credits_in_doubt = summary["credits_in_doubt"]
    doubt = f" and perhaps {counted(credits_in_doubt, 'credit')} more, for lost answers" if credits_in_doubt else ""
    return (
        f"{counted(summary['items'], 'item')}: {ended}; {summary['reused']:,} reused; "
        f"{counted(summary['images'], 'picture')}, {counted(summary['credits'], 'credit')} spent{doubt}, in "
        f"{summary['seconds']:g} s. The manifest is {summary['manifest']}"
    )


def fail_if_too_many_failed(counts: BatchCounts, summary: Mapping[str, Any], threshold: float) -> None:
    """Fail the task if more of its items failed than ``error_threshold`` allows.

    :raises AirflowException: if a retry may help.
    :raises AirflowFailException: if not.
    """
    if counts.share_failed <= threshold:
        return
    message = (
        f"{counted(counts.by_status['failed'], 'item')} failed and {counts.by_status['invalid']:,} invalid, of "
        f"{counts.tried}: more than error_threshold={threshold:g}. The manifest has the reason of each: "
        f"{summary['manifest']}. Paid results are kept and not paid for again"
    )
    raise (AirflowException if counts.by_status["failed"] else AirflowFailException)(message)


def end_if_blocked(counts: BatchCounts, summary: Mapping[str, Any], on_blocked: str) -> None:
    """Fail or skip the task if items were blocked, as ``on_blocked`` says.

    :raises AirflowFailException: for ``"fail"``.
    :raises AirflowSkipException: for ``"skip"``, if all were.
    """
    blocked = counts.by_status["blocked"]
    if blocked:
        message = f"Claid's content filter blocked {counted(blocked, 'item')}, see the manifest: {summary['manifest']}"
        end_as_told(
            on_blocked,
            failed=f"{message}. Change the prompts, or set on_blocked='keep'",
            skipped=None if counts.by_status["done"] else message,
        )


def with_what_is_left(error: Exception, counts: BatchCounts, total: int) -> Exception:
    """Return the error with the batch's progress in its message."""
    doubtful = f" (and perhaps {counts.credits_in_doubt:g} more, for lost answers)" if counts.credits_in_doubt else ""
    message = (
        f"{str(error).rstrip('.')}. {counts.items} of {total} items have ended, {counts.by_status['done']} of them "
        f"with pictures, {total - counts.items} are left; {counts.credits:g} credits were spent by this "
        f"execution{doubtful}. Paid results are kept: a retry or a clear resumes from there"
    )
    return AirflowException(message) if is_worth_a_retry(error) else AirflowFailException(message)
