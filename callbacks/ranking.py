"""The table's rows, its search and the figures above it; all in the browser, see assets/grid.js."""

from dash import ClientsideFunction, Dash, Input, Output

from callbacks.shell import BROWSER
from layouts import ids


def register(app: Dash) -> None:
    app.clientside_callback(
        ClientsideFunction(BROWSER, "rows"),
        Output(ids.RANKING_TABLE, "rowData"),
        Output(ids.RANKING_FRAME, "className"),
        Output(ids.RANKING_EMPTY, "className"),
        Input(ids.LIVE, "data"),
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "search"),
        Output(ids.RANKING_SEARCH, "className"),
        Input(ids.RANKING_SEARCH, "value"),
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "glance"),
        *(Output(figure, "children") for figure in (ids.TRACKED, ids.LIVE_NOW, ids.STALE, ids.ALERTED, ids.LAST_TICK)),
        Input(ids.LIVE, "data"),
    )
