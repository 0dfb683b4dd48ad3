"""An account that is checked: a sandbox through an Airflow connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_claid.account_check.check import AccountCheck, Result
from airflow_claid.account_check.evidence import Evidence
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.sandbox import Sandbox, SandboxSettings
from tests.conftest import Connect

Check = Callable[..., Result]


@pytest.fixture(scope="session")
def one_account() -> Iterator[Sandbox]:
    """A Claid as it is documented, with pictures of full size and quick jobs."""
    with Sandbox(SandboxSettings(job_seconds=0.05)) as sandbox:
        yield sandbox


@pytest.fixture
def account(one_account: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A Claid as it is documented, as new, with a connected storage. This process has used nothing of its quota."""
    one_account.reset()
    monkeypatch.setattr("airflow_claid.client.account._quotas", {})
    one_account.connect_storage("shop", bucket="shop-pictures", path="spring", where=tmp_path / "bucket")
    return one_account


@pytest.fixture
def check(account: Sandbox, connect: Connect, tmp_path: Path) -> Check:
    """Checks the account: ``check(spend=2, storage="shop", extra={…})``."""

    def run(
        *,
        spend: float | None = None,
        storage: str | None = None,
        extra: dict[str, Any] | None = None,
        key: str | None = None,
        host: str | None = None,
        output: str | None = None,
    ) -> Result:
        settings = {"storages": {"shop": f"file://{tmp_path}/bucket"}, "max_wait": 30, **(extra or {})}
        connect(
            "claid_default",
            conn_type="claid",
            password=key or account.api_key,
            host=host or account.url,
            extra=settings,
        )
        evidence = Evidence()
        hook = ClaidHook(on_answer=evidence.record)
        return AccountCheck(
            client=hook.client,
            storages=hook.storages,
            downloader=hook.downloader,
            evidence=evidence,
            budget=None if spend is None else Budget(spend),
            output=output or f"file://{tmp_path}/check/",
            storage=storage,
        ).run()

    return run
