"""The callbacks of every page: poller, connection status, banner, theme, tab title and error toast."""

from collections.abc import Callable

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, set_props

from layouts import ids
from services.market.errors import StoreUnavailable, TrackerError
from services.market.failures import Failures

BROWSER = "tracker"
"""The namespace of the JavaScript functions in assets/."""

QUIET_SECONDS = 600.0
"""A callback's error is logged again if it has not been repeated for so long."""


def register(app: Dash) -> None:
    """Register callbacks that run in the browser, see assets/live.js and assets/shell.js."""
    live, zone = Input(ids.LIVE, "data"), Input(ids.ZONE_NAME, "data")
    app.clientside_callback(
        ClientsideFunction(BROWSER, "poll"), Output(ids.LIVE, "data"), Input(ids.POLL, "n_intervals")
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "revision"), Output(ids.REVISION, "data"), live, State(ids.REVISION, "data")
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "tickStale"), Output(ids.TICK_STALE, "data"), live, State(ids.TICK_STALE, "data")
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "connection"),
        Output(ids.CONNECTION_STATUS, "content"),
        Output(ids.CONNECTION_STATUS, "className"),
        live,
        zone,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "banner"),
        Output(ids.ALERT_LIST, "content"),
        Output(ids.ALERT_BANNER, "className"),
        live,
        zone,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "acknowledgeAll"),
        Input(ids.ACKNOWLEDGE_ALL, "n_clicks"),
        prevent_initial_call=True,
    )
    app.clientside_callback(ClientsideFunction(BROWSER, "theme"), Output(ids.THEME, "value"), Input(ids.THEME, "value"))
    app.clientside_callback(
        ClientsideFunction(BROWSER, "zone"),
        Output(ids.ZONE, "value"),
        Output(ids.ZONE_NAME, "data"),
        Input(ids.ZONE, "value"),
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "retry"),
        Output(ids.TOAST, "is_open"),
        Input(ids.TOAST_RETRY, "n_clicks"),
        State(ids.FAILED, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "recover"),
        Output(ids.TOAST, "is_open", allow_duplicate=True),
        live,
        prevent_initial_call=True,
    )
    app.clientside_callback(ClientsideFunction(BROWSER, "title"), Input(ids.TITLE, "data"), live)


def reporting() -> Callable[[Exception], None]:
    """An error handler for callbacks. It shows a toast and tells the browser what to retry; the page stays as it is."""
    failures = Failures(quiet_seconds=QUIET_SECONDS)

    def report(error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            text = "The database is unavailable. The page retries by itself."
        elif isinstance(error, TrackerError):
            text = str(error)
        else:
            failures.crashed("callback", error, "failed")
            text = "Something went wrong while updating this page. The server's log has the details."
        set_props(ids.FAILED, {"data": list(ctx.triggered_prop_ids)})
        set_props(ids.TOAST_TEXT, {"children": text})
        set_props(ids.TOAST, {"is_open": True})

    return report
