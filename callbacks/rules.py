"""The list of rules: kept current, switched, muted, deleted."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.doors import Doors
from layouts import ids, notation, rules
from layouts.rules import RuleLine
from services.market.alert_rules import BUILT_IN, built_in
from services.market.errors import UnknownRecord
from services.market.ports import AlertDesk
from services.market.types import AlertQuery, Mute


def register(app: Dash, doors: Doors) -> None:
    @app.callback(
        Output(ids.RULES_LIST, "children"),
        Output(ids.RULES_SHOWN, "data"),
        Input(ids.REVISION, "data"),
        Input(ids.RULES_CHANGED, "data"),
        Input(ids.ZONE_NAME, "data"),
        State(ids.RULES_SHOWN, "data"),
        prevent_initial_call=True,
    )
    def follow(
        _revision: int | None, _changed: Any, zone_name: object, known: object
    ) -> tuple[list[Component], object]:
        zone = notation.zone_named(zone_name)
        lines = rule_lines(doors)
        now = rules.shown(lines, zone)
        if now == known:
            raise PreventUpdate
        return rules.listed(lines, zone), now

    @app.callback(
        Output(ids.RULES_CHANGED, "data"),
        Input(ids.rule_action(ALL, ALL), "n_clicks"),
        prevent_initial_call=True,
    )
    def act(_clicks: list[int | None]) -> list[Any]:
        chosen = ctx.triggered_id
        if not isinstance(chosen, dict) or not ctx.triggered[0]["value"]:  # one that is new has not been clicked
            raise PreventUpdate
        now = doors.clock()
        carry_out(str(chosen["action"]), int(chosen["index"]), doors.desk, now)
        return [chosen, now.isoformat()]


def rule_lines(doors: Doors) -> list[RuleLine]:
    """All rules as they stand, the built-in one first. Raises StoreUnavailable."""
    desk = doors.desk
    standing, mutes = desk.standing(), _of_rules(desk.mutes(doors.clock()))
    firing = len(desk.alerts(AlertQuery(rule_id=BUILT_IN, state="firing")))
    own = [RuleLine(rule, standing.get(rule.id, {}), mutes.get(rule.id)) for rule in desk.rules()]
    return [RuleLine(built_in(doors.reader.profile), {"firing": firing}, mutes.get(BUILT_IN)), *own]


def carry_out(action: str, number: int, desk: AlertDesk, now: datetime) -> None:
    """Do what a button says. What somebody else was quicker with is done. Raises StoreUnavailable."""
    name, _, how = action.partition("-")
    try:
        match name:
            case rules.ON | rules.OFF:
                desk.change_rule(replace(desk.rule(number), enabled=name == rules.ON), now)
            case rules.DELETE:
                desk.remove_rule(number, now)
            case rules.MUTE if how in rules.MUTES:
                desk.mute(number, None, rules.until(how, now), None, now)
            case rules.UNMUTE:
                for mute in desk.mutes(now):
                    if mute.rule_id == number and mute.metric_id is None:
                        desk.unmute(mute.id, now)
    except UnknownRecord:
        return


def _of_rules(mutes: Iterable[Mute]) -> dict[int, Mute]:
    """The mute of each rule as a whole that lasts longest."""
    found: dict[int, Mute] = {}
    for mute in mutes:
        if mute.rule_id is None or mute.metric_id is not None:
            continue
        other = found.get(mute.rule_id)
        if other is None or mute.until is None or (other.until is not None and other.until < mute.until):
            found[mute.rule_id] = mute
    return found
