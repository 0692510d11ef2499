"""The ranked table and map of every metric. The rows come from /metrics, fetched by assets/ranking/."""

import dash_ag_grid as dag
import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, notation, parts, theme
from layouts.paths import at
from layouts.ranking_columns import columns
from layouts.ranking_tools import no_match, toolbar, volatility_map
from services.market.status import Profile


def page(profile: Profile) -> Component:
    """The key figures, the controls, the map and the table, or a hint while there is nothing to show."""
    frame = html.Div(
        [_table(profile), html.Div(parts.skeleton(), className="frame-skeleton"), no_match()],
        id=ids.RANKING_FRAME,
        className="grid-frame is-loading",
    )
    lead = f"All pairs, ranked by their movement in the last {profile.window_hours:g} hours"
    return html.Div(
        [
            parts.heading("Ranking", lead, _search()),
            _glance(),
            toolbar(profile),
            volatility_map(),
            frame,
            _nothing_yet(),
        ],
        id=ids.RANKING,
        className="ranking-page shows-table",
        # assets/ranking/freshness.js compares the window of each row with these.
        **parts.data(hours=f"{profile.window_hours:g}", full=f"{profile.full_coverage:.6f}"),
    )


def _search() -> Component:
    field = dbc.Input(
        id=ids.RANKING_SEARCH,
        type="search",
        placeholder="Search pair or market",
        autocomplete="off",
        className="search-field",
    )
    return html.Div(
        [
            html.Span(id=ids.RANKING_COUNT, className="search-count", role="status"),
            html.Label("Search pair or market", htmlFor=ids.RANKING_SEARCH, className="visually-hidden"),
            html.Div([parts.icon("search"), field, html.Kbd("/")], className="search-box"),
        ],
        className="search",
    )


def _stale_choice() -> Component:
    """The number of stale pairs, a button that filters them, see assets/ranking/freshness.js."""
    text = [
        html.Span(notation.UNKNOWN, id=ids.STALE),
        html.Span(" stale: show only these", className="visually-hidden"),
    ]
    return html.Button(
        text,
        id=ids.STALE_CHOICE,
        className="figure-button",
        type="button",
        title="Show only these",
        **parts.aria(pressed="false"),
    )


def _glance() -> Component:
    figures = (
        ("Tracked", ids.TRACKED),
        ("Live", ids.LIVE_NOW),
        ("Alerts today", ids.ALERTED),
        ("Last tick", ids.LAST_TICK),
        ("Next tick", ids.NEXT_TICK),
    )
    shown = [parts.figure(label, notation.UNKNOWN, id=identity) for label, identity in figures]
    shown.insert(2, parts.figure("Stale", _stale_choice()))
    return parts.figures(
        shown,
        className="glance",
        **parts.aria(label="At a glance"),
    )


def _nothing_yet() -> Component:
    steps = [
        html.P(id=ids.RANKING_CAUSE, className="empty-cause", role="status"),
        html.P("The first tick fills this table, within one period after the start. If it stays empty:"),
        html.Ul(
            [
                html.Li([html.Code("TRACK"), " sets what is tracked, for example ", html.Code("kraken:BTC/USD"), "."]),
                html.Li([dcc.Link("Status", href=at("/status")), " shows whether the exchanges answer."]),
                html.Li(["Without a network, ", html.Code("python app.py --demo"), " runs on a simulated exchange."]),
            ]
        ),
    ]
    return parts.empty("pulse", "Waiting for the first prices", steps, id=ids.RANKING_EMPTY, className="is-hidden")


def _table(profile: Profile) -> Component:
    table: Component = dag.AgGrid(
        id=ids.RANKING_TABLE,
        columnDefs=columns(profile),
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "filter": "agNumberColumnFilter",
            "cellDataType": False,
            "sortingOrder": ["desc", "asc", None],
            "comparator": {"function": "nullsLast"},
            "getQuickFilterText": {"function": "noText()"},
            "suppressHeaderMenuButton": False,
            "suppressMovable": True,
            "flex": 1,
        },
        getRowId="params.data.id",
        rowClassRules={
            "is-inactive": "!params.data.active",
            "is-stale": "params.data.stale",
            "has-alert": "params.data.alerted",
        },
        eventListeners={
            "rowClicked": ["openRow(params)"],
            "cellKeyDown": ["pressKey(params)"],
            "gridSizeChanged": ["fitColumns(params)"],
            "stateUpdated": ["fitColumns(params)"],
            "sortChanged": ["noteState(params)"],
            "filterChanged": ["noteState(params)"],
        },
        dashGridOptions={
            "theme": theme.grid_theme(),
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "animateRows": False,
            "suppressCellFocus": False,
            "enableBrowserTooltips": True,
            "suppressColumnVirtualisation": False,
            "suppressNoRowsOverlay": True,
            "rowBuffer": 12,
        },
        style={"height": "100%", "width": "100%"},
        className="ranking-grid",
    )
    return table
