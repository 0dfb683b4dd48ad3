"""The page at ``/`` for people: it says that this is a sandbox, and shows the latest pictures and charges."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from airflow_claid.sandbox.ledger import Entry
from airflow_claid.sandbox.service import Service

_SHOWN = 30
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Claid sandbox</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1a1c22; }}
h1 {{ font-size: 1.5rem; margin: 0; }} p {{ margin: .3rem 0 1.2rem; color: #555; }}
.pictures {{ display: flex; flex-wrap: wrap; gap: .6rem; margin-bottom: 1.5rem; }}
.pictures img {{ width: 10rem; height: 10rem; object-fit: cover; border-radius: .5rem; background: #eee; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ text-align: left; padding: .3rem .6rem; border-top: 1px solid #ddd; }}
td.number {{ text-align: right; }} .bad {{ color: #a3231f; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #15171c; color: #e8e8ea; }} p {{ color: #aaa; }} a {{ color: #8ab4f8; }}
  td, th {{ border-color: #333; }}
}}
</style></head><body>
<h1>Claid sandbox</h1>
<p>A local stand-in for Claid. Nothing here costs money. {requests} requests, {charged:g} credits charged.
<a href="/sandbox/ledger">Ledger</a> · <a href="/sandbox/credits">Credits</a> · <a href="/sandbox/faults">Faults</a></p>
<div class="pictures">{pictures}</div>
<table><tr><th>#</th><th>Time</th><th>Operation</th><th>Prompt</th><th>Images</th><th>Credits</th><th>Status</th><th>Delivered</th></tr>
{rows}</table></body></html>"""


def router(service: Service) -> APIRouter:
    """Build the route of the page."""
    routes = APIRouter()

    @routes.get("/", response_class=HTMLResponse)
    async def page() -> str:
        entries = service.ledger.entries(last=_SHOWN)[::-1]
        return _PAGE.format(
            requests=service.ledger.count,
            charged=service.ledger.charged(),
            pictures="".join(_thumbnails(entries)),
            rows="".join(_row(entry) for entry in entries),
        )

    return routes


def _thumbnails(entries: list[Entry]) -> list[str]:
    found = [
        (urlsplit(address).path, entry.prompt or entry.operation)
        for entry in entries
        for address in entry.pictures
        if "/tmp/" in address  # noqa: S108
    ]
    return [
        f'<a href="{escape(path)}"><img loading="lazy" src="{escape(path)}" alt="{escape(text)}"></a>'
        for path, text in found[:24]
    ]


def _row(entry: Entry) -> str:
    status = "…" if entry.status is None else entry.status or "cut"
    delivered = {True: "yes", False: "no", None: "…"}[entry.delivered]
    bad = ' class="bad"' if entry.status not in (None, 200) or entry.delivered is False else ""
    cells = (
        f'<td class="number">{entry.sequence}</td><td>{entry.time[11:19]}</td><td>{entry.operation}</td>'
        f"<td>{escape((entry.prompt or '')[:80])}</td>"
        f'<td class="number">{entry.number_of_images}</td><td class="number">{entry.credits:g}</td>'
    )
    return f"<tr>{cells}<td{bad}>{status}</td><td{bad}>{delivered}</td></tr>\n"
