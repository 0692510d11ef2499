"""The ranked table of every metric. Its rows come from /metrics, fetched by assets/grid.js at each new revision."""

from typing import Any

import dash_ag_grid as dag
import dash_bootstrap_components as dbc
from dash import dcc, html
from dash.development.base_component import Component

from layouts import ids, notation, parts, theme
from services.market.types import Profile

Column = dict[str, Any]


def page(profile: Profile) -> Component:
    """Figures at a glance, the quick search, and the table (or what to do when there is nothing to show)."""
    return html.Div(
        [
            parts.heading("Ranking", f"By price deviation over the last {profile.window_hours:g} hours", _search()),
            _glance(),
            html.Div(
                [_table(profile), html.Div(parts.skeleton(), className="frame-skeleton")],
                id=ids.RANKING_FRAME,
                className="grid-frame is-loading",
            ),
            _nothing_yet(),
        ],
        className="ranking-page",
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


def _glance() -> Component:
    figures = (
        ("Tracked", ids.TRACKED),
        ("Live", ids.LIVE_NOW),
        ("Stale", ids.STALE),
        ("Alerts, last hour", ids.ALERTED),
        ("Last tick", ids.LAST_TICK),
    )
    return parts.figures(
        [parts.figure(label, notation.UNKNOWN, id=identity) for label, identity in figures],
        className="glance",
        **parts.aria(label="At a glance"),
    )


def _nothing_yet() -> Component:
    steps = [
        html.P("The first tick fills this table, within a period of starting. If it stays empty:"),
        html.Ul(
            [
                html.Li([html.Code("TRACK"), " names what to track, as in ", html.Code("kraken:BTC/USD"), "."]),
                html.Li([dcc.Link("Status", href="/status"), " tells how the exchanges answer."]),
                html.Li(["No network here? ", html.Code("python app.py --demo"), " runs on a simulated exchange."]),
            ]
        ),
    ]
    return parts.empty("pulse", "Waiting for the first prices", steps, id=ids.RANKING_EMPTY, className="is-hidden")


def _table(profile: Profile) -> Component:
    table: Component = dag.AgGrid(
        id=ids.RANKING_TABLE,
        columnDefs=_columns(profile),
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
        rowClassRules={"is-inactive": "!params.data.active", "has-alert": "params.data.alerted"},
        eventListeners={
            "rowClicked": ["openRow(params)"],
            "cellKeyDown": ["openRowByKey(params)"],
            "gridSizeChanged": ["fitColumns(params)"],
            "modelUpdated": ["countRows(params)"],
            "stateUpdated": ["fitColumns(params)"],
            "sortChanged": ["rememberState(params)"],
            "filterChanged": ["rememberState(params)"],
        },
        dashGridOptions={
            "theme": theme.grid_theme(),
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "animateRows": False,
            "suppressCellFocus": False,
            "enableBrowserTooltips": True,
            "suppressColumnVirtualisation": False,
            "suppressNoRowsOverlay": False,
            "rowBuffer": 12,
        },
        style={"height": "100%", "width": "100%"},
        className="ranking-grid",
    )
    return table


def _columns(profile: Profile) -> list[Column]:
    quiet: Column = {"cellClass": "num", "headerClass": "ag-right-aligned-header"}
    hours = f"{profile.window_hours:g} h"
    return [
        {
            "field": "rank",
            "headerName": "#",
            "minWidth": 68,
            "maxWidth": 76,
            "flex": 0.75,
            "cellClass": "num rank",
            "initialSort": "asc",
        }
        | {
            "headerClass": "ag-right-aligned-header",
            "sortingOrder": ["asc", "desc"],
            "valueFormatter": _format("wholeText"),
        }
        | {"headerTooltip": "1 is the largest standard deviation"},
        {
            "field": "pair",
            "headerName": "Pair",
            "minWidth": 100,
            "flex": 1.3,
            "filter": "agTextColumnFilter",
            "sortingOrder": ["asc", "desc", None],
            "cellRenderer": "MetricName",
            "cellRendererParams": {"marks": parts.MARKS},
            # The grid draws a cell anew when its value changes, and so the mark is part of it.
            "valueGetter": {"function": "params.data.pair + (params.data.mark ? ' ' + params.data.mark : '')"},
            "filterValueGetter": {"function": "params.data.pair"},
            "getQuickFilterText": {"function": "quickText(params)"},
        },
        {
            "field": "market",
            "headerName": "Market",
            "minWidth": 100,
            "filter": "agTextColumnFilter",
            "sortingOrder": ["asc", "desc", None],
            "cellClass": "market",
        },
        quiet
        | {"field": "price", "headerName": "Price", "minWidth": 104, "flex": 1.3, "cellClass": "num strong"}
        | {"valueFormatter": _format("priceText"), "enableCellChangeFlash": True},
        quiet | _change("change_1h", "1 h"),
        quiet | _change("change_24h", "24 h"),
        quiet
        | {"field": "stdev", "headerName": "Std dev", "minWidth": 108, "valueFormatter": _format("priceText")}
        | {"headerTooltip": f"Population standard deviation of the prices of the last {hours}, in quote currency"},
        quiet
        | {"field": "volatility", "headerName": "Volatility %", "minWidth": 104, "valueFormatter": _format("shareText")}
        | {"headerTooltip": "Standard deviation in per cent of the mean: comparable between pairs"},
        quiet
        | {"field": "volume", "headerName": "Volume", "minWidth": 110, "valueFormatter": _format("amountText")}
        | {"headerTooltip": "Of 24 h, in units of the base, as the exchange tells it"},
        {
            "field": "spark",
            "headerName": f"Last {hours}",
            "minWidth": 128,
            "cellRenderer": "Sparkline",
            "sortable": False,
        }
        | {"filter": False, "cellClass": "spark-cell"},
        {"field": "alerted", "headerName": "Alert", "minWidth": 86, "maxWidth": 110, "cellRenderer": "AlertMark"}
        | {"filter": False, "headerTooltip": "Fired within the last hour"},
    ]


def _change(field: str, name: str) -> Column:
    rules = {"is-up": "params.value > 0", "is-down": "params.value < 0"}
    looks: Column = {"minWidth": 88, "valueFormatter": _format("changeText"), "cellClassRules": rules}
    return looks | {"field": field, "headerName": f"{name} %", "headerTooltip": f"Change over the last {name}"}


def _format(function: str) -> dict[str, str]:
    return {"function": f"{function}(params.value)"}
