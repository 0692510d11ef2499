"""Parses the README and the pages of the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"

PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (README, *sorted(DOCS.rglob("*.md")))}
"""Markdown by path."""

FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n) {4}\S.*\n(?:(?:\n(?= {4}))? {4}.*\n)*")
SPAN = re.compile(r"`([^`]+)`")


def blocks(text: str) -> list[str]:
    """The blocks of code, fenced or indented."""
    indented = [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in INDENTED.findall(FENCED.sub("", text))]
    return [*FENCED.findall(text), *indented]


def spans(text: str) -> list[str]:
    """The code within sentences and tables."""
    return [" ".join(span.split()) for span in SPAN.findall(FENCED.sub("", text))]


def code(text: str) -> list[str]:
    """Every line of a block and every span."""
    return [line for block in blocks(text) for line in block.splitlines()] + spans(text)


def everywhere(pattern: str) -> Iterator[tuple[str, str]]:
    """Page and first group of each match of `pattern` in lines and spans of code."""
    for page, text in PAGES.items():
        for piece in code(text):
            for found in re.finditer(pattern, piece):
                yield page, found[1]


def tables(page: str, heading: str | None = None) -> list[list[list[str]]]:
    """The tables of a page, or of its section `heading`: rows of cells, the header row first."""
    text = PAGES[page]
    if heading is not None:
        level, _, rest = heading.partition(" ")
        assert f"\n{heading}\n" in text, f"{page} has no {rest!r}"
        part = text.partition(f"\n{heading}\n")[2]
        text = re.split(rf"\n#{{1,{len(level)}}} ", part)[0]
    groups = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [[_cells(line) for line in group.splitlines() if not set(line) <= set("|- ")] for group in groups]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def unmarked(cell: str) -> str:
    """A cell without its backticks."""
    return cell.strip("`")
