"""The sandbox's HTTP face: ``/v1`` as in the contract, temporary addresses, and the sandbox's own pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from airflow_claid.sandbox import control, operations, page
from airflow_claid.sandbox.envelope import Envelope
from airflow_claid.sandbox.errors import Refused, internal_error
from airflow_claid.sandbox.fault_effects import gone, missing, strike_download
from airflow_claid.sandbox.faults import DOWNLOAD
from airflow_claid.sandbox.pipeline import Operation, answer
from airflow_claid.sandbox.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(service: Service) -> Envelope:
    """Build the ASGI application of one service."""
    app = FastAPI(title="Claid sandbox", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    paths: dict[str, dict[str, Operation[Any]]] = {}
    for operation in operations.ALL:
        paths.setdefault(operation.path, {})[operation.method] = operation
    for path, methods in paths.items():
        app.add_api_route(f"/v1{path}", _endpoint(service, methods), methods=list(methods), response_model=None)
    app.add_api_route("/tmp/{folder}/{name}", _download(service), methods=["GET", "HEAD"], response_model=None)  # noqa: S108
    app.include_router(control.router(service))
    app.include_router(page.router(service))
    app.add_exception_handler(HTTPException, _refuse_http)
    app.add_exception_handler(Refused, _refuse)
    return Envelope(app)


def _endpoint(service: Service, methods: dict[str, Operation[Any]]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await answer(service, methods[request.method], request)

    return endpoint


def _download(service: Service) -> Endpoint:
    async def download(request: Request) -> Response:
        folder, name = request.path_params["folder"], request.path_params["name"]
        found = await service.in_thread(service.temporary.fetch, folder, name, service.settings.ttl)
        if found is None:
            return gone() if service.temporary.expired(folder, service.settings.ttl) else missing()
        response = Response(found.content, media_type=found.mime, headers={"Cache-Control": "private, max-age=3600"})
        for fault in service.faults.draw(DOWNLOAD, request.url.path):
            response = await strike_download(fault, response)
        return response

    return download


async def _refuse(_: Request, error: Exception) -> Response:
    """Tell a refusal outside ``/v1`` as those inside are told."""
    refused = error if isinstance(error, Refused) else internal_error()
    return JSONResponse(refused.body(), refused.status)


async def _refuse_http(_: Request, error: Exception) -> Response:
    """Tell FastAPI's own refusals (no such address, wrong method) in Claid's envelope."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = str(error.detail) if isinstance(error, HTTPException) else "Error"
    headers = error.headers if isinstance(error, HTTPException) else None
    refused = Refused(status, "1004" if status == 404 else "1000", "general", message)
    return JSONResponse(refused.body(), status, dict(headers) if headers else None)
