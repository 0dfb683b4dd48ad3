"""Our pages as HTML; whatever a task reported is text in them, never markup."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from airflow_claid import __version__
from airflow_claid.client.redaction import without_logins, without_queries
from airflow_claid.plugins.gallery.links import Links
from airflow_claid.storage.addresses import last_of
from airflow_claid.storage.signed_links import shown

LABELS = {
    "done": "Done",
    "reused": "Reused",
    "blocked": "Blocked",
    "failed": "Failed",
    "invalid": "Invalid",
    "duplicate": "Duplicate",
    "skipped": "Skipped",
    "rejected": "Rejected",
    "expired": "Expired",
    "gone": "Gone",
}
MEANINGS = {
    "done": "Made and paid for by this task",
    "reused": "Paid for earlier: this task spent nothing on it",
    "blocked": "Claid's content filter blocked it",
    "failed": "It could not be made",
    "invalid": "Nothing was sent: the item cannot be requested",
    "duplicate": "The same request as another row",
    "skipped": "There was nothing to work on",
    "rejected": "A person rejected it in a review",
    "expired": "Claid's temporary link has expired",
    "gone": "The file is no longer there",
}


def _size(number: int | None) -> str:
    if number is None:
        return ""
    if number < 1_000_000:
        return f"{max(1, round(number / 1000)):,} kB"
    return f"{number / 1_000_000:.1f} MB"


def _credits(number: float | None) -> str:
    if number is None:
        return ""
    return "1 credit" if number == 1 else f"{number:g} credits"


def _amount(number: float) -> str:
    return f"{number:,.3f}".rstrip("0").rstrip(".")


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _file(address: str) -> str:
    return last_of(address) or shown(address)


def _error(text: str) -> str:
    return without_queries(without_logins(text))


_environment = Environment(
    loader=ChoiceLoader([PackageLoader(f"airflow_claid.plugins.{name}") for name in ("gallery", "credits")]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "size": _size,
    "credits": _credits,
    "moment": _moment,
    "address": shown,
    "file": _file,
    "error": _error,
    "count": _plural,
    "amount": _amount,
}
_environment.globals |= {"labels": LABELS, "meanings": MEANINGS, "version": __version__}


def page(template: str, links: Links, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(_environment.get_template(template).render(links=links, **values), status)
