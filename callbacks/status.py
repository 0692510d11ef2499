"""The status page: updates it while it is open."""

from typing import Any

from dash import Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from layouts import ids, markup, notation, status, status_history, status_storage
from services.market.ports import Clock, MarketReader

PARTS = (ids.STATUS_OVERVIEW, ids.STATUS_WORK, ids.STATUS_STORAGE, ids.STATUS_LISTINGS, ids.STATUS_TICKS)
"""The parts that are updated, apart from the charts."""


def register(app: Dash, reader: MarketReader, clock: Clock) -> None:
    @app.callback(
        Output(ids.STATUS_ZONE, "children"),
        Output(ids.STATUS_CHART, "figure"),
        Output(ids.STATUS_SIZES, "children"),
        Output(ids.STATUS_DRAWN, "data"),
        *(Output(part, "content") for part in PARTS),
        Input(ids.LIVE, "data"),
        Input(ids.ZONE_NAME, "data"),
        State(ids.STATUS_ZONE, "children"),
        State(ids.STATUS_DRAWN, "data"),
        *(State(part, "known") for part in PARTS),
        prevent_initial_call=True,
    )
    def follow(
        live: dict[str, Any] | None, zone_name: str | None, lead: str, drawn: list[str], *known: object
    ) -> list[Any]:
        if live is None or live.get("connection") != "ok":
            raise PreventUpdate
        zone = notation.zone_named(zone_name)
        now = clock()
        state, day = reader.status(now), reader.day(now)
        parts = (
            status.overview(state, day, zone),
            status_history.card(state),
            status_storage.storage(state, zone),
            status.listings(day, zone),
            status.recent(state, zone),
        )
        ticks, sizes = status_storage.charts(day, zone)
        draws = [markup.digest_of(ticks), markup.digest_of(sizes)]
        return [
            no_update if lead == status.lead(zone) else status.lead(zone),
            no_update if drawn[:1] == draws[:1] else ticks,
            no_update if drawn[1:] == draws[1:] else status_storage.growth(sizes),
            no_update if drawn == draws else draws,
            *map(markup.update, parts, known),
        ]
