"""The controls of the ranking: the toolbar above the table, and the tools of the map."""

from collections.abc import Sequence

import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, parts
from layouts.ranking_columns import choices
from services.market.status import Profile

Choices = Sequence[tuple[str, str]]

RANKED_BY: Choices = (
    ("stdev", "Standard deviation"),
    ("volatility", "Volatility"),
    ("log_volatility", "Annualised volatility"),
    ("range_1h", "1 h range"),
    ("range_24h", "24 h range"),
    ("change_24h", "24 h change"),
    ("volume", "Volume"),
)
VIEWS: Choices = (("table", "Table"), ("map", "Map"), ("both", "Both"))
SIZES: Choices = (("volume", "Volume"), ("volatility", "Volatility"), ("equal", "Equal"))
COLOURS: Choices = (("change_24h", "24 h change"), ("change_1h", "1 h change"), ("volatility", "Volatility"))


def toolbar(profile: Profile) -> Component:
    """One row; on a phone the filters are in a drawer below it."""
    filters = [
        _select(ids.RANK_BY, "Rank by", RANKED_BY),
        _select(ids.FILTER_MARKET, "Market", ((ids.FILTER_ALL, "All markets"),)),
        _select(ids.FILTER_QUOTE, "Quote", ((ids.FILTER_ALL, "All quotes"),)),
        _switch(ids.FILTER_FAVOURITES, "favourites", [parts.icon("star"), "Favourites"]),
        _switch(ids.FILTER_STABLECOINS, "stablecoins", "Hide stablecoins"),
        _switch(
            ids.FILTER_FULL, "full", f"Full {profile.window_hours:g} h", "Only pairs with prices for the whole window"
        ),
        html.Button("Clear", id=ids.FILTER_RESET, className="text-button is-hidden", type="button"),
    ]
    opener = html.Button(
        [parts.icon("filter"), "Filters", html.Span(id=ids.FILTER_COUNT, className="count-mark")],
        id=ids.FILTERS_OPEN,
        className="tool-button filters-open",
        type="button",
    )
    export = html.Button(
        [parts.icon("download"), "CSV"],
        id=ids.RANKING_EXPORT,
        className="tool-button",
        type="button",
        title="Download the rows shown, in their order",
    )
    tools = [_segments(ids.RANKING_VIEW, "View", VIEWS), _column_menu(profile), export]
    return html.Div(
        [opener, html.Div(filters, id=ids.FILTERS, className="filters"), html.Div(tools, className="view-tools")],
        className="toolbar",
        role="group",
        **parts.aria(label="Filters and view"),
    )


def volatility_map() -> Component:
    """The frame of the map, which assets/ranking/map.js fills."""
    scale = html.Div(
        [html.Span(), html.Span(), html.Span()], id=ids.MAP_SCALE, className="map-scale", **parts.aria(hidden="true")
    )
    head = [
        _select(ids.MAP_SIZE, "Size", SIZES),
        _select(ids.MAP_COLOUR, "Colour", COLOURS),
        scale,
        html.Span(id=ids.MAP_NOTE, className="map-note", role="status"),
    ]
    tiles = html.Div(id=ids.RANKING_MAP, className="map-tiles", role="group", **parts.aria(label="Volatility map"))
    tip = html.Div(id=ids.MAP_TIP, className="map-tip", hidden=True, **parts.aria(hidden="true"))
    return html.Section(
        [html.Div(head, className="map-head"), html.Div([tiles, tip], className="map-field")], className="map"
    )


def no_match() -> Component:
    """The hint in the place of the table while no row passes the filters."""
    text = [
        html.P("No pair passes the filters and the search. Clear shows all pairs.", className="not-favourites"),
        html.P("The star before a pair makes it a favourite, in this browser.", className="for-favourites"),
    ]
    return html.Div(
        parts.empty("search", "Nothing to show", text), id=ids.RANKING_NO_MATCH, className="no-match is-hidden"
    )


def _select(identity: str, label: str, options: Choices) -> Component:
    offered = [{"label": name, "value": value} for value, name in options]
    return html.Div(
        [
            html.Label(label, htmlFor=identity),
            dbc.Select(id=identity, options=offered, value=options[0][0], size="sm"),
        ],
        className="tool-select",
    )


def _switch(identity: str, value: str, label: str | list[str | Component], title: str | None = None) -> Component:
    return parts.toggle(identity, value, html.Span(label, title=title))


def _segments(identity: str, label: str, options: Choices) -> Component:
    offered = [{"label": name, "value": value} for value, name in options]
    return html.Div(parts.segments(identity, offered, options[0][0]), role="group", **parts.aria(label=label))


def _column_menu(profile: Profile) -> Component:
    offered = choices(profile)
    ticks = dcc.Checklist(id=ids.RANKING_COLUMNS, options=offered, value=[], className="menu-list")
    return html.Details(
        [
            html.Summary([parts.icon("columns"), "Columns"], className="tool-button"),
            html.Div(ticks, className="menu-panel"),
        ],
        className="menu",
    )
