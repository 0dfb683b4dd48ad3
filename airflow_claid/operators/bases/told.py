"""What the log says of the results of a task: what was asked, where it is, what it cost, and under which request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_claid.client.text import counted, shortened
from airflow_claid.fulfilment.fulfilment import Fulfilled
from airflow_claid.storage.signed_links import shown

_MOST = 5
"""Orders that are named; of a longer list, the log tells the sums."""


def lines_of(results: Sequence[Fulfilled], spent: float) -> Iterator[str]:
    """Yield the lines of the log for the results of a task.

    :param spent: credits that this execution spent, also on what failed.
    """
    if len(results) <= _MOST:
        yield from map(_line, results)
    images = [image for result in results for image in result.images]
    usable = sum(image.usable for image in images)
    of_these = "" if usable == len(images) else f", {usable:,} of them usable"
    reused = sum(not result.credits for result in results)
    how_many = "" if not reused else ", reused" if reused == len(results) else f", {counted(reused, 'request')} reused"
    yield f"{counted(len(images), 'picture')}{of_these}{how_many}; {counted(spent, 'credit')} spent"


def _line(result: Fulfilled) -> str:
    """Return the line of one order; of a link, no signature is shown."""
    usable = [image.path for image in result.images if image.usable and image.path]
    blocked = sum(bool(image.blocked) for image in result.images)
    facts = [
        counted(len(result.images), "picture"),
        f"{blocked:,} blocked" if blocked else "",
        counted(result.credits, "credit") if result.credits else "reused, nothing was paid",
        f"request {result.request_id}" if result.request_id else "",
    ]
    where = f": {shown(usable[0])}" if usable else ""
    more = f" and {len(usable) - 1:,} more" if len(usable) > 1 else ""
    return f"{shortened(result.order.subject)} ({', '.join(filter(None, facts))}){where}{more}"
