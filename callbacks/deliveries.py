"""The deliveries on the alerts page: updates them, retries messages, tests channels."""

from datetime import tzinfo
from typing import Any

from dash import MATCH, Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.requests import Action, PageNumber
from layouts import deliveries as layout
from layouts import ids, markup, notation
from layouts.markup import Content
from services.market.errors import DeliveryFailed, NotFailed, StoreUnavailable, UnknownChannel, UnknownDelivery
from services.market.ports import Clock, Deliveries


def register(app: Dash, deliveries: Deliveries, clock: Clock) -> None:
    @app.callback(
        Output(ids.DELIVERIES, "content"),
        Output(ids.DELIVERIES_PAGE, "data"),
        Input(ids.DELIVERIES_POLL, "n_intervals"),
        Input(ids.DELIVERIES, "action"),
        State(ids.DELIVERIES, "known"),
        State(ids.DELIVERIES_PAGE, "data"),
        State(ids.VIEW, "data"),
    )
    def follow(
        _intervals: int | None, action: Action | None, known: object, page: PageNumber, view: dict[str, Any]
    ) -> tuple[Content | NoUpdate, int | NoUpdate]:
        turned = page
        try:
            if action is not None and ctx.triggered_id == ids.DELIVERIES:
                match action:
                    case {"act": "page", "page": wanted}:
                        turned = max(1, int(wanted))
                    case {"act": "retry", "number": number}:
                        _retry(deliveries, int(number), clock)
            table = _table(deliveries, turned, notation.zone_named(view.get("zone")))
        except StoreUnavailable:
            raise PreventUpdate from None  # the banner of every page says so
        return markup.update(table, known), no_update if turned == page else turned

    @app.callback(
        Output(ids.channel_result(MATCH), "children"),
        Input(ids.channel_test(MATCH), "n_clicks"),
        running=[(Output(ids.channel_test(MATCH), "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def test(_clicks: int) -> Component:
        chosen = ctx.triggered_id
        if not isinstance(chosen, dict):  # no button was pressed
            raise PreventUpdate
        try:
            deliveries.try_out(str(chosen["index"]), clock())
        except (DeliveryFailed, UnknownChannel) as error:
            return layout.refused(str(error))
        return layout.accepted()


def _table(deliveries: Deliveries, page: int, zone: tzinfo) -> list[Component]:
    """The page, or a hint if there are no messages at all. Raises StoreUnavailable."""
    found = deliveries.newest(layout.PAGE_ROWS + 1, offset=(page - 1) * layout.PAGE_ROWS)
    if found or page > 1:
        return layout.history(found, page, zone)
    return layout.nothing() if deliveries.channels else []


def _retry(deliveries: Deliveries, number: int, clock: Clock) -> None:
    try:
        deliveries.retry(number, clock())
    except (NotFailed, UnknownDelivery):
        return  # somebody else has retried it: the table shows its state
