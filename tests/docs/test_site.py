"""The documentation as a site: built strictly, and complete without a network."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.docs.documents import DOCS, ROOT

OF_ASSETS = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "object": ("data",),
    "use": ("href", "xlink:href"),
}
"""Attributes with addresses that a browser fetches by itself."""
NO_ASSETS = {"canonical", "prev", "next", "edit"}
"""Kinds of <link> that a browser does not fetch by itself."""


def build(config: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", target)
    assert done.returncode == 0, done.stderr
    return target


def test_every_page_is_built(site: Path) -> None:
    expected = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")}
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}

    assert built == expected | {"404.html"}
    assert json.loads((site / "openapi.json").read_text())["openapi"].startswith("3.1")


def test_a_broken_link_stops_the_build(tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "index.md").write_text("[a](b.md)\n\n[b](#nowhere)\n\n![c](c.png)\n\n[d](../README.md)\n")
    (pages / "forgotten.md").write_text("# Forgotten\n")
    settings = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{settings}\nnav:\n  - Home: index.md\n")

    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")

    assert done.returncode == 1
    assert done.stderr.count("WARNING -") == 5
    for text in ("'b.md'", "'#nowhere'", "'c.png'", "'../README.md'", "forgotten.md"):
        assert text in done.stderr


def assets(page: Path) -> Iterator[str]:
    """The addresses that a browser fetches to show a page."""
    for tag in BeautifulSoup(page.read_text(), "lxml").find_all(list(OF_ASSETS)):
        if not NO_ASSETS & set(tag.get("rel") or ()):
            yield from (str(tag[name]) for name in OF_ASSETS[tag.name] if tag.get(name))


def test_no_page_loads_anything_from_other_servers(site: Path) -> None:
    found = {(page.name, address) for page in site.rglob("*.html") for address in assets(page)}

    assert len(found) > 100
    assert [address for _, address in sorted(found) if urlsplit(address).netloc or address.startswith("//")] == []


def test_every_asset_exists(site: Path) -> None:
    missing = [
        (page.name, address)
        for page in site.rglob("*.html")
        for address in assets(page)
        if page.name != "404.html" and not (page.parent / urlsplit(address).path).is_file()
    ]
    assert missing == []


def test_no_style_or_picture_loads_anything_from_other_servers(site: Path) -> None:
    texts = [path.read_text() for path in site.rglob("*") if path.suffix in (".css", ".svg")]

    assert len(texts) >= 3
    assert [
        address for text in texts for address in re.findall(r"(?:url\(|@import )['\"]?(https?:[^)'\"]+)", text)
    ] == []


def test_the_search_index_has_every_page(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    found = {document["location"].partition("#")[0] for document in index["docs"]}

    assert found == {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")}
