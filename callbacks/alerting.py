"""The alerts page: shows the part that the address names."""

from datetime import tzinfo
from typing import Any

from dash import Dash, Input, Output, State
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.rule_form import form_at
from callbacks.rules import rule_lines
from layouts import alert_history, alerting, deliveries, ids, notation, rules
from layouts.alerting import Place, place_of
from layouts.paths import at
from services.market.dependencies import Dependencies


def register(app: Dash, dependencies: Dependencies) -> None:
    @app.callback(
        Output(ids.ALERTING_BODY, "children"),
        Output(ids.ALERTING_TABS, "children"),
        Output(ids.ALERTING_SHOWN, "data"),
        Input(ids.LOCATION, "search"),
        State(ids.LOCATION, "pathname"),
        State(ids.ALERTING_SHOWN, "data"),
        State(ids.ZONE_NAME, "data"),
        prevent_initial_call=True,
    )
    def turn(
        search: str | None, path: str, shown: list[Any] | None, zone_name: object
    ) -> tuple[list[Component], list[Component], list[Any]]:
        place = place_of(search)
        if path != at(alerting.PATH) or alerting.key(place) == shown:
            raise PreventUpdate
        zone = notation.zone_named(zone_name)
        return body_at(place, search or "", dependencies, zone), alerting.tabs(place.tab), alerting.key(place)


def page_at(search: str, dependencies: Dependencies, zone: tzinfo) -> Component:
    """The alerts page for a query string. Raises StoreUnavailable."""
    place = place_of(search)
    return alerting.page(place, body_at(place, search, dependencies, zone))


def body_at(place: Place, search: str, dependencies: Dependencies, zone: tzinfo) -> list[Component]:
    """The part of the page that `place` names. Raises StoreUnavailable."""
    if place.tab == alerting.RULES:
        return form_at(place, dependencies) if place.edit is not None else rules.body(rule_lines(dependencies), zone)
    if place.tab == alerting.DELIVERIES:
        return [deliveries.section(dependencies.deliveries.channels)]
    return [alert_history.section(search)]
