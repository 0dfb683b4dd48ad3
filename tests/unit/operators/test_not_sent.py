"""What was not sent is a refused request: no lost answer, and no credits in doubt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_claid.client import ClaidNotSentError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.operators import ImageGenerationOperator
from airflow_claid.sandbox import Sandbox
from tests.conftest import Connect
from tests.support.processes import free_port
from tests.support.receipt_files import last_state
from tests.unit.operators.conftest import NewTry


def generation(folder: Path) -> ImageGenerationOperator:
    return ImageGenerationOperator(task_id="pictures", prompt="A linen sofa", output=f"file://{folder}/")


def test_certificates_that_are_not_there_leave_no_doubt(
    new_try: NewTry, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    run = new_try()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    connect("claid_default", conn_type="claid", password="a-key", host=sandbox.url.replace("http", "https"))
    with pytest.raises(AirflowFailException, match=r"nothing\.pem.*Nothing was sent, nothing was charged"):
        run(generation(tmp_path))
    assert_refused(tmp_path)
    works, said = ClaidHook().test_connection()
    assert not works
    assert "nothing.pem" in said


def test_a_proxy_that_is_not_there_leaves_no_doubt(
    new_try: NewTry, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = new_try()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    connect("claid_default", conn_type="claid", password="a-key", host="http://claid.invalid", extra={"max_wait": 0})
    with pytest.raises(ClaidNotSentError, match="through the proxy"):
        run(generation(tmp_path))
    assert_refused(tmp_path)


def assert_refused(folder: Path) -> None:
    (receipt,) = (folder / "_claid").rglob("*.json")
    state = last_state(receipt)
    assert (state["state"], state["credits"], state["credits_in_doubt"]) == ("refused", 0, 0), json.dumps(state)
