"""The status page, kept current while it is open."""

from typing import Any

from dash import Dash, Input, Output
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from layouts import figures, ids, notation, status
from layouts.axes import Figure
from services.market.ports import Clock, MarketReader


def register(app: Dash, reader: MarketReader, clock: Clock) -> None:
    @app.callback(
        Output(ids.STATUS_OVERVIEW, "children"),
        Output(ids.STATUS_DETAILS, "children"),
        Output(ids.STATUS_CHART, "figure"),
        Output(ids.STATUS_ZONE, "children"),
        Input(ids.LIVE, "data"),
        Input(ids.ZONE_NAME, "data"),
        prevent_initial_call=True,
    )
    def follow(
        live: dict[str, Any] | None, zone_name: str | None
    ) -> tuple[list[Component], list[Component], Figure, str]:
        if live is None or live.get("connection") != "ok":
            raise PreventUpdate
        zone = notation.zone_named(zone_name)
        now = clock()
        state, day = reader.status(now), reader.day(now)
        figure = figures.tick_figure(day.ticks, zone)
        return status.overview(state, day, zone), status.details(state, day, zone), figure, status.lead(zone)
