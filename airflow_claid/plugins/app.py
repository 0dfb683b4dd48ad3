"""The application that serves our pages; Airflow mounts it, and asks its auth manager about each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from airflow_claid.plugins.credits.routes import router as credits_router
from airflow_claid.plugins.gallery.links import Links
from airflow_claid.plugins.gallery.problems import NotShownError
from airflow_claid.plugins.gallery.rendering import page
from airflow_claid.plugins.gallery.routes import router as gallery_router

_HERE = Path(__file__).parent

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of each answer: nothing from elsewhere is loaded, no script or style is in a page, and no other site frames it."""


_REFUSALS = {
    401: "You are not signed in to Airflow.",
    403: "You may not read the XComs of this DAG, in which its tasks report.",
}


def create_app() -> FastAPI:
    """Make the application."""
    app = FastAPI(title="Claid", openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(gallery_router)
    app.include_router(credits_router)
    app.mount("/static/credits", StaticFiles(directory=_HERE / "credits" / "static"), name="credits")
    app.mount("/static", StaticFiles(directory=_HERE / "gallery" / "static"), name="static")
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(NotShownError, _not_shown)
    app.middleware("http")(_with_headers)
    return app


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


async def _refused(request: Request, error: Exception) -> Response:
    """Answer with a page that says why, where a page was asked for."""
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls it with no other
    return _problem(request, error.status_code, _REFUSALS.get(error.status_code, "There is no such page."))


async def _not_shown(request: Request, error: Exception) -> Response:
    """Answer with the reason why something is not shown."""
    assert isinstance(error, NotShownError)  # noqa: S101 - likewise
    return _problem(request, error.status, error.reason, error.state, error.lacking)


def _problem(request: Request, status: int, reason: str, state: str = "", lacking: str = "") -> Response:
    if "text/html" in request.headers.get("accept", ""):
        title = HTTPStatus(status).phrase
        return page(
            "problem.html", Links(request.scope.get("root_path", "")), status=status, title=title, reason=reason
        )
    return _json({"reason": reason, "state": state, "lacking": lacking}, status)


def _json(content: dict[str, str], status: int) -> Response:
    from fastapi.responses import JSONResponse

    return JSONResponse(content, status, {"Cache-Control": "no-store"})
