"""Makes the screenshots of the gallery in ``docs/images/``: ``scripts/browser_tests.sh screenshots``."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.shop import Shop, opened, running_browser, running_shop
from tests.support.airflow import ROOT

IMAGES = ROOT / "docs" / "images"
_FADED_IN = 2000.0


def settled(page: Page, *, framed: bool) -> None:
    """Wait until the pictures have arrived."""
    inside = page.frame_locator("iframe") if framed else page
    inside.locator("img[data-picture].arrived").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(_FADED_IN)


def save(page: Page, name: str, *, whole: bool = False) -> None:
    """Write a screenshot."""
    with Image.open(io.BytesIO(page.screenshot(full_page=whole))) as shot:
        shot.convert("RGB").save(IMAGES / f"{name}.png", optimize=True)
    print(f"docs/images/{name}.png")


def make(shop: Shop, browser: Browser) -> None:
    """Make all of them."""
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


def main() -> int:
    """Run an Airflow, and look at it."""
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as folder,
        running_shop(Path(home), Path(folder), side=640) as shop,
        running_browser() as browser,
    ):
        make(shop, browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
