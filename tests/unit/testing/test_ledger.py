from __future__ import annotations

import pytest

from airflow_claid.client import ClaidAnswerLostError, ClaidClient, GenerateRequest
from airflow_claid.sandbox import Sandbox
from airflow_claid.testing import ClaidLedger
from tests.support.pictures import picture
from tests.support.sandbox_client import Client

SOFA = "A linen sofa in morning light"


def test_what_was_charged_is_counted_by_prompt_and_operation(sandbox: Sandbox, claid: ClaidClient) -> None:
    ledger = ClaidLedger(sandbox)
    ledger.charged(0)
    ledger.nothing_paid_twice()
    claid.generate_image(GenerateRequest.of(SOFA, number_of_images=2))
    claid.generate_image("A red armchair")
    ledger.charged(3)
    ledger.charged(2, prompt="linen SOFA")
    ledger.charged(0, prompt="table")
    ledger.charged(3, operation="generate_image")
    ledger.charged(0, operation="submit_edit")
    ledger.nothing_paid_twice()
    assert ledger.credits == 3
    assert [entry.prompt for entry in ledger.requests] == [SOFA, "A red armchair"]


def test_the_message_says_what_was_charged_for_which_prompt(sandbox: Sandbox, claid: ClaidClient) -> None:
    claid.generate_image(GenerateRequest.of(SOFA, number_of_images=2))
    sandbox.fault("cut", charged=True)
    with pytest.raises(ClaidAnswerLostError):
        claid.generate_image("A red armchair")
    claid.list_storages()
    sandbox.fault("500")
    Client(sandbox).generate("A table")
    with pytest.raises(AssertionError) as caught:
        ClaidLedger(sandbox).charged(1, prompt="sofa")
    assert str(caught.value) == (
        "Claid charged 2 credits for prompts with 'sofa', not 1 credit.\n"
        f"  #1 generate_image: 2 credits for '{SOFA}'\n"
        "  #2 generate_image: 1 credit for 'A red armchair', but its answer was lost\n"
        "  free: 1 list_storages, 1 generate_image (500)"
    )


def test_the_message_of_an_empty_ledger_says_that_nothing_was_sent(sandbox: Sandbox) -> None:
    with pytest.raises(AssertionError, match=r"charged 0 credits by generate_image, not 1 credit\.\n  There was no"):
        ClaidLedger(sandbox).charged(1, operation="generate_image")


def test_a_request_that_is_paid_twice_is_named(sandbox: Sandbox, claid: ClaidClient) -> None:
    claid.generate_image("A red armchair")
    for _ in range(2):
        claid.generate_image(SOFA)
    with pytest.raises(AssertionError) as caught:
        ClaidLedger(sandbox).nothing_paid_twice()
    assert str(caught.value) == (
        "2 credits paid for requests that were sent more than once.\n"
        f"  #2 generate_image: 1 credit for '{SOFA}'\n"
        f"  #3 generate_image: 1 credit for '{SOFA}'"
    )


def test_long_prompts_that_differ_at_their_end_are_two_requests(sandbox: Sandbox, claid: ClaidClient) -> None:
    for end in ("lamp", "chair"):
        claid.generate_image(f"{'very ' * 100}beautiful {end}")
    ClaidLedger(sandbox).nothing_paid_twice()


def test_uploads_are_told_apart_by_their_file(sandbox: Sandbox, claid: ClaidClient) -> None:
    operations = {"resizing": {"width": 16}}
    for colour in (10, 200):
        claid.upload_and_edit(picture(32, 32, (colour, 0, 0)), operations)
    ledger = ClaidLedger(sandbox)
    ledger.nothing_paid_twice()
    claid.upload_and_edit(picture(32, 32, (200, 0, 0)), operations)
    with pytest.raises(
        AssertionError, match=r"#2 upload_and_edit: 1 credit for an uploaded picture\n  #3 upload_and_edit"
    ):
        ledger.nothing_paid_twice()
