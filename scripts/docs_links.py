"""Check the links of the built site: each local one leads to a file and an anchor, and no page loads from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

_GENERATED = {"genindex.html", "py-modindex.html", "search.html"}


@dataclass
class Links(HTMLParser):
    """The links and the anchors of one page."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    """What a browser fetches by itself: scripts, styles, pictures."""
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names and where it leads."""
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if "src" in values:
            self.loaded.append(values["src"])
        if tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(values["href"])


def broken_links(site: Path) -> list[str]:
    """Return a sentence for each link of a site that leads nowhere, and for what is loaded from another host."""
    pages = {path: read(path) for path in sorted(site.rglob("*.html")) if path.name not in _GENERATED}
    problems: list[str] = []
    for path, page in pages.items():
        name = path.relative_to(site)
        problems += [f"{name} loads {url} from elsewhere" for url in page.loaded if urlsplit(url).netloc]
        for url in [*page.links, *page.loaded]:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            file, anchor = urldefrag(url)
            target = (path.parent / unquote(urlsplit(file).path)).resolve() if file else path
            if not target.is_file():
                problems.append(f"{name}: {url} is not there")
            elif anchor and target in pages and unquote(anchor) not in pages[target].anchors:
                problems.append(f"{name}: {url} names no anchor")
    return problems


def read(path: Path) -> Links:
    """Return the links of a page."""
    links = Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links
