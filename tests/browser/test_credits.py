"""The credits page in a browser, in a real Airflow below a path: what a person sees and does there."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.shop import Shop
from tests.browser.test_gallery import serious

CREDITS = "claid/credits"


def test_the_navigation_leads_to_the_sums_of_two_weeks(visit: Visit) -> None:
    page = visit("plugin/claid_credits")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Credits", exact=True)).to_be_visible()
    expect(frame.locator("tbody tr")).not_to_have_count(0)
    expect(frame.locator(".plot rect.s1").first).to_be_attached()
    expect(frame.locator(".legend")).to_contain_text("catalogue")
    expect(frame.locator(".legend")).to_contain_text("products")
    expect(frame.get_by_label("Spend limits")).to_contain_text("Europe/Berlin")


def test_the_rows_are_by_what_is_ticked_and_of_the_days_that_are_named(visit: Visit) -> None:
    page = visit(CREDITS)
    for name in ("Day", "DAG"):
        page.get_by_label(name, exact=True).uncheck()
    page.get_by_label("Operation").check()
    yesterday = (datetime.now(timezone.utc) - timedelta(days=1)).date().isoformat()
    page.get_by_label("From", exact=True).fill(yesterday)
    page.get_by_label("To", exact=True).fill(yesterday)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("table").first.locator("thead th").first).to_have_text("Operation")
    expect(page.locator("table").first.locator("tbody th")).to_have_text(
        ["generate_image", "submit_ai_edit", "submit_edit"]
    )


def test_a_dag_is_a_click_away_and_so_are_all(visit: Visit) -> None:
    page = visit(f"{CREDITS}?by=dag")
    page.get_by_role("link", name="products").click()
    expect(page.locator(".where")).to_contain_text("in products")
    expect(page.locator("table").first).not_to_contain_text("catalogue")
    expect(page.locator(".legend")).to_contain_text("upscale")
    page.get_by_role("link", name="All DAGs").click()
    expect(page.get_by_role("link", name="catalogue")).to_be_visible()


def test_the_csv_has_the_same_total(visit: Visit) -> None:
    page = visit(f"{CREDITS}?by=task")
    total = page.locator("tfoot td").first.inner_text().replace(",", "")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download CSV").click()
    lines = downloading.value.path().read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"claid-credits-[\d-]+\.csv", downloading.value.suggested_filename)
    assert sum(float(line.split(",")[1]) for line in lines[1:]) == float(total)


def test_everything_is_done_by_keyboard_alone(visit: Visit) -> None:
    page = visit(CREDITS)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the sums")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "task":
            break
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "submit":
            break
    page.keyboard.press("Enter")
    expect(page.locator("table").first.locator("thead th").nth(2)).to_have_text("Task")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_hard_to_use_with_a_screen_reader(visit: Visit, dark: bool) -> None:
    for path in (CREDITS, f"{CREDITS}?by=day&by=dag&by=task&by=operation", f"{CREDITS}?from=2020-01-01&to=2020-01-02"):
        page = visit(path, dark=dark)
        page.wait_for_load_state("networkidle")
        assert serious(page) == [], path


def test_days_on_which_nothing_was_spent_say_so(visit: Visit) -> None:
    page = visit(f"{CREDITS}?from=2020-01-01&to=2020-01-02")
    expect(page.get_by_role("heading", name="Nothing was spent")).to_be_visible()
    assert "/airflow/claid/credits" in (page.locator("form").get_attribute("action") or "")


def test_who_has_no_right_gets_403_and_who_is_not_signed_in_401(shop: Shop) -> None:
    for user, status in (("admin", 200), ("nobody", 403), (None, 401)):
        token = shop.airflow.token(user) if user else None
        for path in (CREDITS, f"{CREDITS}.csv", f"{CREDITS}?dag=products"):
            assert shop.airflow.get(path, token).status_code == status, (user, path)


def test_airflows_dark_mode_is_followed(visit: Visit) -> None:
    page = visit("plugin/claid_credits")
    frame = page.frame_locator("iframe")
    expect(frame.locator("tfoot")).to_be_visible()
    for theme in ("dark", "light"):
        page.evaluate(f"document.documentElement.className = '{theme}'")
        expect(frame.locator("html.dark")).to_have_count(int(theme == "dark"))


def test_a_phone_shows_everything_without_scrolling_the_page_sideways(visit: Visit) -> None:
    page = visit(f"{CREDITS}?by=day&by=dag&by=task&by=operation", width=390)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
