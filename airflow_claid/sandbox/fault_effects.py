"""Apply faults to an answer, before and after charging, and to the download of a temporary address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.envelope import connection_of
from airflow_claid.sandbox.faults import Fault
from airflow_claid.sandbox.service import Service

BAD_GATEWAY = (
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<center><h1>502 Bad Gateway</h1></center>\n"
    "<hr><center>nginx</center>\n</body>\n</html>\n"
)
HUGE_BYTES = 8 * 1024**3


class CutConnection(Response):
    """Close the connection without sending a byte. The ledger shows status 0."""

    def __init__(self) -> None:
        super().__init__(status_code=200)
        self.status_code = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        connection_of(scope).abort()
        await asyncio.sleep(0)


class HalfResponse(Response):
    """Declare the whole length, send half of the content and close the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the first half."""
        content = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        connection_of(scope).close()
        await asyncio.sleep(0)


async def apply_before_charging(
    service: Service, quota: str | None, faults: list[Fault], headers: dict[str, str]
) -> Response | None:
    """Apply the faults that strike before charging. A returned answer ends the request."""
    for fault in faults:
        if fault.after_charge:
            continue
        if fault.kind == "latency":
            await asyncio.sleep(fault.duration)
        elif fault.kind == "429":
            headers.update(service.quotas[quota or "image"].refusal().headers)
            raise errors.too_many_requests()
        else:
            faulty = _faulty_response(fault, None)
            if faulty is not None:
                return faulty
    return None


async def apply_after_charging(service: Service, faults: list[Fault], response: Response) -> Response:
    """Apply the faults that strike after charging; return the answer to send."""
    for fault in faults:
        if not fault.after_charge:
            continue
        if fault.kind == "latency":
            await asyncio.sleep(fault.duration)
        elif fault.kind == "hold":
            await service.faults.hold(fault.duration)
        else:
            response = _faulty_response(fault, response) or response
    return response


def _faulty_response(fault: Fault, response: Response | None) -> Response | None:
    """Return the answer that a fault sends instead, if it sends one; ``response`` is the answer before."""
    if fault.kind == "500":
        return JSONResponse(errors.internal_error().body(), 500)
    if fault.kind == "502":
        return Response(BAD_GATEWAY, 502, media_type="text/html")
    if fault.kind == "cut":
        return CutConnection()
    if fault.kind == "empty":
        return Response(b"", 200, media_type="application/json")
    if response is None:
        return None
    whole = bytes(response.body)
    if fault.kind == "truncated":
        return Response(whole[: len(whole) * 2 // 3], 200, media_type="application/json")
    if fault.kind == "slow":
        return _slow(whole, fault, "application/json")
    if fault.kind == "huge":
        return _huge(whole, b" ", "application/json")
    return None


async def apply_to_download(fault: Fault, response: Response) -> Response:
    """Return what a fault makes of the answer to a download."""
    content, mime = bytes(response.body), response.headers.get("content-type")
    if fault.kind == "expired":
        return expired_link()
    if fault.kind == "cut":
        return CutConnection()
    if fault.kind == "huge":
        return _huge(b"", b"\0", mime)
    if fault.kind == "truncated":
        return HalfResponse(content, media_type=mime)
    if fault.kind == "slow":
        return _slow(content, fault, mime)
    return response


def expired_link() -> Response:
    """Return the answer of a bucket to a signed link that has expired."""
    text = (
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code>"
        "<Message>The provided token has expired.</Message></Error>"
    )
    return Response(text, 403, media_type="application/xml")


def missing_object() -> Response:
    """Return the answer of a bucket to a link to an object that does not exist."""
    text = (
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code>"
        "<Message>The specified key does not exist.</Message></Error>"
    )
    return Response(text, 404, media_type="application/xml")


async def _send_slowly(content: bytes, seconds: float) -> AsyncIterator[bytes]:
    step = max(1, len(content) // 20)
    for start in range(0, len(content), step):
        yield content[start : start + step]
        await asyncio.sleep(seconds / 20)


def _slow(content: bytes, fault: Fault, mime: str | None) -> Response:
    """Return an answer that arrives piece by piece, all of it after the fault's seconds."""
    declared = {"Content-Length": str(len(content))}
    return StreamingResponse(_send_slowly(content, fault.duration), media_type=mime, headers=declared)


def _huge(content: bytes, filling: bytes, mime: str | None) -> Response:
    """Return an answer that is filled up to 8 GiB."""
    declared = {"Content-Length": str(HUGE_BYTES)}
    return StreamingResponse(_filled(content, filling), media_type=mime, headers=declared)


async def _filled(content: bytes, filling: bytes) -> AsyncIterator[bytes]:
    yield content
    block, left = filling * (256 * 1024), HUGE_BYTES - len(content)
    while left:
        yield block[:left]
        left -= min(left, len(block))
        await asyncio.sleep(0)
