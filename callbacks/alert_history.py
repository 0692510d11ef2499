"""The alert history: keeps it current while it is open; acknowledges, mutes and unmutes."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from dash import ClientsideFunction, Dash, Input, NoUpdate, Output, State, ctx, no_update, set_props
from dash.exceptions import PreventUpdate

from callbacks.requests import Action
from callbacks.shell import BROWSER
from layouts import alert_filters, alert_query, alert_table, ids, markup, notation
from layouts.alert_query import Filters
from layouts.alert_table import Shown
from layouts.markup import Content
from layouts.mute_lengths import BadMuteEnd, mute_end
from services.market.dependencies import Dependencies
from services.market.errors import UnknownRecord
from services.market.ports import AlertService, Clock, MarketReader
from services.market.text import MAX_NOTE_LENGTH, is_plain


def register(app: Dash, dependencies: Dependencies) -> None:
    _register_table(app, dependencies.reader, dependencies.alert_service, dependencies.clock)
    _register_actions(app, dependencies)
    _register_browser(app)


def _register_table(app: Dash, reader: MarketReader, alert_service: AlertService, clock: Clock) -> None:
    @app.callback(
        Output(ids.ALERT_HISTORY, "content"),
        Output(ids.HISTORY_TOOLS, "content"),
        Output(ids.HISTORY_RULE, "options"),
        Input(ids.HISTORY_ASK, "data"),
        Input(ids.HISTORY_DONE, "data"),
        Input(ids.REVISION, "data"),
        Input(ids.ZONE_NAME, "data"),
        State(ids.ALERT_HISTORY, "known"),
        State(ids.HISTORY_TOOLS, "known"),
        State(ids.HISTORY_RULE, "options"),
    )
    def follow(
        ask: dict[str, Any],
        _done: object,
        _revision: int | None,
        zone_name: object,
        known: object,
        known_tools: object,
        known_rules: object,
    ) -> tuple[Content | NoUpdate, Content | NoUpdate, list[dict[str, str]] | NoUpdate]:
        now = clock()
        shown = shown_at(alert_query.filters_of(ask), now, reader, alert_service)
        newest = max((alert.id for alert in shown.alerts), default=0)
        tools = alert_filters.tools(alert_query.csv_path(shown.filters, now), shown.unacknowledged, newest)
        rules = alert_filters.rule_choices(shown.rules, shown.filters.rule)
        return (
            markup.update(alert_table.body(shown, notation.zone_named(zone_name)), known),
            markup.update(tools, known_tools),
            no_update if rules == known_rules else rules,
        )


def _register_actions(app: Dash, dependencies: Dependencies) -> None:
    alert_service, clock = dependencies.alert_service, dependencies.clock

    @app.callback(
        Output(ids.HISTORY_DONE, "data"),
        Input(ids.HISTORY_UNMUTE, "data"),
        Input(ids.ACKNOWLEDGE_DO, "n_clicks"),
        Input(ids.MUTE_DO, "n_clicks"),
        State(ids.HISTORY_CHOSEN, "data"),
        State(ids.ACKNOWLEDGE_NOTE, "value"),
        State(ids.MUTE_LENGTH, "value"),
        State(ids.MUTE_UNTIL, "value"),
        State(ids.MUTE_NOTE, "value"),
        State(ids.HISTORY_ASK, "data"),
        State(ids.ZONE_NAME, "data"),
        prevent_initial_call=True,
    )
    def act(
        unmute: Action | None,
        _acknowledge: int | None,
        _mute: int | None,
        chosen: Action | None,
        acknowledge_note: str | None,
        length: str,
        until: str | None,
        mute_note: str | None,
        ask: dict[str, Any],
        zone_name: object,
    ) -> dict[str, Action] | NoUpdate:
        done = unmute if ctx.triggered_id == ids.HISTORY_UNMUTE else chosen
        if done is None:
            raise PreventUpdate
        now = clock()
        match ctx.triggered_id, done:
            case ids.HISTORY_UNMUTE, {"act": "unmute", "number": number}:
                with suppress(UnknownRecord):  # it ended in the meantime
                    alert_service.unmute(int(number), now)
            case ids.ACKNOWLEDGE_DO, {"act": "acknowledge", "number": number}:
                alert_service.acknowledge(int(number), _note(acknowledge_note), now, dependencies.current_user())
            case ids.ACKNOWLEDGE_DO, {"act": "all", "newest": newest}:
                query = alert_query.query_of(alert_query.filters_of(ask), now)
                alert_service.acknowledge_all(
                    replace(query, up_to=int(newest)), _note(acknowledge_note), now, dependencies.current_user()
                )
            case ids.MUTE_DO, {"act": "mute", "metric": metric}:
                try:
                    end = mute_end(length, until, notation.zone_named(zone_name), now)
                except BadMuteEnd as error:
                    set_props(ids.MUTE_REFUSED, {"children": str(error)})
                    return no_update
                alert_service.mute(None, int(metric), end, _note(mute_note), now)
            case _:
                raise PreventUpdate
        return {"after": done}


def shown_at(filters: Filters, now: datetime, reader: MarketReader, alert_service: AlertService) -> Shown:
    """The page that the filters ask for, or the last page if there are fewer. Raises StoreUnavailable."""
    query = alert_query.query_of(filters, now)
    counts = reader.count_alerts(query)
    page = min(filters.page, max(1, -(-counts.total // alert_query.PAGE_ROWS)))
    filters = replace(filters, page=page)
    muted = [(mute, reader.metric(mute.metric_id)) for mute in alert_service.mutes(now) if mute.metric_id is not None]
    return Shown(
        filters,
        reader.alerts(alert_query.query_of(filters, now)),
        counts.total,
        counts.unacknowledged,
        reader.rules_that_fired(),
        muted,
    )


def _note(text: str | None) -> str | None:
    return "".join(filter(is_plain, text or "")).strip()[:MAX_NOTE_LENGTH] or None


def _register_browser(app: Dash) -> None:
    """The callbacks that run in the browser, see assets/alert-history.js."""
    controls = (
        (ids.HISTORY_SEARCH, "value"),
        (ids.HISTORY_RULE, "value"),
        (ids.HISTORY_STATE, "value"),
        (ids.HISTORY_SPAN, "value"),
        (ids.HISTORY_UNACKNOWLEDGED, "value"),
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "filterHistory"),
        Output(ids.HISTORY_ASK, "data"),
        Output(ids.HISTORY_CLEAR, "hidden"),
        *(Input(*control) for control in controls),
        State(ids.HISTORY_ASK, "data"),
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "readHistory"),
        *(Output(*control, allow_duplicate=True) for control in controls),
        Input(ids.LOCATION, "search"),
        State(ids.LOCATION, "pathname"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "clearHistory"),
        *(Output(*control) for control in controls),
        Input(ids.HISTORY_CLEAR, "n_clicks"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "turnHistoryPage"),
        Output(ids.HISTORY_ASK, "data", allow_duplicate=True),
        Input(ids.ALERT_HISTORY, "action"),
        State(ids.HISTORY_ASK, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "unmute"),
        Output(ids.HISTORY_UNMUTE, "data"),
        Input(ids.ALERT_HISTORY, "action"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "openDialog"),
        Output(ids.HISTORY_CHOSEN, "data"),
        Output(ids.ACKNOWLEDGE_DIALOG, "is_open"),
        Output(ids.ACKNOWLEDGE_TEXT, "children"),
        Output(ids.ACKNOWLEDGE_NOTE, "value"),
        Output(ids.MUTE_DIALOG, "is_open"),
        Output(ids.MUTE_TEXT, "children"),
        Output(ids.MUTE_NOTE, "value"),
        Output(ids.MUTE_REFUSED, "children"),
        Input(ids.ALERT_HISTORY, "action"),
        Input(ids.HISTORY_TOOLS, "action"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "closeDialogs"),
        Output(ids.ACKNOWLEDGE_DIALOG, "is_open", allow_duplicate=True),
        Output(ids.MUTE_DIALOG, "is_open", allow_duplicate=True),
        Input(ids.HISTORY_DONE, "data"),
        Input(ids.ACKNOWLEDGE_CANCEL, "n_clicks"),
        Input(ids.MUTE_CANCEL, "n_clicks"),
        prevent_initial_call=True,
    )
