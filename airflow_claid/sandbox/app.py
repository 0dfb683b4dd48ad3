"""The sandbox as a web application: ``/v1`` of the contract, temporary addresses, and its own endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from airflow_claid.sandbox import control, dialect_effects, operations, page
from airflow_claid.sandbox.conditions import DOWNLOAD
from airflow_claid.sandbox.envelope import Envelope
from airflow_claid.sandbox.errors import Refused, internal_error
from airflow_claid.sandbox.fault_effects import apply_to_download, expired_link, missing_object
from airflow_claid.sandbox.pipeline import Operation, answer
from airflow_claid.sandbox.service import Service

VERSIONS = ("/v1", "/v1-beta1")
"""What the addresses of the API begin with; older clients use the second."""
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(service: Service) -> Envelope:
    """Return the ASGI application of one service."""
    app = FastAPI(title="Claid sandbox", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    paths: dict[str, dict[str, Operation[Any]]] = {}
    for operation in operations.ALL:
        paths.setdefault(operation.path, {})[operation.method] = operation
    for path, methods in paths.items():
        for version in VERSIONS:
            app.add_api_route(
                f"{version}{path}", _endpoint(service, methods), methods=list(methods), response_model=None
            )
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
        file = await service.in_thread(service.temporary.fetch, folder, name, service.settings.ttl)
        if file is None:
            return expired_link() if service.temporary.is_expired(folder, service.settings.ttl) else missing_object()
        response = Response(file.content, media_type=file.mime, headers={"Cache-Control": "private, max-age=3600"})
        dialects = service.dialects.of(DOWNLOAD, request.url.path, response.status_code)
        response = dialect_effects.apply(dialects.values(), response, request.scope, service.base_url)
        for fault in service.faults.strike(DOWNLOAD, request.url.path):
            response = await apply_to_download(fault, response)
        return response

    return download


async def _refuse(_: Request, error: Exception) -> Response:
    """Answer a refusal outside ``/v1`` in the same form as inside."""
    refused = error if isinstance(error, Refused) else internal_error()
    return JSONResponse(refused.body(), refused.status)


async def _refuse_http(_: Request, error: Exception) -> Response:
    """Answer FastAPI's own refusals (unknown address, wrong method) with Claid's envelope."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = str(error.detail) if isinstance(error, HTTPException) else "Error"
    headers = error.headers if isinstance(error, HTTPException) else None
    refused = Refused(status, "1004" if status == 404 else "1000", "general", message)
    return JSONResponse(refused.body(), status, dict(headers) if headers else None)
