"""The form of a rule: checked while it is filled in, tested on channels, saved."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dash import ALL, Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.requests import RecordNumber
from layouts import alerting, ids, rule_draft, rule_fields, rule_form
from layouts.alerting import Place
from layouts.rule_draft import ALL as ALL_CHANNELS
from layouts.rule_draft import SOME, Draft
from layouts.rule_validation import check_draft, path_and_text
from services.market.alerting.rules import BadRule, TooManyRules
from services.market.dependencies import Dependencies
from services.market.errors import DeliveryFailed, UnknownChannel, UnknownRecord
from services.market.ports import Clock, Deliveries

FIELDS = ids.rule_field(ALL)

NOT_VALID = "Not saved: correct the marked fields."


def register(app: Dash, dependencies: Dependencies) -> None:
    _register_checks(app, dependencies)
    _register_save(app, dependencies)
    _register_test(app, dependencies.deliveries, dependencies.clock)


def _register_checks(app: Dash, dependencies: Dependencies) -> None:
    @app.callback(
        Output(ids.rule_field("kind"), "options"),
        Output(ids.rule_field("kind"), "value"),
        Output(ids.rule_field("way"), "options"),
        Input(ids.rule_field("quantity"), "value"),
        State(ids.rule_field("kind"), "value"),
        prevent_initial_call=True,
    )
    def choose_quantity(quantity: str, kind: str) -> tuple[rule_fields.Options, str, rule_fields.Options]:
        kinds = rule_draft.kinds_for(quantity)
        chosen = kind if kind in kinds else kinds[0]
        return rule_fields.kind_options(quantity), chosen, rule_fields.way_options(quantity)

    @app.callback(
        Output(ids.rule_row(ALL), "className"),
        Output(ids.rule_error(ALL), "children"),
        Output(ids.RULE_SENTENCE, "children"),
        Output(ids.RULE_REACH, "children"),
        Output(ids.RULE_REFUSED, "children", allow_duplicate=True),
        Input(FIELDS, "value"),
        Input(ids.RULE_SHOW_EMPTY, "data"),
        prevent_initial_call=True,
    )
    def follow(
        _values: list[Any], show_empty: bool
    ) -> tuple[list[str], list[str | None], str, str, list[Component] | NoUpdate]:
        draft = draft_in(ctx.inputs_list[0])
        checked = check_draft(draft)
        errors = rule_form.shown_errors(draft, checked.errors, show_empty=show_empty)
        rows, places = (_names(outputs) for outputs in ctx.outputs_list[:2])
        is_edit = ctx.triggered_id != ids.RULE_SHOW_EMPTY
        return (
            rule_form.field_classes(draft, errors, rows),
            [errors.get(name) for name in places],
            rule_form.sentence(checked),
            rule_form.reach(checked, dependencies.reader.ranking().metrics),
            [] if is_edit and not errors else no_update,  # the reason why it was not saved no longer holds
        )


def _register_save(app: Dash, dependencies: Dependencies) -> None:
    @app.callback(
        Output(ids.LOCATION, "search"),
        Output(ids.RULE_SHOW_EMPTY, "data"),
        Output(ids.RULE_REFUSED, "children"),
        Input(ids.RULE_SAVE, "n_clicks"),
        State(FIELDS, "value"),
        State(ids.RULE_EDITED, "data"),
        running=[(Output(ids.RULE_SAVE, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def save(clicks: int | None, _values: list[Any], edited: RecordNumber | None) -> tuple[Any, Any, list[Component]]:
        if not clicks:
            raise PreventUpdate
        reasons = save_draft(draft_in(ctx.states_list[0]), edited, dependencies)
        if reasons:
            return no_update, True, rule_form.refusal(reasons)
        return alerting.search_for(alerting.RULES), no_update, []


def _register_test(app: Dash, deliveries: Deliveries, clock: Clock) -> None:
    @app.callback(
        Output(ids.RULE_TEST_RESULT, "children"),
        Input(ids.RULE_TEST, "n_clicks"),
        State(ids.rule_field("notify"), "value"),
        State(ids.rule_field("channels"), "value"),
        running=[(Output(ids.RULE_TEST, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def test(clicks: int | None, notify: str, chosen: list[str]) -> list[Component]:
        if not clicks:
            raise PreventUpdate
        names = deliveries.channels if notify == ALL_CHANNELS else chosen if notify == SOME else ()
        return rule_form.test_results([(name, _test_error(name, deliveries, clock)) for name in names])


def form_at(place: Place, dependencies: Dependencies) -> list[Component]:
    """The form that an address asks for. Raises StoreUnavailable."""
    number = place.edited if place.edited is not None else place.like
    try:
        rule = None if number is None else dependencies.alert_service.rule(number)
    except UnknownRecord:
        return rule_form.not_found()
    if rule is None:
        draft = rule_draft.from_template(place.template) | ({"scope": place.scope} if place.scope else {})
    else:
        draft = rule_draft.draft_of(rule) if place.like is None else rule_draft.duplicate(rule)
    return rule_form.body(draft, place.edited, dependencies.reader.ranking().metrics, dependencies.deliveries.channels)


def save_draft(draft: Draft, edited: int | None, dependencies: Dependencies) -> list[str]:
    """Store the draft as a new rule, or as the rule numbered `edited`. Returns why it was not stored, or nothing.

    Raises StoreUnavailable.
    """
    checked = check_draft(draft)
    if checked.rule is None:
        return [NOT_VALID]
    alert_service = dependencies.alert_service
    try:
        if edited is None:
            alert_service.add_rule(checked.rule)
        else:
            enabled = alert_service.rule(edited).enabled
            alert_service.change_rule(replace(checked.rule, id=edited, enabled=enabled), dependencies.clock())
    except BadRule as error:
        return [path_and_text(error)[1]]
    except TooManyRules as error:
        return [f"Not saved: {error}."]
    except UnknownRecord:
        return ["Not saved: this rule was deleted in the meantime."]
    return []


def draft_in(fields: list[Mapping[str, Any]]) -> Draft:
    """The draft in a callback's arguments: the values of all fields."""
    return {one["id"]["name"]: one.get("value") for one in fields}


def _test_error(channel: str, deliveries: Deliveries, clock: Clock) -> str | None:
    """Send a test to the channel. Returns the error; None if it was accepted."""
    try:
        deliveries.try_out(channel, clock())
    except (DeliveryFailed, UnknownChannel) as error:
        return str(error)
    return None


def _names(outputs: list[Mapping[str, Any]]) -> list[str]:
    return [one["id"]["name"] for one in outputs]
