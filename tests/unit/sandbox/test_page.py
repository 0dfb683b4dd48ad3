"""The sandbox's page for people: totals, requests with what went in and came out, a filter, what was blocked."""

from __future__ import annotations

import re

import requests

from airflow_claid.sandbox import Sandbox
from tests.unit.sandbox.conftest import Client


def page(sandbox: Sandbox, **asked: str) -> str:
    answer = requests.get(sandbox.url, params=asked, timeout=30)
    assert answer.ok
    return answer.text


def totals(text: str, operation: str) -> list[str]:
    (cells,) = re.findall(rf"<tr><td>{operation}</td>((?:<td class=number>[^<]*</td>)+)", text)
    return re.findall(r">([^<]+)</td>", cells)


def test_an_edit_is_shown_with_its_input_and_its_output(client: Client, sandbox: Sandbox) -> None:
    address = client.generate().json()["data"]["output"][0]["tmp_url"]
    client.edit(address, {"resizing": {"width": 30, "height": 20}})
    last = sandbox.ledger()[-1]
    number, text = last.sequence, page(sandbox, operation=last.operation)
    assert "<td>resizing</td>" in text
    for which in ("input", "0"):
        assert f'src="/sandbox/pictures/{number}/{which}"' in text
        picture = requests.get(f"{sandbox.url}/sandbox/pictures/{number}/{which}", timeout=30)
        assert picture.headers["content-type"] == "image/jpeg"
    for which in ("1", "-1", "..%2Fa", "99999999999999999999"):
        assert requests.get(f"{sandbox.url}/sandbox/pictures/{number}/{which}", timeout=30).status_code == 404


def test_totals_are_by_operation(client: Client, sandbox: Sandbox) -> None:
    client.generate("A brass lamp")
    client.generate("A nude in charcoal")
    client.generate("x")
    requests_, failed, blocked, images, credits_ = totals(page(sandbox), "generate_image")
    assert (requests_, failed, blocked, images) == ("3", "1", "1", "8")
    assert float(credits_) == sandbox.charged()
    assert "<option>generate_image</option>" in page(sandbox)


def test_requests_are_filtered_by_operation_prompt_and_what_was_blocked(client: Client, sandbox: Sandbox) -> None:
    client.generate("A brass lamp")
    client.generate("A nude in charcoal")
    both, lamps, blocked = page(sandbox), page(sandbox, text="BRASS"), page(sandbox, blocked="1")
    assert ("A brass lamp" in both, "A nude" in both) == (True, True)
    assert ("A brass lamp" in lamps, "A nude" in lamps) == (True, False)
    assert ("A brass lamp" in blocked, "A nude" in blocked) == (False, True)
    assert '<span class="bad">blocked</span>' in blocked
    other = page(sandbox, operation="submit_edit", text="<script>")
    assert "A brass lamp" not in other
    assert "<script>" not in other


def test_it_refreshes_itself_and_keeps_the_filter(sandbox: Sandbox) -> None:
    text = page(sandbox, text="lamp", blocked="1")
    assert '<meta http-equiv="refresh" content="5">' in text
    assert 'name="text" value="lamp"' in text
    assert 'value="1" checked' in text
