"""The files, terms, caches and decisions in the documentation are those of the code."""

import ast
import re

import pytest

from api.middleware import rate_limits, response_cache
from services.caching import process_reader
from services.concurrency import versioned_cache
from services.store.alerting import rules as stored_rules
from services.store.history import recent_cache
from tests.docs.documents import DOCS, PAGES, ROOT, blocks, code, everywhere, spans, tables

PACKAGES = "api|assets|benchmarks|callbacks|docs|layouts|migrations|scripts|services|tests"

TERMS = """
    metric, pair, base, quote, tick, sample, candle, window, standard deviation, snapshot, revision, rule, condition,
    evaluation, state, firing, resolved, acknowledge, mute, notification, channel, outbox, delivery, backfill, gap,
    chunk, rollup, retention, lease, cache
"""

CACHES_IN_CODE = re.compile(
    r"@(?:functools\.)?(?:lru_)?cache\b"
    r"|= (?:VersionedCache|LastKnown|CachedResponses|CacheEntry|ResponseCache)\("
    r"|\bOrderedDict\b[^\n]* = "
    r"|_(?:last|masks|known|market_list|read_at)\b: "
)
"""Code that caches something."""

CACHES = "docs/decisions/0007-caches.md"


def test_every_documented_file_exists() -> None:
    named = {path for _, path in everywhere(rf"^((?:{PACKAGES})/[\w./-]*)$")}
    named |= {path for _, path in everywhere(r"^([A-Za-z][\w-]*\.(?:py|md|yml|toml|txt|in))$")}

    assert len(named) > 50
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_tree_of_packages_has_every_package() -> None:
    (tree,) = [block for block in blocks(PAGES["docs/architecture.md"]) if block.startswith("app.py ")]
    inside = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "services").iterdir()
        if path.name != "__init__.py" and (path.suffix == ".py" or any(path.glob("*.py")))
    }

    assert all((ROOT / name).exists() for name in re.findall(r"^([a-z_]+(?:/|\.py)) ", tree, re.MULTILINE))
    assert set(re.findall(r"^  ([a-z_]+(?:/|\.py)) ", tree, re.MULTILINE)) == inside


def test_every_file_of_the_table_of_changes_exists() -> None:
    named = [span for span in changed_files() if re.match(rf"({PACKAGES})/|\w+\.(py|json)$", span)]

    assert len(named) > 60
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_table_of_changes_names_every_package() -> None:
    places = {path.rstrip("/") if path.endswith("/") else path.rpartition("/")[0] for path in changed_files()}
    packages = {
        path.parent.relative_to(ROOT).as_posix()
        for top in ("api", "assets", "callbacks", "layouts", "services")
        for path in (ROOT / top).rglob("*")
        if path.suffix in (".py", ".js") and path.name != "__init__.py"
    }

    assert {"services/store/ranking", "api/middleware", "assets/ranking"} < packages
    assert packages - places == set()


def changed_files() -> set[str]:
    (table,) = tables("docs/architecture.md", "## Which file for which change")
    assert table[0] == ["change", "file"]
    return {span for row in table[1:] for span in spans(row[1])}


def test_the_glossary_has_each_term_once_in_one_sentence() -> None:
    (table,) = tables("docs/glossary.md")
    terms = [row[0] for row in table[1:]]

    assert terms == sorted(set(terms))
    assert set(re.split(r",\s+", TERMS.strip())) <= set(terms)
    for term, meaning in table[1:]:
        assert re.fullmatch(r"[A-Z][^.!?]*\.", meaning), term


def test_every_cache_of_the_code_is_in_the_table_of_caches() -> None:
    files = [ROOT / "app.py"]
    for package in ("api", "callbacks", "layouts", "services"):
        files += (ROOT / package).rglob("*.py")
    caching = {path.relative_to(ROOT).as_posix() for path in files if CACHES_IN_CODE.search(path.read_text())}
    named = {span for table in tables(CACHES) for row in table[1:] for span in spans(row[1])}

    assert {
        "services/caching/process_reader.py",
        "services/store/history/recent_cache.py",
        "services/store/tokens.py",
    } <= caching
    assert caching - named == set()
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_cache_has_a_key_a_validity_and_a_bound() -> None:
    for table in tables(CACHES):
        assert table[0] == ["cache", "in", "key", "valid", "bound"]
        assert [row for row in table if len(row) != 5 or not all(row)] == []


@pytest.mark.parametrize(
    ("module", "figure"),
    [
        ("api/middleware/response_cache.py", f"{response_cache.MAX_BYTES / 1e6:.0f} MB"),
        ("services/store/history/recent_cache.py", f"{recent_cache.MAX_BYTES / 1e6:.0f} MB"),
        ("services/concurrency/versioned_cache.py", f"{versioned_cache.VersionedCache()._max_entries} entries"),
        ("services/store/alerting/rules.py", f"{stored_rules.decode_rule.cache_parameters()['maxsize']:,}"),
        ("api/middleware/rate_limits.py", f"{rate_limits.Counts.MAX:,}"),
        ("api/middleware/rate_limits.py", f"{rate_limits.MAX_KNOWN_CLIENTS:,}"),
        ("services/caching/process_reader.py", f"{process_reader.REVISION_SECONDS:g} s"),
    ],
)
def test_the_figures_of_a_cache_are_those_of_the_code(module: str, figure: str) -> None:
    lines = [" ".join(row) for table in tables(CACHES) for row in table if module in spans(row[1])]

    assert any(f" {figure}" in line for line in lines), lines


def test_the_index_has_all_decisions_and_each_has_all_sections() -> None:
    names = sorted(path.name for path in (DOCS / "decisions").glob("0*.md"))
    (table,) = tables("docs/decisions/index.md")

    assert [re.findall(r"\((.*?)\)", row[0])[0] for row in table[1:]] == names
    for number, name in enumerate(names, 1):
        text = PAGES[f"docs/decisions/{name}"]
        assert text.startswith(f"# {number}. "), name
        for part in ("**Status:**", "## Problem", "## Decision", "## Consequences", "## Rejected"):
            assert part in text, (name, part)


def test_every_block_of_python_can_be_parsed() -> None:
    found = [block for text in PAGES.values() for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]

    assert len(found) >= 5
    for block in found:
        ast.parse(block)


def test_blocks_and_spans_of_code_are_found() -> None:
    text = "A `span`:\n\n    make run\n      more\n\n    make test\n\n- item\n\n```sh\ncurl x\n```\n"

    assert blocks(text) == ["curl x\n", "make run\n  more\n\nmake test\n"]
    assert code(text) == ["curl x", "make run", "  more", "", "make test", "span"]
