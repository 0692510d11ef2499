"""Messages and channels on the alerts page: kept current, tried again, tested."""

from typing import Any

from dash import ALL, MATCH, Dash, Input, Output, State, ctx
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from layouts import deliveries as layout
from layouts import ids, notation
from services.market.errors import DeliveryFailed, NotFailed, StoreUnavailable, UnknownChannel, UnknownDelivery
from services.market.ports import Clock, Deliveries


def register(app: Dash, deliveries: Deliveries, clock: Clock) -> None:
    @app.callback(
        Output(ids.DELIVERIES, "children"),
        Output(ids.DELIVERIES_SHOWN, "data"),
        Input(ids.DELIVERIES_POLL, "n_intervals"),
        Input(ids.delivery_retry(ALL), "n_clicks"),
        State(ids.DELIVERIES_SHOWN, "data"),
        State(ids.VIEW, "data"),
    )
    def follow(
        _intervals: int | None, _clicks: list[int | None], known: object, view: dict[str, Any]
    ) -> tuple[Component | None, object]:
        chosen = ctx.triggered_id
        try:
            if isinstance(chosen, dict) and ctx.triggered[0]["value"]:  # a button that is new has not been clicked
                _retry(deliveries, int(chosen["index"]), clock)
            found = deliveries.newest(layout.MOST)
        except StoreUnavailable:
            raise PreventUpdate from None  # the banner of every page says so
        now = layout.shown(found)
        if now == known:
            raise PreventUpdate
        table = layout.history(found, notation.zone_named(view.get("zone")))
        return table or (layout.nothing() if deliveries.channels else None), now

    @app.callback(
        Output(ids.channel_result(MATCH), "children"),
        Input(ids.channel_test(MATCH), "n_clicks"),
        running=[(Output(ids.channel_test(MATCH), "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def test(_clicks: int) -> Component:
        chosen = ctx.triggered_id
        assert isinstance(chosen, dict)  # as every id of this kind is
        try:
            deliveries.try_out(str(chosen["index"]), clock())
        except (DeliveryFailed, UnknownChannel) as error:
            return layout.refused(str(error))
        return layout.accepted()


def _retry(deliveries: Deliveries, number: int, clock: Clock) -> None:
    try:
        deliveries.retry(number, clock())
    except (NotFailed, UnknownDelivery):
        return  # somebody else was first: the table will show what has become of it
