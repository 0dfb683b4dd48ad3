"""The site that ``make docs`` builds: its navigation and links come from the pages of the repository."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import PAGES, ROOT


@pytest.fixture(scope="module")
def docs_site() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import docs_site

        yield docs_site
    finally:
        sys.path.remove(str(ROOT / "scripts"))


def test_the_navigation_has_every_page_once_below_the_heading_of_the_index(docs_site: ModuleType) -> None:
    sections = docs_site.sections((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert all(sections), "each list of the index has a heading"
    listed = [name for names in sections.values() for name in names]
    pages = {page.path.stem for page in PAGES if page.path.parent == ROOT / "docs"} - {"index"}
    assert sorted(listed) == sorted(pages | set(docs_site.ROOT_PAGES.values()))


def test_the_api_reference_has_what_modules_export_and_says_where_it_is_imported_from(docs_site: ModuleType) -> None:
    for _, *modules in docs_site.API.values():
        assert all(docs_site.public_names(module) for module in modules)
    page = docs_site.described("Notifications", {"ReviewNotifier": "airflow_claid.notifications.review"}, members=True)
    assert ".. autoclass:: airflow_claid.notifications.review.ReviewNotifier\n   :members:\n" in page


def test_links_out_of_the_docs_lead_to_pages_of_the_site(docs_site: ModuleType) -> None:
    page = "See [it](../dags_examples/review.py), [changes](../CHANGELOG.md#added) and [here](errors.md).\n"
    assert (
        docs_site.staged(page) == "See [it](examples/review.md), [changes](changelog.md#added) and [here](errors.md).\n"
    )
    with pytest.raises(ValueError, match="the site does not have"):
        docs_site.staged("[code](../airflow_claid/errors.py)")


def test_a_broken_link_and_a_page_that_loads_from_elsewhere_are_found(docs_site: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text('<h1 id="there">x</h1>')
    (tmp_path / "index.html").write_text(
        '<a href="other.html#there">1</a><a href="other.html#gone">2</a><a href="gone.html">3</a>'
        '<a href="https://claid.ai">4</a><script src="https://cdn.example.com/x.js"></script>'
    )
    assert docs_site.broken_links(tmp_path) == [
        "index.html loads https://cdn.example.com/x.js from elsewhere",
        "index.html: other.html#gone names no anchor",
        "index.html: gone.html is not there",
    ]
