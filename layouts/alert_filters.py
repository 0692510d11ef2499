"""The controls that filter the alert history, and the actions on all alerts that pass."""

from collections.abc import Mapping

import dash_bootstrap_components as dbc
from dash import html
from dash.development.base_component import Component

from layouts import ids, parts
from layouts.alert_query import (
    ANY,
    MAX_CSV_ROWS,
    MAX_SEARCH_LENGTH,
    SPANS,
    STATES,
    UNACKNOWLEDGED,
    Choices,
    Filters,
)
from layouts.markup import Markup
from layouts.paths import at
from services.market.alerting.rules import BUILT_IN, BUILT_IN_NAME


def rule_choices(rules: Mapping[int, str | None], chosen: str) -> list[dict[str, str]]:
    """The options of the rule filter: the rules that have fired, and the `chosen` one."""
    names = {str(number): name or BUILT_IN_NAME for number, name in rules.items()}
    if chosen:
        names.setdefault(chosen, f"Rule {chosen}")
    names = dict(sorted(names.items(), key=lambda one: (one[0] != str(BUILT_IN), one[1].lower())))
    return [{"value": ANY, "label": "Any rule"}, *({"value": value, "label": name} for value, name in names.items())]


def toolbar(filters: Filters) -> Component:
    """The controls, set to `filters`, and the actions on all alerts that pass."""
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
    label = html.Span("Unacknowledged")
    unacknowledged = parts.toggle(ids.HISTORY_UNACKNOWLEDGED, UNACKNOWLEDGED, label, is_on=filters.unacknowledged)
    controls = [
        search,
        _select(ids.HISTORY_RULE, "Rule", rule_choices({}, filters.rule), filters.rule),
        _select(ids.HISTORY_STATE, "State", options(STATES), filters.state),
        _select(ids.HISTORY_SPAN, "Time", options(SPANS), filters.span),
        unacknowledged,
        html.Button("Clear", id=ids.HISTORY_CLEAR, className="text-button", type="button", hidden=not filters.any),
    ]
    return html.Div(
        [
            html.Div(controls, className="history-filters"),
            Markup(tools(at("/alerts?format=csv"), None, 0), id=ids.HISTORY_TOOLS, className="view-tools"),
        ],
        className="toolbar history-toolbar",
        role="group",
        **parts.aria(label="Filters"),
    )


def tools(csv: str, unacknowledged: int | None, newest: int) -> list[Component]:
    """The actions on all alerts that pass the filters: download them from the address `csv`, and acknowledge those up
    to number `newest`. `unacknowledged` is the number of those that nobody has acknowledged; None if it is not known.
    """
    text = (
        "Acknowledge all"
        if unacknowledged is None
        else f"Acknowledge all {unacknowledged:,}"
        if unacknowledged
        else "All acknowledged"
    )
    data = parts.data(count=unacknowledged, newest=newest)
    return [
        html.A(
            [parts.icon("download"), "CSV"],
            id=ids.HISTORY_CSV,
            className="tool-button",
            href=csv,
            title=f"Download the alerts that pass the filters, the newest {MAX_CSV_ROWS:,} at most",
        ),
        parts.button(text, "all", className="tool-button history-all", disabled=not unacknowledged, **data),
    ]


def options(choices: Choices) -> list[dict[str, str]]:
    """The options of a list."""
    return [{"value": value, "label": name} for value, name in choices]


def _select(identity: str, label: str, options: list[dict[str, str]], value: str) -> Component:
    control = dbc.Select(id=identity, options=options, value=value or ANY, size="sm")
    return html.Div([html.Label(label, htmlFor=identity), control], className="tool-select")
