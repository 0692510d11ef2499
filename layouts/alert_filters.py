"""Which alerts the history shows: as the address tells it, as the controls do, and as a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import dash_bootstrap_components as dbc
from dash import html
from dash.development.base_component import Component

from layouts import ids, parts
from layouts.markup import Markup
from layouts.paths import at
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rules import BUILT_IN, BUILT_IN_NAME
from services.market.times import to_epoch

PAGE_ROWS = 50
MAX_SEARCH_LENGTH = 100
MAX_ID_DIGITS = 9
"""Digits of a rule or a page worth asking for."""

Choices = Sequence[tuple[str, str]]

ANY = "any"
"""What a filter that leaves nothing out stands at: an empty value is none to a browser's list."""

STATES: Choices = (
    (ANY, "Any state"),
    ("open", "Not resolved"),
    ("firing", "Firing"),
    ("no_data", "No data"),
    ("resolved", "Resolved"),
)
SPANS: Choices = (
    (ANY, "Any time"),
    ("1h", "Last hour"),
    ("24h", "Last 24 h"),
    ("7d", "Last 7 d"),
    ("30d", "Last 30 d"),
)
SPAN_LENGTHS = {
    "1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30),
}  # fmt: skip
UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which alerts are shown, as the address tells it; "" and False leave nothing out. Pages count from 1."""

    q: str = ""
    rule: str = ""
    state: str = ""
    span: str = ""
    unseen: bool = False
    page: int = 1

    @property
    def any(self) -> bool:
        return replace(self, page=1) != Filters()


def filters_of(given: Mapping[str, Any]) -> Filters:
    """What a browser asks for; what makes no sense is left out."""
    page = str(given.get("page") or "")
    rule = str(given.get("rule") or "")
    return Filters(
        q=str(given.get("q") or "").strip()[:MAX_SEARCH_LENGTH],
        rule=rule if _is_number(rule) else "",
        state=_one_of(STATES, given.get("state")),
        span=_one_of(SPANS, given.get("span")),
        unseen=bool(given.get("unseen")),
        page=max(1, int(page)) if _is_number(page) else 1,
    )


def filters_at(search: str) -> Filters:
    """The filters that the query string of an address tells."""
    return filters_of({name: values[-1] for name, values in parse_qs(search.removeprefix("?")).items()})


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS


def _one_of(choices: Choices, wanted: object) -> str:
    return next((value for value, _ in choices if value == wanted != ANY), "")


def query_of(filters: Filters, now: datetime) -> AlertQuery:
    """The page of alerts that these filters choose at `now`."""
    return AlertQuery(
        since=None if not filters.span else now - SPAN_LENGTHS[filters.span],
        rule_id=int(filters.rule) if filters.rule else None,
        state=filters.state or None,
        unacknowledged=filters.unseen,
        words=filters.q,
        limit=PAGE_ROWS,
        offset=(filters.page - 1) * PAGE_ROWS,
    )


MAX_CSV_ROWS = 10_000
"""As many as the interface gives at once."""


def csv_path(filters: Filters, now: datetime) -> str:
    """Where the alerts that these filters choose can be had as a file, all pages of them."""
    query = query_of(filters, now)
    values = {
        "format": "csv",
        "limit": str(MAX_CSV_ROWS),
        "words": query.words,
        "rule": filters.rule,
        "state": filters.state,
        "since": "" if query.since is None else str(to_epoch(query.since)),
        "unacknowledged": "true" if filters.unseen else "",
    }
    return at("/alerts?") + urlencode({name: value for name, value in values.items() if value})


def rule_choices(rules: Mapping[int, str | None], chosen: str) -> list[dict[str, str]]:
    """The options of the rule filter; one that is chosen is among them although it never fired."""
    named = {str(number): name or BUILT_IN_NAME for number, name in rules.items()}
    if chosen:
        named.setdefault(chosen, f"Rule {chosen}")
    named = dict(sorted(named.items(), key=lambda one: (one[0] != str(BUILT_IN), one[1].lower())))
    return [{"value": ANY, "label": "Any rule"}, *({"value": value, "label": name} for value, name in named.items())]


def toolbar(filters: Filters) -> Component:
    """The controls, set to `filters`, and beside them what can be done with all that is chosen."""
    search = html.Div(
        [
            parts.icon("search"),
            html.Label("Search metrics", htmlFor=ids.HISTORY_SEARCH, className="visually-hidden"),
            dbc.Input(
                id=ids.HISTORY_SEARCH,
                value=filters.q,
                type="search",
                debounce=300,
                autocomplete="off",
                maxlength=MAX_SEARCH_LENGTH,
                placeholder="Search metrics",
                className="search-field",
            ),
        ],
        className="search-box",
    )
    unseen: Component = dbc.Checklist(
        id=ids.HISTORY_UNSEEN,
        options=[{"label": html.Span("Unacknowledged"), "value": UNSEEN}],
        value=[UNSEEN] if filters.unseen else [],
        className="toggle",
        inputClassName="btn-check",
        labelClassName="toggle-label",
    )
    chosen = [
        search,
        _select(ids.HISTORY_RULE, "Rule", rule_choices({}, filters.rule), filters.rule),
        _select(ids.HISTORY_STATE, "State", options(STATES), filters.state),
        _select(ids.HISTORY_SPAN, "Time", options(SPANS), filters.span),
        unseen,
        html.Button("Clear", id=ids.HISTORY_CLEAR, className="text-button", type="button", hidden=not filters.any),
    ]
    return html.Div(
        [
            html.Div(chosen, className="history-filters"),
            Markup(tools(at("/alerts?format=csv"), None, 0), id=ids.HISTORY_TOOLS, className="view-tools"),
        ],
        className="toolbar history-toolbar",
        role="group",
        **parts.aria(label="Filters"),
    )


def tools(csv: str, unseen: int | None, newest: int) -> list[Component]:
    """What can be done with all alerts that are chosen: to have them as a file, which is at the address `csv`, and to
    acknowledge those up to number `newest`, of which `unseen` are not yet (None: that is not known)."""
    words = "Acknowledge all" if unseen is None else f"Acknowledge all {unseen:,}" if unseen else "All acknowledged"
    told = parts.data(count=unseen, newest=newest)
    return [
        html.A(
            [parts.icon("download"), "CSV"],
            id=ids.HISTORY_CSV,
            className="tool-button",
            href=csv,
            title=f"What the filters choose, the newest {MAX_CSV_ROWS:,} alerts at most",
        ),
        parts.button(words, "all", className="tool-button history-all", disabled=not unseen, **told),
    ]


def options(choices: Choices) -> list[dict[str, str]]:
    """What a list offers."""
    return [{"value": value, "label": name} for value, name in choices]


def _select(identity: str, label: str, options: list[dict[str, str]], value: str) -> Component:
    control = dbc.Select(id=identity, options=options, value=value or ANY, size="sm")
    return html.Div([html.Label(label, htmlFor=identity), control], className="tool-select")
