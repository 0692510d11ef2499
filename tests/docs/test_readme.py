"""The README is short and links to the documentation."""

import re

from tests.docs.documents import DOCS, PAGES, README, ROOT, everywhere


def test_it_has_at_most_200_lines() -> None:
    assert len(README.read_text().splitlines()) <= 200


def test_its_introduction_has_the_two_commands() -> None:
    top = PAGES["README.md"].partition("\n## ")[0]

    for command in ("run", "test"):
        assert f"\n\n    make {command}\n\n" in top
    assert "exec make test" in (ROOT / ".ci/run").read_text()


def test_pip_commands_install_only_locked_packages() -> None:
    installing = [line for _, line in everywhere(r"(.*-m pip install .*)")]

    assert len(installing) >= 3
    for line in installing:
        assert {"--no-deps", "--require-hashes"} <= set(line.split()), line
        assert (ROOT / line.split()[-1]).is_file(), line


def test_every_file_that_it_links_to_exists() -> None:
    assert len(links()) > 25
    assert [link for link in links() if not (ROOT / link).is_file()] == []


def test_it_links_to_every_page_but_the_home_page_and_single_decisions() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md")}
    unlinked = {page for page in pages - set(links()) if not page.startswith("docs/decisions/0")}

    assert unlinked == {"docs/index.md"}


def links() -> list[str]:
    found = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGES["README.md"])
    return found + re.findall(r'(?:src|srcset)="([^"]+)"', PAGES["README.md"])
