from __future__ import annotations

import io

import pytest
import requests
from PIL import Image

from airflow_claid.client import (
    ClaidAnswerLostError,
    ClaidClient,
    ClaidCreditsError,
)
from airflow_claid.sandbox import Sandbox
from airflow_claid.testing import ClaidFaults, ClaidLedger
from tests.support.sandbox_client import Client


@pytest.fixture
def faults(sandbox: Sandbox) -> ClaidFaults:
    return ClaidFaults(sandbox)


@pytest.fixture
def ledger(sandbox: Sandbox) -> ClaidLedger:
    return ClaidLedger(sandbox)


@pytest.mark.parametrize("charged", [True, False])
def test_an_answer_is_lost_after_the_charge_or_before(
    faults: ClaidFaults, ledger: ClaidLedger, claid: ClaidClient, charged: bool
) -> None:
    faults.lost_answer("sofa", charged=charged)
    claid.generate_image("A table")
    with pytest.raises(ClaidAnswerLostError):
        claid.generate_image("A sofa")
    ledger.charged(int(charged), prompt="sofa")


def test_a_429_and_a_server_error_strike_as_often_as_they_are_told(sandbox: Sandbox, faults: ClaidFaults) -> None:
    client = Client(sandbox)
    faults.rate_limited(times=2)
    faults.server_error("lamp")
    prompts = ["A sofa", "A sofa", "A sofa", "A lamp"]
    assert [client.generate(prompt).status_code for prompt in prompts] == [429, 429, 200, 500]
    assert sandbox.charged() == 4


def test_a_prompt_with_a_blocked_word_gives_a_black_picture(sandbox: Sandbox, faults: ClaidFaults) -> None:
    faults.blocked("red", "green")
    client = Client(sandbox)
    for prompt, black in [("A red sofa", True), ("A green sofa", True), ("A nsfw sofa", True), ("A blue sofa", False)]:
        picture = Image.open(io.BytesIO(requests.get(client.picture_address(prompt), timeout=10).content))
        assert (picture.convert("L").getextrema() == (0, 0)) is black, prompt


def test_an_account_without_credits_is_refused(faults: ClaidFaults, ledger: ClaidLedger, claid: ClaidClient) -> None:
    faults.no_credits(left=1)
    claid.generate_image("A sofa")
    with pytest.raises(ClaidCreditsError):
        claid.generate_image("A table")
    ledger.charged(1)


def test_a_job_fails_and_is_charged(sandbox: Sandbox, faults: ClaidFaults, ledger: ClaidLedger) -> None:
    client = Client(sandbox)
    photo = client.picture_address()
    faults.failed_job()
    body = {"input": photo, "operations": {"resizing": {"width": 16}}}
    assert client.run("/image/edit/async", body)["status"] == "ERROR"
    ledger.charged(1, operation="submit_edit")


def test_downloads_break_and_links_expire(sandbox: Sandbox, faults: ClaidFaults) -> None:
    address = Client(sandbox).picture_address()
    whole = requests.get(address, timeout=10).content
    faults.broken_download()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(address, timeout=10)
    assert requests.get(address, timeout=10).content == whole
    faults.expired_links()
    assert not requests.get(address, timeout=10).ok
