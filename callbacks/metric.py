"""One metric's page, kept current while it is open."""

from datetime import tzinfo
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, Patch, State
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.shell import BROWSER
from callbacks.spans import history_of
from layouts import figures, ids, metric, notation
from services.market.ports import Clock, MarketReader


def register(app: Dash, reader: MarketReader, clock: Clock) -> None:
    profile = reader.profile
    app.clientside_callback(ClientsideFunction(BROWSER, "retitle"), Input(ids.METRIC_TITLE, "data"))

    @app.callback(
        Output(ids.METRIC_CHART, "figure"),
        Output(ids.METRIC_HEADLINE, "children"),
        Output(ids.METRIC_FIGURES, "children"),
        Output(ids.METRIC_NEIGHBOURS, "children"),
        Output(ids.METRIC_ALERTS, "children"),
        Output(ids.METRIC_TITLE, "data"),
        Input(ids.REVISION, "data"),
        State(ids.METRIC_ID, "data"),
        State(ids.METRIC_SPAN, "value"),
        State(ids.VIEW, "data"),
        prevent_initial_call=True,
    )
    def follow(
        revision: int | None, metric_id: int, span: str, view: dict[str, Any]
    ) -> tuple[Patch, list[Component], Component, Component, Component, str]:
        if revision is None:
            raise PreventUpdate
        zone = notation.zone_named(view.get("zone"))
        row = reader.metric(metric_id)
        fired = reader.alerts(metric_id=row.id, limit=metric.MOST_ALERTS)
        history = history_of(reader, row.id, clock(), span)
        return (
            figures.price_patch(history, row, fired, profile, zone),
            metric.headline(row),
            metric.figures(row, profile, zone),
            metric.neighbour_list(metric.neighbours_of(row, reader.ranking().metrics)),
            metric.alert_list(fired, zone),
            metric.tab_title(row),
        )

    @app.callback(
        Output(ids.METRIC_CHART, "figure", allow_duplicate=True),
        Input(ids.METRIC_SPAN, "value"),
        State(ids.METRIC_ID, "data"),
        State(ids.METRIC_THRESHOLD, "value"),
        State(ids.VIEW, "data"),
        prevent_initial_call=True,
    )
    def choose_span(span: str, metric_id: int, threshold: bool, view: dict[str, Any]) -> figures.Figure:
        zone: tzinfo = notation.zone_named(view.get("zone"))
        row = reader.metric(metric_id)
        fired = reader.alerts(metric_id=row.id, limit=metric.MOST_ALERTS)
        history = history_of(reader, row.id, clock(), span)
        return figures.price_figure(history, row, fired, profile, zone, threshold)

    @app.callback(
        Output(ids.METRIC_CHART, "figure", allow_duplicate=True),
        Input(ids.METRIC_THRESHOLD, "value"),
        prevent_initial_call=True,
    )
    def show_threshold(shown: bool) -> Patch:
        return figures.threshold_patch(bool(shown))
