"""The named dialects are what they say."""

from __future__ import annotations

import json

import pytest
import requests

from airflow_claid.sandbox import Sandbox
from tests.support.dialects import READABLE, UNREADABLE, said
from tests.support.sandbox_client import Client


@pytest.mark.parametrize("name", READABLE)
def test_a_readable_answer_differs_from_the_contract_and_holds_every_link(sandbox: Sandbox, name: str) -> None:
    usual = Client(sandbox).generate()
    sandbox.dialect(**said(name))
    answer = Client(sandbox).generate()
    links = sandbox.ledger()[1].pictures
    text = answer.content.decode(said(name).get("charset", "utf-8"))
    assert all(link in text for link in links)
    assert shape(answer) != shape(usual)
    assert sandbox.charged() == 8


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_answer_holds_no_link_or_is_no_json(sandbox: Sandbox, name: str) -> None:
    sandbox.dialect(**said(name))
    answer = Client(sandbox).generate()
    try:
        text = json.dumps(answer.json())
    except (ValueError, RecursionError):
        text = ""
    assert "/tmp/" not in text
    assert sandbox.charged() == 4


def shape(answer: requests.Response) -> object:
    """What two answers to the same request have in common: status, headers, and the fields with their types."""
    changing = {"x-request-id", "date", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in changing}
    told = [headers.get("content-type"), headers.get("ratelimit-limit")]
    return answer.status_code, headers.keys(), told, _types(answer.content)


def _types(content: bytes) -> object:
    try:
        value = json.loads(content.decode())
    except ValueError:
        return content[:10]

    def typed(item: object) -> object:
        if isinstance(item, dict):
            return {name: typed(inner) for name, inner in item.items()}
        if isinstance(item, list):
            return [typed(inner) for inner in item]
        return type(item).__name__ if not isinstance(item, str) or item.isascii() else ascii(item)

    return typed(value)
