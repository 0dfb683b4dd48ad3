from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_claid.client import ClaidValidationError
from airflow_claid.configuration import defaults

Setting = Callable[[], Any]


def set_to(monkeypatch: pytest.MonkeyPatch, option: str, value: str) -> Setting:
    monkeypatch.setenv(f"AIRFLOW__CLAID__{option.upper()}", value)
    setting: Setting = getattr(defaults, option)
    return setting


@pytest.mark.parametrize(
    ("option", "default"),
    [("on_lost_response", "resubmit"), ("deferrable", False), ("poll_interval", 10), ("download_hosts", ())],
)
@pytest.mark.parametrize("empty", [None, "", "  "])
def test_without_a_setting_all_is_as_documented(
    monkeypatch: pytest.MonkeyPatch, option: str, default: Any, empty: str | None
) -> None:
    if empty is not None:
        set_to(monkeypatch, option, empty)
    assert getattr(defaults, option)() == default


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("on_lost_response", "fail", "fail"),
        ("deferrable", "true", True),
        ("deferrable", "False", False),
        ("poll_interval", " 0.5 ", 0.5),
        (
            "download_hosts",
            "*.claid.ai, http://claid-sandbox:8765,[::1]",
            ("*.claid.ai", "http://claid-sandbox:8765", "[::1]"),
        ),
    ],
)
def test_a_setting_is_read(monkeypatch: pytest.MonkeyPatch, option: str, text: str, value: Any) -> None:
    assert set_to(monkeypatch, option, text)() == value


def test_airflows_own_default_of_deferrable_holds_without_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert defaults.deferrable()
    assert not set_to(monkeypatch, "deferrable", "False")()


@pytest.mark.parametrize(
    ("option", "text", "remedy"),
    [
        ("on_lost_response", "retry", "one of resubmit, fail"),
        ("deferrable", "sometimes", "True or False"),
        ("poll_interval", "soon", "seconds, from 0.1 to 3600"),
        ("poll_interval", "0", "seconds, from 0.1 to 3600"),
        ("poll_interval", "nan", "seconds, from 0.1 to 3600"),
        ("download_hosts", "cdn.example.com/pictures", "host names separated by commas"),
        ("download_hosts", "cdn.example.com cdn2.example.com", "host names separated by commas"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_setting_value_and_remedy(
    monkeypatch: pytest.MonkeyPatch, option: str, text: str, remedy: str
) -> None:
    setting = set_to(monkeypatch, option, text)
    with pytest.raises(ClaidValidationError) as caught:
        setting()
    said = str(caught.value)
    assert said.startswith(f"[claid] {option} = {text!r} in Airflow's configuration must be {remedy}")
    assert f"AIRFLOW__CLAID__{option.upper()}" in said
