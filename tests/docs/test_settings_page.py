"""The documented settings, defaults and values are those of the code."""

import re
from typing import Any, Literal, get_args, get_origin

import annotated_types
import pytest

from services.settings import SEED, Settings
from tests.docs.documents import PAGES, ROOT, everywhere, spans, tables, unmarked

LINES = {unmarked(row[0]): row for table in tables("docs/settings.md") for row in table[1:]}

OTHERS = {
    "POSTGRES_PASSWORD": "docker-compose.yml",
    "REDIS_PASSWORD": "docker-compose.yml",
    "WEB_CONCURRENCY": None,  # gunicorn's own
    "HTTPS_PROXY": "services/exchanges/transport.py",
    "HTTP_PROXY": "services/exchanges/transport.py",
    "NO_PROXY": "services/exchanges/transport.py",
    "REQUESTS_CA_BUNDLE": "services/exchanges/transport.py",
}
"""Environment variables that are not settings of the program, and the project's file that reads them."""

NO_NAMES = {"FILE", "PATTERN", "POST", "NULL"}
"""Words in capitals that are not variables: in a command's usage, in HTTP and as a coin's name."""


def test_the_table_of_settings_is_complete() -> None:
    assert set(LINES) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(set(LINES) - {"TRACK", "DATABASE_URL"}))
def test_the_documented_default_of_a_setting_is_that_of_the_code(name: str) -> None:
    default = Settings.model_fields[name.lower()].default

    assert unmarked(LINES[name][1]) == ("unset" if default in (None, ()) else str(default))


def test_defaults_that_are_described_in_text_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "TRACK"):
        monkeypatch.delenv(name, raising=False)
    real, simulated = (Settings(_env_file=None, **chosen) for chosen in ({}, {"track": "demo:*"}))  # type: ignore[arg-type]

    assert LINES["TRACK"][1] == "ten pairs against USD on kraken"
    assert len(SEED.split(",")) == 10
    assert all(re.fullmatch(r"kraken:[A-Z]+/USD", pattern) for pattern in SEED.split(","))
    assert unmarked(LINES["DATABASE_URL"][1]) == real.database
    assert f"`{simulated.database}`" in LINES["DATABASE_URL"][3]


@pytest.mark.parametrize("name", [name for name in sorted(LINES) if name.lower() in Settings.model_fields])
def test_the_documented_values_of_a_setting_are_those_of_the_code(name: str) -> None:
    allowed = values_of(name)

    assert allowed is None or LINES[name][2] == allowed


def values_of(name: str) -> str | None:
    """The allowed values as a phrase; None for texts."""
    field = Settings.model_fields[name.lower()]
    if get_origin(field.annotation) is Literal:
        *most, last = (f"`{choice}`" for choice in get_args(field.annotation))
        return f"{', '.join(most)} or {last}"
    if field.annotation is bool:
        return "`true` or `false`"
    low: Any = next((one.ge for one in field.metadata if isinstance(one, annotated_types.Ge)), None)
    above: Any = next((one.gt for one in field.metadata if isinstance(one, annotated_types.Gt)), None)
    high: Any = next((one.le for one in field.metadata if isinstance(one, annotated_types.Le)), None)
    if above is not None:
        return f"more than {above:g}" if high is None else f"more than {above:g}, at most {high:g}"
    if low is not None:
        return f"{low} or more" if high is None else f"{low} to {high}"
    return None


def test_the_readme_gives_the_same_defaults() -> None:
    (table,) = tables("README.md", "## Settings, in short")
    named = {name: row[1] for row in table[1:] for name in spans(row[0])}

    assert len(named) == 5
    assert named == {name: LINES[name][1] for name in named}


def test_every_environment_variable_on_any_page_exists() -> None:
    names = {name for _, name in everywhere(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")}
    names |= {span for text in PAGES.values() for span in spans(text) if re.fullmatch(r"[A-Z]{3,}", span)}
    levels = set(get_args(Settings.model_fields["log_level"].annotation))
    known = set(LINES) | {f"{name}_FILE" for name in LINES} | levels | NO_NAMES

    assert {"TRACK", "AUTH_PASSWORD_FILE", "RETENTION_DAYS"} <= names
    assert names - known == set(OTHERS)
    for name, file in OTHERS.items():
        assert file is None or name in (ROOT / file).read_text(), name
