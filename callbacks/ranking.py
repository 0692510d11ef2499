"""The ranking: its controls, rows and figures. All of it runs in the browser, see assets/ranking/."""

from dash import ClientsideFunction, Dash, Input, Output, State

from callbacks.shell import BROWSER
from layouts import ids

CONTROLS = (
    ids.RANK_BY,
    ids.RANKING_SEARCH,
    ids.FILTER_MARKET,
    ids.FILTER_QUOTE,
    ids.FILTER_FAVOURITES,
    ids.FILTER_STABLECOINS,
    ids.FILTER_FULL,
    ids.RANKING_VIEW,
    ids.MAP_SIZE,
    ids.MAP_COLOUR,
)
"""The controls; assets/ranking/view.js reads each by its id."""


def register(app: Dash) -> None:
    app.clientside_callback(
        ClientsideFunction(BROWSER, "updateRows"),
        Output(ids.RANKING_FRAME, "className"),
        Output(ids.RANKING_EMPTY, "className"),
        Input(ids.LIVE, "data"),
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "emptyReason"), Output(ids.RANKING_CAUSE, "children"), Input(ids.LIVE, "data")
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "summary"),
        *(Output(figure, "children") for figure in (ids.TRACKED, ids.LIVE_NOW, ids.STALE, ids.LAST_TICK)),
        Input(ids.LIVE, "data"),
        Input(ids.ZONE_NAME, "data"),
    )
    app.clientside_callback(ClientsideFunction(BROWSER, "choose"), *(Input(control, "value") for control in CONTROLS))
    app.clientside_callback(ClientsideFunction(BROWSER, "chooseColumns"), Input(ids.RANKING_COLUMNS, "value"))
    app.clientside_callback(ClientsideFunction(BROWSER, "chooseStale"), Input(ids.STALE_CHOICE, "n_clicks"))
    app.clientside_callback(ClientsideFunction(BROWSER, "reset"), Input(ids.FILTER_RESET, "n_clicks"))
    app.clientside_callback(ClientsideFunction(BROWSER, "exportCsv"), Input(ids.RANKING_EXPORT, "n_clicks"))
    app.clientside_callback(
        ClientsideFunction(BROWSER, "drawer"),
        Output(ids.FILTERS, "className"),
        Input(ids.FILTERS_OPEN, "n_clicks"),
        State(ids.FILTERS, "className"),
    )
