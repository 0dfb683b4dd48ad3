"""How one request is answered: key, scope, quota, body, credits, work; faults before and after it, and dialects."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from airflow_claid.sandbox import dialect_effects, errors
from airflow_claid.sandbox.accounts import Key
from airflow_claid.sandbox.bodies.base import check, read_json
from airflow_claid.sandbox.bodies.tolerance import tolerated
from airflow_claid.sandbox.errors import Refused
from airflow_claid.sandbox.fault_effects import apply_after_charging, apply_before_charging
from airflow_claid.sandbox.faults import Fault
from airflow_claid.sandbox.ledger import Entry, digest_of, shortened
from airflow_claid.sandbox.service import Service

log = logging.getLogger("airflow_claid.sandbox")
B = TypeVar("B", bound=BaseModel | None)
JSON = dict[str, Any]


@dataclass(frozen=True)
class Charge:
    """What a request costs and what for, as the ledger shows it.

    :param credits: price of the whole request.
    :param images: number of pictures that it pays for.
    :param prompt: the whole prompt, if there is one.
    """

    credits: float = 0.0
    images: int = 0
    prompt: str | None = None


def no_charge(_: Any) -> Charge:
    """Return the charge of an operation that is free."""
    return Charge()


@dataclass
class Call(Generic[B]):
    """One request while it is being answered.

    :param entry: its line in the ledger.
    :param body: the checked body.
    :param raw: the body as it was sent, as JSON.
    :param number: id of the job or storage in the path; 0 without one.
    :param upload: name and content of the file in a form.
    :param faults: faults that strike this request.
    :param credits: credits taken for it so far.
    """

    service: Service
    key: Key
    entry: Entry
    body: B
    raw: Any = None
    number: int = 0
    upload: tuple[str, bytes] | None = None
    faults: list[Fault] = field(default_factory=list)
    credits: float = 0.0

    def take(self, amount: float) -> None:
        """Take credits from the key, or refuse with 402."""
        self.service.accounts.take(self.key, amount)
        self.credits += amount

    def give_back(self) -> None:
        """Give back all credits taken for this request."""
        self.service.accounts.give_back(self.key, self.credits)
        self.credits = 0.0


@dataclass(frozen=True)
class Operation(Generic[B]):
    """One operation of the contract.

    :param name: the contract's operation id.
    :param method: HTTP method.
    :param path: path below ``/v1``; ``{number}`` is the id of a job or storage.
    :param scope: scope that the key must have.
    :param perform: does the work and returns the answer's body.
    :param body: model of the JSON body, if there is one.
    :param quota: name of the quota that it counts against; none for storage operations.
    :param charge: returns what a body costs; nothing by default.
    :param form: whether the body is a form with a file.
    """

    name: str
    method: str
    path: str
    scope: str
    perform: Callable[[Call[B]], Awaitable[JSON]]
    body: type[BaseModel] | None = None
    quota: str | None = None
    charge: Callable[[Any], Charge] = no_charge
    form: bool = False


async def answer(service: Service, operation: Operation[Any], request: Request) -> Response:
    """Answer one request to ``/v1`` and record it in the ledger."""
    entry = service.ledger.open(request.scope["sandbox.request_id"], operation.name)
    request.scope["sandbox.entry"] = entry
    course = _Course(entry)
    try:
        response = await _serve(service, operation, request, course)
    except Refused as refused:
        response = JSONResponse(refused.body(), refused.status)
    except ClientDisconnect:
        response = Response(status_code=499)
    except Exception:
        log.exception("The sandbox itself failed in %s", operation.name)
        response = JSONResponse(errors.internal_error().body(), 500)
    response.headers.update(course.headers)
    dialects = service.dialects.of(operation.name, course.subject, response.status_code)
    entry.dialects = list(dialects)
    answered = dialect_effects.apply(dialects.values(), response, request.scope, service.base_url)
    response = await apply_after_charging(service, course.faults, answered)
    if response is not answered:
        response.headers.update(course.headers)
    entry.status = response.status_code
    return response


@dataclass
class _Course:
    """How far a request has come, even if it is refused on the way.

    :param headers: headers of its answer, whatever that is.
    :param subject: the text that must contain the ``prompt`` of a fault or a dialect.
    :param faults: faults that strike it after it has been charged; empty before.
    """

    entry: Entry
    headers: dict[str, str] = field(default_factory=dict)
    subject: str = ""
    faults: list[Fault] = field(default_factory=list)


async def _serve(service: Service, operation: Operation[Any], request: Request, course: _Course) -> Response:
    """Return the answer to a request that was carried out, or that a fault stopped before it was charged."""
    entry = course.entry
    key = service.accounts.authenticate(request.headers.get("authorization"))
    entry.key = key.label
    if operation.scope not in key.scopes:
        raise errors.forbidden(operation.scope)
    _count_request(service, operation, course.headers)
    call: Call[Any] = Call(service, key, entry, None)
    await _read(call, operation, request)
    charge = operation.charge(call.body)
    entry.prompt, entry.number_of_images, entry.request = charge.prompt, charge.images, shortened(call.raw)
    entry.digest = digest_of(call.raw, call.upload[1] if call.upload else b"")
    course.subject = _subject(call, charge)
    call.faults = service.faults.strike(operation.name, course.subject)
    entry.fault = [fault.kind for fault in call.faults]
    fault_response = await apply_before_charging(service, operation.quota, call.faults, course.headers)
    if fault_response is not None:
        return fault_response
    try:
        call.take(charge.credits)
        if operation.method == "POST" and operation.quota:
            await service.wait_for_latency()
        content = await operation.perform(call)
    except BaseException:
        call.give_back()
        raise
    entry.credits = call.credits
    course.faults = call.faults
    return JSONResponse(content)


def _count_request(service: Service, operation: Operation[Any], headers: dict[str, str]) -> None:
    """Count a request against its quota, or refuse it with 429. Settings may leave polls uncounted."""
    if operation.quota is None or (operation.method == "GET" and not service.settings.polls_count):
        return
    decision = service.quotas[operation.quota].take()
    headers.update(decision.headers)
    if not decision.allowed:
        raise errors.too_many_requests()


def _subject(call: Call[Any], charge: Charge) -> str:
    """Return the text that must contain the ``prompt`` of a fault or a dialect: the prompt, else the whole body."""
    if charge.prompt is not None:
        return charge.prompt
    return "" if call.raw is None else json.dumps(call.raw, ensure_ascii=False)


async def _read(call: Call[Any], operation: Operation[Any], request: Request) -> None:
    """Read path, form and body into the call; refuse what the contract does not allow."""
    if "number" in request.path_params:
        call.number = _number(request.path_params["number"], operation)
    if operation.form:
        call.raw = await _read_form(call, request)
    elif operation.body is not None:
        content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise errors.invalid({"__root__": ["the body must be application/json"]})
        call.raw = read_json(await request.body())
    if operation.body is not None:
        call.body = check(operation.body, tolerated(call.raw))


async def _read_form(call: Call[Any], request: Request) -> Any:
    try:
        form = await request.form()
    except HTTPException as error:
        raise errors.bad_body(f"The form cannot be read: {error.detail}") from error
    except FormParserError as error:  # older versions of starlette let it pass
        raise errors.bad_body(f"The form cannot be read: {error}") from error
    missing = {name: ["field required"] for name in ("file", "data") if name not in form}
    if missing:
        raise errors.invalid(missing)
    file, data = form["file"], form["data"]
    if isinstance(file, str):
        call.upload = ("image", file.encode("utf-8", "surrogateescape"))
    else:
        call.upload = (file.filename or "image", await file.read())
    text = data if isinstance(data, str) else await data.read()
    await form.close()
    return read_json(text)


class _BadNumber(Refused):
    """The id in the path is not a number. The answer has FastAPI's own shape, as Claid's has."""

    def body(self) -> JSON:
        """Return ``{"detail": [{loc, msg, type}]}``."""
        return {"detail": [{"loc": ["path", self.code], "msg": self.message, "type": "int_parsing"}]}


def _number(text: str, operation: Operation[Any]) -> int:
    if not re.fullmatch(r"-?[0-9]{1,4000}", text):
        name = "storage_id" if operation.scope == "storage" else "task_id"
        raise _BadNumber(422, name, "validation", "value is not a valid integer")
    return int(text)
