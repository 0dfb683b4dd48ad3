"""The parameters of batches, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_claid.batch.concurrency import MOST_THREADS
from airflow_claid.batch.terms import BatchTerms
from airflow_claid.client import ClaidValidationError
from airflow_claid.parameters import choice, mapping, number, optional
from airflow_claid.storage.addresses import is_glob
from airflow_claid.storage.places import Place, folder_place, stem_of

ON_ERROR = ("continue", "fail")


def batch_terms(*, concurrency: object, on_error: object, error_threshold: object) -> BatchTerms:
    """Return the terms of a batch.

    :raises ClaidValidationError: naming the parameter, its value and the remedy.
    """
    threshold = number(error_threshold)
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        raise ClaidValidationError(f"error_threshold={error_threshold!r} must be a share from 0 to 1")
    threads = number(optional(concurrency))
    if threads is not None and (type(threads) is not int or not 1 <= threads <= MOST_THREADS):
        raise ClaidValidationError(
            f"concurrency={concurrency!r} must be 1 to {MOST_THREADS}, or None to follow the quota"
        )
    return BatchTerms(
        concurrency=threads, on_error=choice(on_error, "on_error", ON_ERROR), error_threshold=float(threshold)
    )


def batch_folder(output: str | None) -> Place:
    """Read the ``output`` of a batch: a folder that Airflow can write to.

    :raises ClaidValidationError: naming the value and the remedy.
    """
    place = folder_place(output)
    if place.is_temporary:
        raise ClaidValidationError(
            f"output={output!r}: a batch keeps its receipts and its manifest beside the pictures: set a folder, "
            "s3://…/, gs://…/, file:///…/ or storage://NAME/…/"
        )
    return place


def columns_of(columns: object, subject: str) -> Mapping[str, str | int | None] | None:
    """Return what a file calls our columns; ``None`` where it calls them the same.

    :raises ClaidValidationError: if it is no dict.
    """
    if optional(columns) is None:
        return None
    return mapping(columns, "columns", f"{{{subject!r}: 'Caption', 'name': 'sku'}}")


def shard_of(shard: object) -> tuple[int, int] | None:
    """Return which part of the rows is asked for; ``None`` for all.

    :raises ClaidValidationError: if it is no pair of numbers.
    """
    if shard in (None, "", "None"):
        return None
    parts = shard.strip("()[] ").split(",") if isinstance(shard, str) else shard
    if not isinstance(parts, (list, tuple)) or len(parts) != 2:
        raise ClaidValidationError(f"shard={shard!r} must be (k, n): the k-th, from 0, of n parts")
    return number(parts[0]), number(parts[1])


def preview_of(preview: object) -> int | None:
    """Return how many items are wanted; ``None`` for all.

    :raises ClaidValidationError: if it is no number of items.
    """
    items = number(optional(preview))
    if items is None:
        return None
    if type(items) is not int or items < 1:
        raise ClaidValidationError(f"preview={preview!r} must be a number of items, 1 or more, or None for all")
    return items


def manifest_stem(address: str) -> str:
    """Return what a batch of the items at an address is called: of a glob, after the folder that it begins with.

    The manifest of an earlier batch is called what that one is called, so that names do not grow along a chain.
    """
    folder = re.split(r"[*?\[]", address)[0].rpartition("/")[0] if is_glob(address) else address
    return re.sub(r"^manifest-(.+)-[0-9a-f]{8}(\.[0-9]+)?$", r"\1", stem_of(folder.rstrip("/")))
