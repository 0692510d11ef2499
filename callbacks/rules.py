"""The list of rules: updates it, and switches, mutes and deletes rules."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from dash import Dash, Input, NoUpdate, Output, State, ctx

from callbacks.requests import Action
from layouts import ids, markup, notation, rules
from layouts.markup import Content
from layouts.mute_lengths import MUTE_LENGTHS, mute_end
from layouts.rules import RuleLine
from services.market.alerting.alerts import AlertQuery, AlertState, Mute
from services.market.alerting.rules import BUILT_IN, built_in
from services.market.dependencies import Dependencies
from services.market.errors import UnknownRecord
from services.market.ports import AlertService


def register(app: Dash, dependencies: Dependencies) -> None:
    @app.callback(
        Output(ids.RULES_LIST, "content"),
        Input(ids.REVISION, "data"),
        Input(ids.RULES_LIST, "action"),
        Input(ids.ZONE_NAME, "data"),
        State(ids.RULES_LIST, "known"),
        prevent_initial_call=True,
    )
    def follow(_revision: int | None, action: Action | None, zone_name: object, known: object) -> Content | NoUpdate:
        if action is not None and ctx.triggered_id == ids.RULES_LIST:
            carry_out(action, dependencies.alert_service, dependencies.clock())
        return markup.update(rules.listed(rule_lines(dependencies), notation.zone_named(zone_name)), known)


def rule_lines(dependencies: Dependencies) -> list[RuleLine]:
    """All rules with their states, the built-in one first. Raises StoreUnavailable."""
    alert_service, reader = dependencies.alert_service, dependencies.reader
    state_counts, mutes = alert_service.state_counts(), _of_rules(alert_service.mutes(dependencies.clock()))
    states: tuple[AlertState, ...] = ("firing", "no_data")  # the built-in rule has no pending time
    counts = {
        state.replace("_", " "): reader.count_alerts(AlertQuery(rule_id=BUILT_IN, state=state)).total
        for state in states
    }
    editable = [RuleLine(rule, state_counts.get(rule.id, {}), mutes.get(rule.id)) for rule in alert_service.rules()]
    return [RuleLine(built_in(reader.profile), counts, mutes.get(BUILT_IN)), *editable]


def carry_out(action: Action, alert_service: AlertService, now: datetime) -> None:
    """Do the `act` of a button to the rule numbered `rule`; a mute lasts for `length`. Nothing happens if somebody else
    has done it before. Raises StoreUnavailable."""
    if "rule" not in action:
        return
    number, length = int(action["rule"]), action.get("length", "")
    try:
        match action["act"]:
            case rules.ON | rules.OFF as act:
                alert_service.change_rule(replace(alert_service.rule(number), enabled=act == rules.ON), now)
            case rules.DELETE:
                alert_service.remove_rule(number, now)
            case rules.MUTE if length in MUTE_LENGTHS:
                alert_service.mute(number, None, mute_end(length, None, UTC, now), None, now)
            case rules.UNMUTE:
                for mute in alert_service.mutes(now):
                    if mute.rule_id == number and mute.metric_id is None:
                        alert_service.unmute(mute.id, now)
    except UnknownRecord:
        return


def _of_rules(mutes: Iterable[Mute]) -> dict[int, Mute]:
    """The longest mute of each rule, among those of all its metrics."""
    found: dict[int, Mute] = {}
    for mute in mutes:
        if mute.rule_id is None or mute.metric_id is not None:
            continue
        other = found.get(mute.rule_id)
        if other is None or mute.until is None or (other.until is not None and other.until < mute.until):
            found[mute.rule_id] = mute
    return found
