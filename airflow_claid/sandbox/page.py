"""The web page at ``/``: it says that this is a sandbox, and shows totals, the latest requests, and their pictures."""

from __future__ import annotations

import io
from html import escape
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import HTMLResponse
from PIL import ImageOps

from airflow_claid.sandbox.delivery import fetch
from airflow_claid.sandbox.drawing.encoding import flat, read
from airflow_claid.sandbox.drawing.pictures import is_blocked
from airflow_claid.sandbox.errors import Refused
from airflow_claid.sandbox.ledger import Entry
from airflow_claid.sandbox.service import Service

_SHOWN_REQUESTS = 50
_SHOWN_PICTURES = 8
"""Of one request."""
_THUMBNAIL_SIDE = 320
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Claid sandbox</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1a1c22; }}
h1 {{ font-size: 1.5rem; margin: 0; }} p {{ margin: .3rem 0 1.2rem; color: #555; }}
img {{ width: 5rem; height: 5rem; object-fit: cover; border-radius: .4rem; background: #eee; margin: 0 .3rem .3rem 0; }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 1.5rem; }}
td, th {{ text-align: left; padding: .3rem .6rem; border-top: 1px solid #ddd; vertical-align: top; }}
th.number, td.number {{ text-align: right; }} .bad {{ color: #a3231f; }}
form {{ display: flex; flex-wrap: wrap; gap: .8rem; align-items: center; margin: 1rem 0; }}
input, select, button {{ font: inherit; padding: .2rem .5rem; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #15171c; color: #e8e8ea; }} p {{ color: #aaa; }} a {{ color: #8ab4f8; }}
  td, th {{ border-color: #333; }} .bad {{ color: #ff8a80; }} img {{ background: #26282e; }}
}}
</style></head><body>
<h1>Claid sandbox</h1>
<p>A local stand-in for Claid. Nothing here costs money. {requests}, {charged:g} credits charged.
<a href="/sandbox/ledger">Ledger</a> · <a href="/sandbox/credits">Credits</a> · <a href="/sandbox/faults">Faults</a> ·
<a href="/sandbox/dialects">Dialects</a></p>
<table><tr><th>Operation</th><th class="number">Requests</th><th class="number">Refused or failed</th>
<th class="number">Blocked</th><th class="number">Images</th><th class="number">Credits</th></tr>
{totals}</table>
<form><label>Operation <select name="operation"><option value="">all</option>{operations}</select></label>
<label>Prompt <input name="text" value="{text}"></label>
<label><input type="checkbox" name="blocked" value="1"{blocked}> blocked only</label>
<button>Show</button></form>
<table><tr><th class="number">#</th><th>Time</th><th>Operation</th><th>Prompt or edits</th><th>Input</th><th>Output</th>
<th class="number">Credits</th><th>Status</th><th>Delivered</th></tr>
{rows}</table></body></html>"""


def router(service: Service) -> APIRouter:
    """Return the routes of the page and of its pictures."""
    routes = APIRouter()

    @routes.get("/", response_class=HTMLResponse)
    async def page(operation: str = "", text: str = "", blocked: bool = False) -> str:
        def is_shown(entry: Entry) -> bool:
            prompt = (entry.prompt or "").casefold()
            return text.casefold() in prompt and (not blocked or _was_blocked(service, entry))

        everything = service.ledger.entries()
        wanted = [entry for entry in everything if operation in ("", entry.operation) and is_shown(entry)]
        names = sorted({entry.operation for entry in everything})
        return _PAGE.format(
            requests="1 request" if len(everything) == 1 else f"{len(everything):,} requests",
            charged=service.ledger.charged(),
            totals="".join(_totals(service, name, everything) for name in names),
            operations="".join(
                f"<option{' selected' if name == operation else ''}>{escape(name)}</option>" for name in names
            ),
            text=escape(text),
            blocked=" checked" if blocked else "",
            rows="".join(_row(service, entry) for entry in wanted[: -_SHOWN_REQUESTS - 1 : -1]),
        )

    @routes.get("/sandbox/pictures/{sequence}/{which}")
    async def picture(sequence: int, which: str) -> Response:
        entry = service.ledger.entry(sequence)
        address = entry and _address(entry, which)
        if not address:
            raise HTTPException(404, "There is no such picture.")
        try:
            content = await service.in_thread(_thumbnail, service, address)
        except Refused as refused:
            raise HTTPException(404, refused.message) from refused
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    return routes


def _address(entry: Entry, which: str) -> str | None:
    if which == "input":
        return _input_of(entry)
    number = int(which) if which.isdecimal() else len(entry.pictures)
    return entry.pictures[number] if number < len(entry.pictures) else None


def _input_of(entry: Entry) -> str | None:
    """Return the address of the picture that an edit began with, where it is known whole."""
    address = entry.request.get("input") if isinstance(entry.request, dict) else None
    is_whole = isinstance(address, str) and "://" in address and not address.endswith(("…", "/"))
    return address if is_whole else None


def _was_blocked(service: Service, entry: Entry) -> bool:
    return bool(entry.credits) and is_blocked(entry.prompt or "", service.settings.blocked_words)


def _totals(service: Service, operation: str, entries: list[Entry]) -> str:
    those = [entry for entry in entries if entry.operation == operation]
    numbers = (
        len(those),
        sum(entry.status not in (None, 200) for entry in those),
        sum(_was_blocked(service, entry) for entry in those),
        sum(len(entry.pictures) for entry in those),
        sum(entry.credits for entry in those),
    )
    return (
        f"<tr><td>{escape(operation)}</td>{''.join(f'<td class=number>{number:,g}</td>' for number in numbers)}</tr>\n"
    )


def _thumbnails(entry: Entry) -> str:
    """Return the small pictures of a request, each of which leads to the large one."""
    text = escape(entry.prompt or entry.operation)
    pictures = [
        (f"/sandbox/pictures/{entry.sequence}/{number}", address)
        for number, address in enumerate(entry.pictures[:_SHOWN_PICTURES])
        if not address.endswith(".mp4")
    ]
    more = len(entry.pictures) - _SHOWN_PICTURES
    return "".join(
        f'<a href="{escape(urlsplit(address).path) if address.startswith("http") else source}" title="{text}">'
        f'<img loading="lazy" src="{source}" alt="{text}"></a>'
        for source, address in pictures
    ) + (f"and {more:,} more" if more > 0 else "")


def _thumbnail(service: Service, address: str) -> bytes:
    """Return a small JPEG of a delivered picture, wherever it is. Blocks."""
    on_the_web = address.startswith(("http://", "https://"))
    content = fetch(service, address) if on_the_web else service.storages.read_object(address)
    picture, _ = read(content, service.settings.max_megapixels)
    target = io.BytesIO()
    flat(ImageOps.contain(picture, (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))).save(target, "JPEG", quality=85)
    return target.getvalue()


def _asked(entry: Entry) -> str:
    """Return the prompt; of an edit, the names of its operations."""
    operations = entry.request.get("operations") if isinstance(entry.request, dict) else None
    return entry.prompt or (", ".join(map(str, operations)) if isinstance(operations, dict) else "")


def _row(service: Service, entry: Entry) -> str:
    status = "…" if entry.status is None else entry.status or "cut"
    delivered = {True: "yes", False: "no", None: "…"}[entry.delivered]
    css_class = ' class="bad"' if entry.status not in (None, 200) or entry.delivered is False else ""
    blocked = ' <span class="bad">blocked</span>' if _was_blocked(service, entry) else ""
    before = f"/sandbox/pictures/{entry.sequence}/input"
    given = f'<img loading="lazy" src="{before}" alt="input">' if _input_of(entry) else ""
    cells = (
        f'<td class="number">{entry.sequence}</td><td>{entry.time[11:19]}</td><td>{entry.operation}</td>'
        f"<td>{escape(_asked(entry)[:80])}{blocked}</td><td>{given}</td><td>{_thumbnails(entry)}</td>"
        f'<td class="number">{entry.credits:g}</td>'
    )
    return f"<tr>{cells}<td{css_class}>{status}</td><td{css_class}>{delivered}</td></tr>\n"
