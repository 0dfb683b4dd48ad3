"""What a fault does to an answer, before and after charging, and to the download of a temporary address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.faults import Fault
from airflow_claid.sandbox.service import Service

BAD_GATEWAY = (
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<center><h1>502 Bad Gateway</h1></center>\n"
    "<hr><center>nginx</center>\n</body>\n</html>\n"
)
HUGE_BYTES = 8 * 1024**3


class Cut(Response):
    """No answer at all: the connection is closed without a byte. The ledger shows status 0."""

    def __init__(self) -> None:
        super().__init__(status_code=200)
        self.status_code = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        scope["sandbox.cut"]()
        await asyncio.sleep(0)


class Half(Response):
    """Declares its whole length, sends half of it and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half."""
        content = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        scope["sandbox.close"]()
        await asyncio.sleep(0)


async def strike_before(
    service: Service, quota: str | None, faults: list[Fault], headers: dict[str, str]
) -> Response | None:
    """Do what happens before charging; an answer ends the request there."""
    for fault in faults:
        if fault.after_charge:
            continue
        if fault.kind == "latency":
            await asyncio.sleep(fault.wait)
        elif fault.kind == "429":
            headers.update(service.quotas[quota or "image"].refusal().headers)
            raise errors.too_many_requests()
        else:
            stopped = _broken(fault, None)
            if stopped is not None:
                return stopped
    return None


async def strike_after(service: Service, faults: list[Fault], response: Response) -> Response:
    """Do what happens once the request has been charged."""
    for fault in faults:
        if not fault.after_charge:
            continue
        if fault.kind == "latency":
            await asyncio.sleep(fault.wait)
        elif fault.kind == "hold":
            await service.faults.hold(fault.wait)
        else:
            response = _broken(fault, response) or response
    return response


def _broken(fault: Fault, response: Response | None) -> Response | None:
    if fault.kind == "500":
        return JSONResponse(errors.internal_error().body(), 500)
    if fault.kind == "502":
        return Response(BAD_GATEWAY, 502, media_type="text/html")
    if fault.kind == "cut":
        return Cut()
    if fault.kind == "empty":
        return Response(b"", 200, media_type="application/json")
    if fault.kind == "truncated" and response is not None:
        whole = bytes(response.body)
        return Response(whole[: len(whole) * 2 // 3], 200, media_type="application/json")
    return None


async def strike_download(fault: Fault, whole: Response) -> Response:
    """Do what a download's fault says to a whole answer."""
    content, mime = bytes(whole.body), whole.media_type
    if fault.kind == "redirect":
        return RedirectResponse(fault.location or "http://127.0.0.1:9/elsewhere.png", 302)
    if fault.kind == "html":
        return Response("<html><body>Please sign in.</body></html>", media_type="text/html")
    if fault.kind == "expired":
        return gone()
    if fault.kind == "cut":
        return Cut()
    if fault.kind == "huge":
        return StreamingResponse(_endless(), media_type=mime, headers={"Content-Length": str(HUGE_BYTES)})
    if fault.kind == "truncated":
        return Half(content, media_type=mime)
    if fault.kind == "slow":
        return StreamingResponse(
            _slowly(content, fault.wait), media_type=mime, headers={"Content-Length": str(len(content))}
        )
    return whole


def gone() -> Response:
    """Answer as a bucket does for an address that has expired."""
    text = (
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code>"
        "<Message>The provided token has expired.</Message></Error>"
    )
    return Response(text, 403, media_type="application/xml")


def missing() -> Response:
    """Answer as a bucket does for an object that never was."""
    text = (
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code>"
        "<Message>The specified key does not exist.</Message></Error>"
    )
    return Response(text, 404, media_type="application/xml")


async def _slowly(content: bytes, seconds: float) -> AsyncIterator[bytes]:
    step = max(1, len(content) // 20)
    for start in range(0, len(content), step):
        yield content[start : start + step]
        await asyncio.sleep(seconds / 20)


async def _endless() -> AsyncIterator[bytes]:
    block = bytes(256 * 1024)
    for _ in range(HUGE_BYTES // len(block)):
        yield block
        await asyncio.sleep(0)
