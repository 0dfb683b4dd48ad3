"""The sandbox's own endpoints below ``/sandbox``: ledger, credits, faults, dialects, settings, storages, reset."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict

from airflow_claid.sandbox.dialects import Dialect
from airflow_claid.sandbox.faults import Fault
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.settings import SCOPES, KeySettings, Latency, StorageSettings


class FaultBody(BaseModel):
    """Body of ``POST /sandbox/faults``; see :class:`airflow_claid.sandbox.faults.Fault`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    kind: str
    operation: str | None = None
    prompt: str | None = None
    count: int | None = None
    probability: float | None = None
    seed: int = 0
    charged: bool | None = None
    seconds: float | None = None
    status: str | None = None


class SettingsBody(BaseModel):
    """Body of ``PUT /sandbox/settings``; fields that are left out stay the same.

    ``latency`` is text such as ``5+-2``. An empty ``webhook_url`` stops webhooks.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    quota: str | None = None
    creative_quota: str | None = None
    video_quota: str | None = None
    latency: str | None = None
    job_seconds: float | None = None
    ttl: float | None = None
    blocked_words: tuple[str, ...] | None = None
    polls_count: bool | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = None


class StorageBody(BaseModel):
    """Body of ``POST /sandbox/storages``: a storage, and ``where`` its bucket is: an endpoint or a folder."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    name: str
    bucket: str
    type: str = "s3"
    path: str = ""
    where: str | None = None
    access_key: str = "sandbox"
    secret_access_key: str = "sandbox-secret"  # noqa: S105 - opens nothing


class KeyBody(BaseModel):
    """Body of ``POST /sandbox/keys``."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    key: str
    scopes: frozenset[str] = SCOPES
    credits: float = 1_000_000.0


class AdvanceBody(BaseModel):
    """Body of ``POST /sandbox/advance``: seconds by which to advance the clock."""

    seconds: float


def router(service: Service) -> APIRouter:
    """Return the routes below ``/sandbox``."""
    routes = APIRouter(prefix="/sandbox")
    _add_accounting(routes, service)
    _add_faults(routes, service)
    _add_dialects(routes, service)
    _add_settings(routes, service)
    return routes


def _add_accounting(routes: APIRouter, service: Service) -> None:
    @routes.get("/ledger")
    async def ledger(operation: str | None = None, since: int = 0, last: int | None = None) -> list[dict[str, Any]]:
        return [entry.to_json() for entry in service.ledger.entries(operation, since, last)]

    @routes.get("/credits")
    async def credits_left() -> dict[str, Any]:
        return {"charged": service.ledger.charged(), "left": service.accounts.credits_left()}

    @routes.post("/reset")
    async def reset() -> dict[str, Any]:
        service.reset()
        return {"reset": True}


def _add_faults(routes: APIRouter, service: Service) -> None:
    @routes.post("/faults")
    async def add_fault(body: FaultBody) -> dict[str, Any]:
        try:
            return {"number": service.faults.add(Fault(**body.model_dump()))}
        except ValueError as error:
            raise HTTPException(422, str(error)) from error

    @routes.get("/faults")
    async def faults() -> dict[str, Any]:
        return {"faults": service.faults.to_json(), "held": service.faults.held}

    @routes.delete("/faults")
    async def remove_faults(number: int | None = None) -> dict[str, Any]:
        service.faults.remove(number)
        return {"faults": service.faults.to_json()}

    @routes.post("/faults/release")
    async def release() -> dict[str, Any]:
        return {"released": service.faults.release()}


def _add_dialects(routes: APIRouter, service: Service) -> None:
    def listed() -> Response:
        body = json.dumps({"dialects": service.dialects.to_json()})  # in ASCII: values need not be valid Unicode
        return Response(body, media_type="application/json")

    @routes.post("/dialects")
    async def add_dialect(body: Dialect) -> dict[str, Any]:
        return {"number": service.dialects.add(body)}

    @routes.get("/dialects")
    async def dialects() -> Response:
        return listed()

    @routes.delete("/dialects")
    async def remove_dialects(number: int | None = None) -> Response:
        service.dialects.remove(number)
        return listed()


def _add_settings(routes: APIRouter, service: Service) -> None:
    @routes.put("/settings")
    async def change(body: SettingsBody) -> dict[str, Any]:
        changes = body.model_dump(exclude_none=True)
        try:
            if "latency" in changes:
                changes["latency"] = Latency.parse(changes["latency"])
            service.change(**changes)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        return {"changed": sorted(changes)}

    @routes.post("/storages")
    async def connect(body: StorageBody) -> dict[str, Any]:
        try:
            settings = StorageSettings(**body.model_dump(exclude={"where"}))
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        if body.where:
            service.storages.locate(body.bucket, body.where)
        return service.storages.connect(settings).to_json(detail=False)

    @routes.post("/keys")
    async def add_key(body: KeyBody) -> dict[str, Any]:
        try:
            key = service.accounts.add(KeySettings(body.key, body.scopes, body.credits))
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        return {"key": key.label, "credits": key.credits}

    @routes.post("/advance")
    async def advance(body: AdvanceBody) -> dict[str, Any]:
        service.advance(body.seconds)
        return {"advanced": body.seconds}
