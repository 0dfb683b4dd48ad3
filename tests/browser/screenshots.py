"""Makes the screenshots in ``docs/images/``: ``scripts/browser_tests.sh screenshots``, or only some of them."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.shop import DAGS, Shop, opened, running_browser, running_shop
from tests.integration.test_review import asked
from tests.support.airflow import ROOT

IMAGES = ROOT / "docs" / "images"
_FADED_IN = 2000.0
KINDS = ("gallery", "credits", "review", "form")


def settled(page: Page, *, framed: bool) -> None:
    """Wait until the pictures have arrived."""
    inside = page.frame_locator("iframe") if framed else page
    inside.locator("img[data-picture].arrived").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(_FADED_IN)


def save(page: Page, name: str, *, whole: bool = False) -> None:
    """Write a screenshot."""
    write(page.screenshot(full_page=whole), name)


def write(content: bytes, name: str) -> None:
    """Write a picture into the docs."""
    with Image.open(io.BytesIO(content)) as shot:
        shot.convert("RGB").save(IMAGES / f"{name}.png", optimize=True)
    print(f"docs/images/{name}.png")


def make_form(shop: Shop, browser: Browser) -> None:
    """Make that of the form of a connection."""
    page = opened(shop, browser, "connections")
    page.get_by_role("button", name="Add Connection").first.click()
    form = page.get_by_role("dialog")
    kind = form.get_by_role("combobox").first
    kind.fill("Claid")
    kind.press("Enter")
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    page.wait_for_timeout(_FADED_IN)
    page.set_viewport_size({"width": 1280, "height": 2200})
    page.wait_for_timeout(_FADED_IN)
    write(form.screenshot(), "connection_form")
    page.context.close()


def make_review(shop: Shop, browser: Browser, folder: Path) -> None:
    """Make those of a review: what is asked, the answer, and the pictures afterwards."""
    airflow = shop.airflow
    run = airflow.trigger("review", {"output": f"file://{folder}/review/"})
    asked(airflow, run, "review")
    page = opened(shop, browser, f"dags/review/runs/{run}/tasks/review/required_actions", width=1440, height=1100)
    page.locator("img[src*='/claid/images/']").nth(2).wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(_FADED_IN)
    save(page, "review_before")
    options = page.locator("input[role='combobox']")
    options.fill("LAMP")
    options.press("Enter")
    page.locator("#element_comment").fill("in warm evening light")
    page.get_by_role("button", name="Respond").click()
    asked(airflow, run, "review_anew")
    page.goto(f"{airflow.url}/dags/review/runs/{run}/plugin/claid_run_images")
    settled(page, framed=True)
    save(page, "review_after")
    page.context.close()


def make_gallery(shop: Shop, browser: Browser) -> None:
    """Make those of the gallery."""
    mapped, upscaled = shop.task("products", "mapped", "all"), f"{shop.task('products', 'upscale')}/0"
    for name, path, options, whole in (
        ("gallery_run", shop.tab("catalogue"), {}, False),
        ("gallery_dark", shop.tab("products"), {"dark": True}, False),
        ("gallery_mapped", mapped, {}, False),
        ("gallery_states", shop.run("products"), {}, True),
        ("gallery_picture", upscaled, {}, True),
        ("gallery_removed", f"{shop.task('products', 'others')}/1", {}, False),
        ("gallery_latest", "claid/images", {}, False),
        ("gallery_phone", shop.run("products"), {"width": 390}, False),
    ):
        page = opened(shop, browser, path, **options)  # type: ignore[arg-type]
        if name != "gallery_removed":
            settled(page, framed="/plugin/" in path)
        else:
            page.get_by_text("Gone").first.wait_for()
        save(page, name, whole=whole)
        page.context.close()


def make_credits(shop: Shop, browser: Browser) -> None:
    """Make those of the credits."""
    for name, path, options, whole in (
        ("credits", "plugin/claid_credits", {}, False),
        ("credits_dark", "claid/credits?by=dag&by=task&by=operation", {"dark": True}, True),
        ("credits_phone", "claid/credits?by=dag", {"width": 390}, True),
    ):
        page = opened(shop, browser, path, **options)  # type: ignore[arg-type]
        (page.frame_locator("iframe") if "plugin/" in path else page).locator("tfoot").wait_for()
        page.wait_for_timeout(_FADED_IN)
        save(page, name, whole=whole)
        page.context.close()


def main() -> int:
    """Run an Airflow, and look at it."""
    wanted = sys.argv[1:] or list(KINDS)
    if not {*wanted} <= {*KINDS}:
        sys.exit(f"usage: screenshots [{' | '.join(KINDS)}]")
    pictures = not {"gallery", "credits"}.isdisjoint(wanted)
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as folder,
        running_shop(Path(home), Path(folder), side=640, dags=DAGS if pictures else ()) as shop,
        running_browser() as browser,
    ):
        if "form" in wanted:
            make_form(shop, browser)
        if "review" in wanted:
            make_review(shop, browser, Path(folder))
        if "gallery" in wanted:
            make_gallery(shop, browser)
        if "credits" in wanted:
            make_credits(shop, browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
