"""The history of alerts, kept current while it is open, and what people do there: acknowledge, mute, unmute."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from dash import ClientsideFunction, Dash, Input, NoUpdate, Output, State, ctx, no_update, set_props
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.doors import Doors
from callbacks.shell import BROWSER
from layouts import alert_history as layout
from layouts import ids, notation
from layouts.alert_history import BadMuteEnd, Filters, Shown
from services.market.errors import UnknownRecord
from services.market.notes import LONGEST_NOTE, is_plain
from services.market.ports import AlertDesk, MarketReader


def register(app: Dash, doors: Doors) -> None:
    reader, desk, clock, who = doors.reader, doors.desk, doors.clock, doors.who
    _register_browsers_part(app)

    @app.callback(
        Output(ids.ALERT_HISTORY, "children"),
        Output(ids.HISTORY_RULE, "options"),
        Output(ids.HISTORY_CLEAR, "hidden"),
        Output(ids.HISTORY_CSV, "href"),
        Output(ids.HISTORY_SHOWN, "data"),
        Output(ids.HISTORY_ALL, "children"),
        Output(ids.HISTORY_ALL, "disabled"),
        Input(ids.HISTORY_ASK, "data"),
        Input(ids.HISTORY_DONE, "data"),
        Input(ids.REVISION, "data"),
        Input(ids.ZONE_NAME, "data"),
    )
    def follow(
        ask: dict[str, Any], _done: object, _revision: int | None, zone_name: object
    ) -> tuple[list[Component], list[dict[str, str]], bool, str, dict[str, int], str, bool]:
        now = clock()
        shown = shown_at(layout.filters_of(ask), now, reader, desk)
        newest = max((alert.id for alert in shown.alerts), default=0)
        return (
            layout.body(shown, notation.zone_named(zone_name)),
            layout.rule_choices(shown.rules, shown.filters.rule),
            not shown.filters.any,
            layout.csv_path(shown.filters, now),
            {"unseen": shown.unseen, "newest": newest},
            f"Acknowledge all {shown.unseen:,}" if shown.unseen else "All acknowledged",
            not shown.unseen,
        )

    @app.callback(
        Output(ids.HISTORY_DONE, "data"),
        Input(ids.HISTORY_CHOSEN, "data"),
        Input(ids.ACKNOWLEDGE_DO, "n_clicks"),
        Input(ids.MUTE_DO, "n_clicks"),
        State(ids.ACKNOWLEDGE_NOTE, "value"),
        State(ids.MUTE_LENGTH, "value"),
        State(ids.MUTE_UNTIL, "value"),
        State(ids.MUTE_NOTE, "value"),
        State(ids.HISTORY_ASK, "data"),
        State(ids.ZONE_NAME, "data"),
        prevent_initial_call=True,
    )
    def act(
        chosen: dict[str, Any] | None,
        _acknowledge: int | None,
        _mute: int | None,
        seen_note: str | None,
        length: str,
        until: str | None,
        mute_note: str | None,
        ask: dict[str, Any],
        zone_name: object,
    ) -> dict[str, Any] | NoUpdate:
        if chosen is None:
            raise PreventUpdate
        now = clock()
        match ctx.triggered_id, chosen.get("act"):
            case ids.HISTORY_CHOSEN, "unmute":
                with suppress(UnknownRecord):  # it has ended meanwhile
                    desk.unmute(int(chosen["number"]), now)
            case ids.ACKNOWLEDGE_DO, "acknowledge":
                desk.acknowledge(int(chosen["number"]), _note(seen_note), now, who())
            case ids.ACKNOWLEDGE_DO, "all":
                everything = replace(layout.query_of(layout.filters_of(ask), now), up_to=int(chosen["newest"]))
                desk.acknowledge_all(everything, _note(seen_note), now, who())
            case ids.MUTE_DO, "mute":
                try:
                    end = layout.mute_end(length, until, notation.zone_named(zone_name), now)
                except BadMuteEnd as error:
                    set_props(ids.MUTE_REFUSED, {"children": str(error)})
                    return no_update
                desk.mute(None, int(chosen["metric"]), end, _note(mute_note), now)
            case _:
                raise PreventUpdate
        return {"after": chosen}


def shown_at(filters: Filters, now: datetime, reader: MarketReader, desk: AlertDesk) -> Shown:
    """The page that the filters ask for, or the last one there is. Raises StoreUnavailable."""
    query = layout.query_of(filters, now)
    tally = desk.tally(query)
    page = min(filters.page, max(1, -(-tally.total // layout.PAGE_ROWS)))
    filters = replace(filters, page=page)
    muted = [(mute, reader.metric(mute.metric_id)) for mute in desk.mutes(now) if mute.metric_id is not None]
    return Shown(
        filters,
        desk.alerts(layout.query_of(filters, now)),
        tally.total,
        tally.unacknowledged,
        desk.rules_that_fired(),
        muted,
    )


def _note(given: str | None) -> str | None:
    return "".join(filter(is_plain, given or "")).strip()[:LONGEST_NOTE] or None


def _register_browsers_part(app: Dash) -> None:
    """See assets/alert-history.js."""
    controls = (
        (ids.HISTORY_SEARCH, "value"),
        (ids.HISTORY_RULE, "value"),
        (ids.HISTORY_STATE, "value"),
        (ids.HISTORY_SPAN, "value"),
        (ids.HISTORY_UNSEEN, "value"),
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "askHistory"),
        Output(ids.HISTORY_ASK, "data"),
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
        ClientsideFunction(BROWSER, "chooseAll"),
        Output(ids.HISTORY_CHOSEN, "data"),
        Input(ids.HISTORY_ALL, "n_clicks"),
        State(ids.HISTORY_SHOWN, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "openDialog"),
        Output(ids.ACKNOWLEDGE_DIALOG, "is_open"),
        Output(ids.ACKNOWLEDGE_WORDS, "children"),
        Output(ids.ACKNOWLEDGE_NOTE, "value"),
        Output(ids.MUTE_DIALOG, "is_open"),
        Output(ids.MUTE_WORDS, "children"),
        Output(ids.MUTE_NOTE, "value"),
        Output(ids.MUTE_REFUSED, "children"),
        Input(ids.HISTORY_CHOSEN, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "closeDialogs"),
        Output(ids.ACKNOWLEDGE_DIALOG, "is_open", allow_duplicate=True),
        Output(ids.MUTE_DIALOG, "is_open", allow_duplicate=True),
        Input(ids.HISTORY_DONE, "data"),
        prevent_initial_call=True,
    )
