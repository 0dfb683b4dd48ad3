"""Links and images lead somewhere, and every page can be found."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.docs.pages import PAGES, ROOT, Page

MOST_BYTES_OF_AN_IMAGE = 400_000


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_relative_links_and_anchors_resolve(page: Page) -> None:
    by_path = {other.path: other for other in PAGES}
    for line, target in page.links:
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        assert path.is_relative_to(ROOT), f"{page}:{line}: {target} leads out of the repository"
        assert path.exists(), f"{page}:{line}: {target} is not there"
        if anchor:
            assert anchor in by_path[path].anchors, f"{page}:{line}: {target} names no heading"


def test_every_page_is_linked_from_the_index() -> None:
    index = Page(ROOT / "docs" / "index.md")
    linked = {target.partition("#")[0] for _, target in index.links}
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name in linked | {"index.md"}, f"docs/index.md does not link {path.name}"


def test_images_are_whole_small_and_used() -> None:
    used = {(page.path.parent / target).resolve() for page in PAGES for _, target in page.links}
    for path in (ROOT / "docs" / "images").iterdir():
        assert path in used, f"{path.name} is on no page"
        assert path.stat().st_size <= MOST_BYTES_OF_AN_IMAGE
        with Image.open(path) as image:
            image.load()
