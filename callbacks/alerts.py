"""The alert history, kept current while it is open."""

from typing import Any

from dash import Dash, Input, Output, State
from dash.development.base_component import Component

from layouts import alerts, ids, notation
from services.market.ports import MarketReader


def register(app: Dash, reader: MarketReader) -> None:
    @app.callback(
        Output(ids.ALERT_HISTORY, "children"),
        Input(ids.REVISION, "data"),
        State(ids.VIEW, "data"),
        prevent_initial_call=True,
    )
    def follow(_revision: int | None, view: dict[str, Any]) -> Component:
        return alerts.history(reader.alerts(limit=alerts.MOST), notation.zone_named(view.get("zone")))
