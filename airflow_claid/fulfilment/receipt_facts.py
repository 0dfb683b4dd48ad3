"""A receipt as it may be shown: without links that open a bucket, and without the answer that it keeps."""

from __future__ import annotations

from typing import Any

from airflow_claid.client.redaction import without_logins, without_queries
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.receipt import Receipt
from airflow_claid.fulfilment.receipt_sums import cost_of
from airflow_claid.storage.signed_links import shown, shown_in


def brief_facts(receipt: Receipt) -> dict[str, Any]:
    """Return what tells one receipt from others, and what it has cost."""
    cost, author = cost_of(receipt), receipt.author
    return {
        "fingerprint": receipt.fingerprint,
        "state": receipt.state.value,
        "operation": receipt.operation,
        "name": receipt.name,
        "subject": shown_in(receipt.subject),
        "credits": cost.credits,
        "credits_in_doubt": None if cost.unknown else cost.credits_in_doubt,
        "images": sum(image.usable for image in receipt.images),
        "blocked_images": sum(image.blocked is True for image in receipt.images),
        "asked_at": receipt.asked_at,
        "paid_at": receipt.paid_at,
        "delivered_at": receipt.delivered_at,
        "request_id": receipt.request_id,
        "job_id": receipt.job_id,
        "dag_id": author.dag_id,
        "task_id": author.task_id,
        "run_id": author.run_id,
        "map_index": author.map_index,
        "try_number": author.try_number,
    }


def all_facts(receipt: Receipt) -> dict[str, Any]:
    """Return all that a receipt says; what was sent, and the pictures with their paths, too."""
    return {
        **brief_facts(receipt),
        "base_url": receipt.base_url,
        "output": shown(receipt.output),
        "edition": receipt.edition,
        "lost_answers": receipt.lost_answers,
        "reasons": [without_queries(without_logins(reason)) for reason in receipt.reasons],
        "fallback_of": receipt.fallback_of,
        "body": shown_in(receipt.body),
        "pictures": [_picture(image) for image in receipt.images],
    }


def _picture(image: DeliveredImage) -> dict[str, Any]:
    link = image.path or image.tmp_url
    return {
        "path": None if link is None else shown(link),
        "blocked": image.blocked,
        "width": image.width,
        "height": image.height,
        "mime": image.mime,
        "bytes": image.bytes,
        "sha256": image.sha256,
        "expires_at": image.expires_at,
    }
