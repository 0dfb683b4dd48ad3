"""The web page at ``/``: it says that this is a sandbox, and shows the latest pictures and charges."""

from __future__ import annotations

import io
from html import escape
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse
from PIL import ImageOps

from airflow_claid.sandbox.delivery import fetch
from airflow_claid.sandbox.drawing.encoding import flat, read
from airflow_claid.sandbox.errors import Refused
from airflow_claid.sandbox.ledger import Entry
from airflow_claid.sandbox.service import Service

_SHOWN_REQUESTS = 30
_SHOWN_PICTURES = 24
_THUMBNAIL_SIDE = 320
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
<a href="/sandbox/ledger">Ledger</a> · <a href="/sandbox/credits">Credits</a> · <a href="/sandbox/faults">Faults</a> ·
<a href="/sandbox/dialects">Dialects</a></p>
<div class="pictures">{pictures}</div>
<table><tr><th>#</th><th>Time</th><th>Operation</th><th>Prompt</th><th>Images</th><th>Credits</th><th>Status</th><th>Delivered</th></tr>
{rows}</table></body></html>"""


def router(service: Service) -> APIRouter:
    """Return the routes of the page and of its pictures."""
    routes = APIRouter()

    @routes.get("/", response_class=HTMLResponse)
    async def page() -> str:
        entries = service.ledger.entries(last=_SHOWN_REQUESTS)[::-1]
        return _PAGE.format(
            requests=service.ledger.count,
            charged=service.ledger.charged(),
            pictures="".join(_thumbnails(entries)),
            rows="".join(_row(entry) for entry in entries),
        )

    @routes.get("/sandbox/pictures/{sequence}/{number}")
    async def picture(sequence: int, number: int) -> Response:
        entry = service.ledger.entry(sequence)
        if entry is None or not 0 <= number < len(entry.pictures):
            raise HTTPException(404, "There is no such picture.")
        try:
            content = await service.in_thread(_thumbnail, service, entry.pictures[number])
        except Refused as refused:
            raise HTTPException(404, refused.message) from refused
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    return routes


def _thumbnails(entries: list[Entry]) -> list[str]:
    pictures = [
        (f"/sandbox/pictures/{entry.sequence}/{number}", address, escape(entry.prompt or entry.operation))
        for entry in entries
        for number, address in enumerate(entry.pictures)
        if not address.endswith(".mp4")
    ]
    return [
        f'<a href="{escape(urlsplit(address).path) if address.startswith("http") else source}" title="{text}">'
        f'<img loading="lazy" src="{source}" alt="{text}"></a>'
        for source, address, text in pictures[:_SHOWN_PICTURES]
    ]


def _thumbnail(service: Service, address: str) -> bytes:
    """Return a small JPEG of a delivered picture, wherever it is. Blocks."""
    on_the_web = address.startswith(("http://", "https://"))
    content = fetch(service, address) if on_the_web else service.storages.read_object(address)
    picture, _ = read(content, service.settings.max_megapixels)
    target = io.BytesIO()
    flat(ImageOps.contain(picture, (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))).save(target, "JPEG", quality=85)
    return target.getvalue()


def _row(entry: Entry) -> str:
    status = "…" if entry.status is None else entry.status or "cut"
    delivered = {True: "yes", False: "no", None: "…"}[entry.delivered]
    css_class = ' class="bad"' if entry.status not in (None, 200) or entry.delivered is False else ""
    cells = (
        f'<td class="number">{entry.sequence}</td><td>{entry.time[11:19]}</td><td>{entry.operation}</td>'
        f"<td>{escape((entry.prompt or '')[:80])}</td>"
        f'<td class="number">{entry.number_of_images}</td><td class="number">{entry.credits:g}</td>'
    )
    return f"<tr>{cells}<td{css_class}>{status}</td><td{css_class}>{delivered}</td></tr>\n"
