"""What receipts say of task instances that have reported nothing: killed, or of runs that were deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import islice

from airflow_claid.fulfilment.bill import Sums, day_of
from airflow_claid.fulfilment.receipt import Author, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.plugins.credits.sums import Adder
from airflow_claid.plugins.gallery.reports import TaskRef
from airflow_claid.storage.listing import stream_files

_RECEIPT = re.compile(r"([0-9a-f]{64})\.json")
_AT_ONCE = 16
_CHUNK = 512


def add_receipts(adder: Adder, outputs: Iterable[str], dag: str | None) -> tuple[int, int]:
    """Add what receipts say of task instances that have reported nothing.

    :param outputs: the folders of pictures.
    :param dag: the only DAG that counts; ``None`` for all.
    :returns: of how many task instances, and how many of their requests have no answer.
    :raises ReceiptUnreadableError: if one cannot be read.
    """
    added: set[TaskRef] = set()
    unanswered = 0
    for output in dict.fromkeys(outputs):
        for receipt in _receipts_in(f"{output.rstrip('/')}/_claid/"):
            blocked = sum(bool(image.blocked) for image in receipt.images) if receipt.state.is_final else 0
            usable = len(receipt.images) - blocked if receipt.state.is_final else 0
            if receipt.state is ReceiptState.INTENT:
                task = _task(receipt.author, dag)
                unanswered += task is not None and task not in adder.tasks
            for number, charge in enumerate(reversed(receipt.charges)):
                task = _task(charge.author, dag)
                day = day_of(charge.at)
                if task is None or day is None or task in adder.tasks:
                    continue
                pictures = Sums(pictures=usable, blocked=blocked) if number == 0 else Sums()
                sums = Sums(credits=charge.credits, in_doubt=charge.in_doubt) + pictures
                if adder.count(task, date.fromisoformat(day), receipt.operation, sums):
                    added.add(task)
    return len(added), unanswered


def _task(author: Author, dag: str | None) -> TaskRef | None:
    """Return a task instance, if it is of the DAG that counts."""
    task = TaskRef(author.dag_id, author.run_id, author.task_id, author.map_index)
    return task if dag in (None, task.dag_id) else None


def _receipts_in(folder: str) -> Iterator[Receipt]:
    """Yield the receipts of a folder, several read at once."""
    store = FolderReceipts(folder)
    names = (found[1] for file in stream_files(folder) if (found := _RECEIPT.fullmatch(file.uri.rpartition("/")[2])))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="claid-receipts") as pool:
        while some := list(islice(names, _CHUNK)):
            yield from (receipt for receipt in pool.map(store.read, some) if receipt is not None)
