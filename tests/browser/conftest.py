"""What the browser tests share: one Airflow, one browser, and windows that are closed after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.shop import Shop, opened, running_browser, running_shop

expect.set_options(timeout=60_000)

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_shop(tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("pictures"), side=256) as shop:
        yield shop


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def visit(shop: Shop, browser: Browser) -> Iterator[Visit]:
    """Opens a page as a user: ``visit("claid/images", user="nobody", dark=True, width=390)``."""
    yield partial(opened, shop, browser)
    for context in browser.contexts:
        context.close()
