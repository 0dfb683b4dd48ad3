"""The gallery in a browser, in a real Airflow below a path: what a person sees and does there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.shop import Shop

ARRIVED = "img[data-picture].arrived"


def pictures_arrive(page: Page | FrameLocator, number: int) -> None:
    expect(page.locator(ARRIVED)).to_have_count(number)


def tile(page: Page | FrameLocator, name: str) -> Locator:
    """Return the link to a picture."""
    return page.locator(".tile > a", has=page.locator(".name").get_by_text(name, exact=True))


def serious(page: Page) -> list[str]:
    """Return what axe-core finds that is hard to use by keyboard or with a screen reader, in words."""
    page.evaluate(
        Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8")
    )  # past the page's policy, which lets no script in that is not its own
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def test_a_runs_tab_shows_its_pictures_in_airflows_page(visit: Visit, shop: Shop) -> None:
    page = visit(shop.tab("products"))
    frame = page.frame_locator("iframe")
    expect(frame.locator(".tile")).to_have_count(13)
    pictures_arrive(frame, 7)
    tile(frame, "SOFA").click()
    expect(frame.get_by_role("heading", name="SOFA")).to_be_visible()
    pictures_arrive(frame, 4)


@pytest.mark.parametrize(
    ("task", "tiles"), [("generate", 1), ("mapped/mapped/0", 1), ("mapped/mapped/1", 1), ("pictures", 60)]
)
def test_a_tasks_tab_shows_the_pictures_of_its_map_index(visit: Visit, shop: Shop, task: str, tiles: int) -> None:
    dag = "catalogue" if task == "pictures" else "products"
    page = visit(shop.tab(dag, task))
    expect(page.frame_locator("iframe").locator(".tile")).to_have_count(tiles)


def test_the_navigation_leads_from_the_latest_runs_to_a_picture_and_back(visit: Visit) -> None:
    page = visit("claid/images")
    page.get_by_role("link", name="products").click()
    expect(page.get_by_role("heading", name="Images")).to_be_visible()
    tile(page, "LAMP").click()
    page.get_by_role("link", name="All pictures").click()
    page.get_by_role("link", name="Latest runs").click()
    expect(page.get_by_text("catalogue")).to_be_visible()


def test_pages_states_and_search(visit: Visit, shop: Shop) -> None:
    page = visit(shop.task("catalogue", "pictures"))
    expect(page.locator(".tile")).to_have_count(60)
    page.get_by_role("link", name="Next").click()
    expect(tile(page, "SKU-0061")).to_be_visible()
    page.get_by_label("Page", exact=True).fill("4")
    page.keyboard.press("Enter")
    expect(page.locator(".tile")).to_have_count(20)
    page.get_by_role("link", name="Invalid").click()
    expect(tile(page, "SKU-0006")).to_contain_text("Invalid")
    page.get_by_role("link", name="All 200").click()
    page.get_by_label("Name, prompt or path").fill("TERRACOTTA desk")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_contain_text("with “TERRACOTTA desk”")
    assert 0 < page.locator(".tile").count() < 10


def test_a_picture_shows_its_path_its_receipt_and_its_chain(visit: Visit, shop: Shop) -> None:
    page = visit(f"{shop.task('products', 'upscale')}/0")
    expect(page.locator("img.whole.arrived")).to_be_visible()
    assert page.get_by_label("Path of the picture").input_value().endswith("/sofa/large/SOFA_1.jpg")
    expect(page.get_by_text("delivered", exact=True)).to_be_visible()
    steps = page.locator(".step .task").all_inner_texts()
    assert steps == ["generate", "upscale", "resize"]
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.locator(".step").last.get_by_role("link").click()
    expect(page.locator(".step.now .task")).to_have_text("resize")


def test_a_row_of_a_manifest_leads_to_what_was_made_from_it(visit: Visit, shop: Shop) -> None:
    page = visit(f"{shop.task('catalogue', 'pictures')}/41")
    page.locator(".step", has_text="for_the_list").get_by_role("link").click()
    expect(page.locator(".step.now .task")).to_have_text("for_the_list")
    assert page.locator(".step .task").all_inner_texts() == ["pictures", "for_the_list"]


def test_everything_is_done_by_keyboard_alone(visit: Visit, shop: Shop) -> None:
    page = visit(shop.task("catalogue", "pictures"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the pictures")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if "tile" in (page.evaluate("document.activeElement.parentElement.className") or ""):
            break
    expect(tile(page, "SKU-0001")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="SKU-0001")).to_be_visible()
    expect(page.locator("img.whole.arrived")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".tile")).to_have_count(60)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_hard_to_use_with_a_screen_reader(visit: Visit, shop: Shop, dark: bool) -> None:
    run, task = shop.run("products"), shop.task("catalogue", "pictures")
    for path in (run, task, f"{task}/41", f"{run}/tasks/others/-1/1", "claid/images", f"{run}?text=none"):
        page = visit(path, dark=dark)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)  # until pictures have faded in: axe reads colours through them
        assert serious(page) == [], path


def test_who_has_no_right_gets_403_and_who_is_not_signed_in_401(shop: Shop) -> None:
    task = shop.task("products", "generate")
    for user, status in (("admin", 200), ("nobody", 403), (None, 401)):
        token = shop.airflow.token(user) if user else None
        for path in (shop.run("products"), task, f"{task}/0", f"{task}/0/0/thumbnail", f"{task}/0/0/large"):
            assert shop.airflow.get(path, token).status_code == status, (user, path)


def test_markup_in_a_prompt_is_text(visit: Visit, shop: Shop) -> None:
    page = visit(shop.run("products"))
    tile(page, "SCRIPT").click()
    expect(page.get_by_text("<script>document.title = 'hacked'</script>")).to_be_visible()
    assert page.title() == "SCRIPT · Claid"


@pytest.mark.parametrize("path", ["1/0/thumbnail", "0/1/large", "0/input/large", "0/..%2F..%2Fetc%2Fpasswd/large"])
def test_what_the_task_did_not_report_is_not_there(shop: Shop, path: str) -> None:
    answer = shop.airflow.get(f"{shop.task('products', 'generate')}/{path}", shop.airflow.token("admin"))
    assert answer.status_code == 404


def test_what_cannot_be_shown_says_why(visit: Visit, shop: Shop) -> None:
    page = visit(shop.task("products", "others"))
    expect(page.locator(".notice")).to_contain_text("Airflow's API server has no connection 'nobody'")
    for name, said in (("EXPIRED", "Expired"), ("REMOVED", "Gone"), ("FAILED", "Failed")):
        expect(page.locator(".tile", has_text=name).locator("[data-state]")).to_have_text(said)
    expect(page.locator(".tile", has_text="SECRET")).to_contain_text("no picture that can be shown")
    assert "root:" not in page.content()


def test_airflows_dark_mode_is_followed(visit: Visit, shop: Shop) -> None:
    page = visit(shop.tab("products"))
    frame = page.frame_locator("iframe")
    expect(frame.locator(".tile")).to_have_count(13)
    for theme in ("dark", "light"):
        page.evaluate(f"document.documentElement.className = '{theme}'")
        expect(frame.locator("html.dark")).to_have_count(int(theme == "dark"))


def test_a_phone_shows_everything_without_scrolling_sideways(visit: Visit, shop: Shop) -> None:
    for path in (shop.run("products"), f"{shop.task('products', 'upscale')}/0", "claid/images"):
        page = visit(path, width=390)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
