"""The receipt of a picture, as facts that a person can read."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_claid.client.redaction import without_logins, without_queries
from airflow_claid.errors import PlaceRefusedError, ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.plugins.gallery.files import Reach
from airflow_claid.plugins.gallery.pictures import Picture
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.storage.addresses import is_storage, path_of
from airflow_claid.storage.places import RECEIPTS_FOLDER

_FINGERPRINT = re.compile("[0-9a-f]{64}")
_FOLDERS_UP = 2


def receipt_of(picture: Picture, reach: Reach, connection: Callable[[], str]) -> Receipt | None:
    """Find the receipt beside a picture; ``None`` where there is none, or it cannot be read from here.

    It is in the folder that the task was given as ``output``: the picture's own, or the one above.
    """
    if not picture.fingerprint or not _FINGERPRINT.fullmatch(picture.fingerprint):
        return None
    for path in picture.paths[:1]:
        folder = path
        for _ in range(_FOLDERS_UP):
            folder = folder.rstrip("/").rpartition("/")[0] + "/"
            if not is_storage(folder) or not path_of(folder):
                break
            try:
                address = f"{reach.readable(folder, connection)}{RECEIPTS_FOLDER}"
                reach.file(f"{address}{picture.fingerprint}.json", connection)
                return FolderReceipts(address).read(picture.fingerprint)
            except (NotShownError, ReceiptUnreadableError, PlaceRefusedError):
                continue
    return None


def facts_of(receipt: Receipt) -> dict[str, str]:
    """Return what a receipt says, by the names that the page shows; links without what opens a bucket."""
    author = receipt.author
    index = f" [{author.map_index}]" if author.map_index >= 0 else ""
    facts = {
        "Receipt": receipt.state.value,
        "Operation": receipt.operation,
        "Claid": receipt.base_url,
        "Asked": _moment(receipt.asked_at),
        "Paid": _moment(receipt.paid_at),
        "Delivered": _moment(receipt.delivered_at),
        "Cost in all": f"{receipt.credits:g} credits" if receipt.credits != 1 else "1 credit",
        "In doubt": f"{receipt.credits_in_doubt:g} credits" if receipt.credits_in_doubt else "",
        "Times sent": str(receipt.edition) if receipt.edition > 1 else "",
        "Lost answers": str(receipt.lost_answers) if receipt.lost_answers else "",
        "Request": receipt.request_id or "",
        "Job": str(receipt.job_id or ""),
        "Paid by": f"{author.dag_id} · {author.task_id}{index} · {author.run_id}, try {author.try_number}",
        "Output": receipt.output,
        "Reasons": "; ".join(receipt.reasons),
    }
    return {name: without_queries(without_logins(value)) for name, value in facts.items() if value}


def _moment(text: str | None) -> str:
    return text.replace("T", " ").partition(".")[0].removesuffix("Z").partition("+")[0] + " UTC" if text else ""
