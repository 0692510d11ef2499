"""The README is short, and leads on."""

import re

from tests.docs.documents import DOCS, PAGES, README, ROOT, everywhere


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.read_text().splitlines()) <= 200


def test_the_two_commands_stand_alone_at_its_top() -> None:
    top = PAGES["README.md"].partition("\n## ")[0]

    for command in ("run", "test"):
        assert f"\n\n    make {command}\n\n" in top
    assert "exec make test" in (ROOT / ".ci/run").read_text()


def test_without_make_pip_installs_what_the_locks_name_and_looks_for_nothing_else() -> None:
    installing = [line for _, line in everywhere(r"(.*-m pip install .*)")]

    assert len(installing) >= 3
    for line in installing:
        assert {"--no-deps", "--require-hashes"} <= set(line.split()), line
        assert (ROOT / line.split()[-1]).is_file(), line


def test_every_file_that_it_links_to_exists() -> None:
    assert len(links()) > 25
    assert [link for link in links() if not (ROOT / link).is_file()] == []


def test_it_links_to_every_page_of_the_documentation_but_those_that_list_others() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md")}
    unlinked = {page for page in pages - set(links()) if not page.startswith("docs/decisions/0")}

    assert unlinked == {"docs/index.md"}


def links() -> list[str]:
    found = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGES["README.md"])
    return found + re.findall(r'(?:src|srcset)="([^"]+)"', PAGES["README.md"])
