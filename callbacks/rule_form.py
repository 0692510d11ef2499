"""The form of a rule: checked as it is filled in, replayed, tested, saved."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo
from http import HTTPStatus
from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.requests import Number, RecordNumber
from callbacks.shell import BROWSER
from layouts import alerting, ids, notation, rule_draft, rule_form, rule_replay
from layouts.alerting import Place
from layouts.axes import Figure
from layouts.rule_draft import ALL as ALL_CHANNELS
from layouts.rule_draft import SOME, Draft
from layouts.rule_replay import ReplayProblem, ReplayRequest, ReplayResult
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import BadRule, TooManyRules
from services.market.dependencies import Dependencies
from services.market.errors import DeliveryFailed, UnknownChannel, UnknownRecord
from services.market.ports import MarketReader
from services.market.times import HOUR, period_of

FIELDS = ids.rule_field(ALL)

UNFIT = "Fill in the fields first: a rule that cannot be saved cannot be replayed."
NOT_FILLED_IN = "Not saved: see the fields that are marked."


def register(app: Dash, dependencies: Dependencies) -> None:
    @app.callback(
        Output(ids.rule_field("kind"), "options"),
        Output(ids.rule_field("kind"), "value"),
        Output(ids.rule_field("way"), "options"),
        Input(ids.rule_field("quantity"), "value"),
        State(ids.rule_field("kind"), "value"),
        prevent_initial_call=True,
    )
    def choose_quantity(quantity: str, kind: str) -> tuple[rule_form.Options, str, rule_form.Options]:
        kinds = rule_draft.kinds_for(quantity)
        chosen = kind if kind in kinds else kinds[0]
        return rule_form.kind_options(quantity), chosen, rule_form.way_options(quantity)

    @app.callback(
        Output(ids.rule_row(ALL), "className"),
        Output(ids.rule_error(ALL), "children"),
        Output(ids.RULE_SENTENCE, "children"),
        Output(ids.RULE_REACH, "children"),
        Output(ids.RULE_REFUSED, "children", allow_duplicate=True),
        Input(FIELDS, "value"),
        Input(ids.RULE_INSISTED, "data"),
        prevent_initial_call=True,
    )
    def follow(
        _values: list[Any], insisted: bool
    ) -> tuple[list[str], list[str | None], str, str, list[Component] | NoUpdate]:
        draft = _draft(ctx.inputs_list[0])
        checked = rule_form.check_draft(draft)
        told = rule_form.shown_errors(draft, checked.wrong, insisted=insisted)
        looks, errors = (_names(outputs) for outputs in ctx.outputs_list[:2])
        is_changed = ctx.triggered_id != ids.RULE_INSISTED
        return (
            rule_form.rows(draft, told, looks),
            [told.get(name) for name in errors],
            rule_form.sentence(checked),
            rule_form.reach(checked, dependencies.reader.ranking().metrics),
            [] if is_changed and not told else no_update,  # why it was not saved is said of it no more
        )

    @app.callback(
        Output(ids.LOCATION, "search"),
        Output(ids.RULE_INSISTED, "data"),
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
        refused = keep(_draft(ctx.states_list[0]), edited, dependencies)
        if refused:
            return no_update, True, rule_form.refusal(refused)
        return alerting.search_for(alerting.RULES), no_update, []

    @app.callback(
        Output(ids.RULE_REPLAY_REQUEST, "data"),
        Output(ids.RULE_REPLAY, "children", allow_duplicate=True),
        Input(ids.rule_replay(ALL), "n_clicks"),
        State(FIELDS, "value"),
        prevent_initial_call=True,
    )
    def request_replay(
        _clicks: list[int | None], _values: list[Any]
    ) -> tuple[ReplayRequest | NoUpdate, Component | NoUpdate]:
        chosen = ctx.triggered_id
        if not isinstance(chosen, dict) or chosen["span"] not in rule_replay.SPANS or not ctx.triggered[0]["value"]:
            raise PreventUpdate
        checked = rule_form.check_draft(_draft(ctx.states_list[0]))
        if checked.rule is None:
            return no_update, rule_replay.problem(UNFIT)
        until = period_of(dependencies.clock(), dependencies.reader.profile.period_seconds)
        return rule_replay.request_of(checked.rule, str(chosen["span"]), until), no_update

    app.clientside_callback(
        ClientsideFunction(BROWSER, "replayRule"),
        Output(ids.RULE_REPLAY_RESULT, "data"),
        Input(ids.RULE_REPLAY_REQUEST, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "cancelReplay"),
        Input(ids.RULE_REPLAY_CANCEL, "n_clicks"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.RULE_REPLAY, "children"),
        Input(ids.RULE_REPLAY_RESULT, "data"),
        State(ids.RULE_REPLAY_REQUEST, "data"),
        State(ids.ZONE_NAME, "data"),
        prevent_initial_call=True,
    )
    def show_replay(
        result: ReplayResult | ReplayProblem | None, request: ReplayRequest, zone_name: object
    ) -> Component:
        if result is None:
            raise PreventUpdate
        return replayed(result, request, dependencies, notation.zone_named(zone_name))

    @app.callback(
        Output(ids.RULE_REPLAY_CHART, "figure"),
        Input(ids.RULE_REPLAY_METRIC, "value"),
        State(ids.RULE_REPLAY_RESULT, "data"),
        State(ids.ZONE_NAME, "data"),
        prevent_initial_call=True,
    )
    def show_metric(chosen: Number, result: ReplayResult, zone_name: object) -> Figure:
        return figure_of(int(chosen), result, dependencies.reader, notation.zone_named(zone_name))

    @app.callback(
        Output(ids.RULE_TEST_RESULT, "children"),
        Input(ids.RULE_TEST, "n_clicks"),
        State(ids.rule_field("told"), "value"),
        State(ids.rule_field("channels"), "value"),
        running=[(Output(ids.RULE_TEST, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def test(clicks: int | None, told: str, chosen: list[str]) -> list[Component]:
        if not clicks:
            raise PreventUpdate
        names = dependencies.deliveries.channels if told == ALL_CHANNELS else chosen if told == SOME else ()
        return rule_form.test_results([(name, _tested(name, dependencies)) for name in names])


def form_at(place: Place, dependencies: Dependencies) -> list[Component]:
    """The form that an address asks for. Raises StoreUnavailable."""
    number = place.edited if place.edited is not None else place.like
    try:
        rule = None if number is None else dependencies.alert_service.rule(number)
    except UnknownRecord:
        return rule_form.gone()
    if rule is None:
        draft = rule_draft.from_template(place.template) | ({"scope": place.scope} if place.scope else {})
    else:
        draft = rule_draft.draft_of(rule) if place.like is None else rule_draft.duplicate(rule)
    return rule_form.body(draft, place.edited, dependencies.reader.ranking().metrics, dependencies.deliveries.channels)


def keep(draft: Draft, edited: int | None, dependencies: Dependencies) -> list[str]:
    """Store what the form says, as a new rule or in the place of the one that is `edited`; what is against it, if
    anything is. Raises StoreUnavailable."""
    checked = rule_form.check_draft(draft)
    if checked.rule is None:
        return [NOT_FILLED_IN]
    try:
        if edited is None:
            dependencies.alert_service.add_rule(checked.rule)
        else:
            kept = dependencies.alert_service.rule(edited)
            dependencies.alert_service.change_rule(
                replace(checked.rule, id=edited, enabled=kept.enabled), dependencies.clock()
            )
    except BadRule as error:
        return [rule_draft.at_fault(error)[1]]
    except TooManyRules as error:
        return [f"Not saved: {error}."]
    except UnknownRecord:
        return ["Not saved: somebody has deleted this rule in the meantime."]
    return []


def replayed(
    result: ReplayResult | ReplayProblem, request: ReplayRequest, dependencies: Dependencies, zone: tzinfo
) -> Component:
    """What the rule would have done, or why that is not known. Raises StoreUnavailable."""
    if "problem" in result:
        return rule_replay.problem(_problem_text(result))
    try:
        rule = parse_rule(request["body"]["rule"])
    except BadRule as error:
        return rule_replay.problem(rule_draft.at_fault(error)[1])
    rows = dependencies.reader.ranking().metrics
    watched = sum(rule_form.watches(rule, row) for row in rows)
    most = rule_replay.most_fired(result)
    figure = None if most is None else figure_of(most, result, dependencies.reader, zone)
    return rule_replay.result_view(result, watched, {row.id: row for row in rows}, figure, zone)


def _problem_text(problem: ReplayProblem) -> str:
    """Why a rule was not replayed, as a sentence."""
    text = str(problem["problem"])
    if problem.get("status") == HTTPStatus.UNPROCESSABLE_ENTITY:  # it begins with the name of a field
        return rule_draft.at_fault(BadRule(text))[1]
    return f"Not replayed: {text.rstrip('.')}."


def figure_of(metric_id: int, result: ReplayResult, reader: MarketReader, zone: tzinfo) -> Figure:
    """The chart of one metric of a replay."""
    since, until = rule_replay.bounds(result)
    firings = result["markers"].get(str(metric_id), [])
    if rule_replay.by_sample(result):
        series = reader.prices(metric_id, since, until)
        return rule_replay.replay_figure(series.times, series.values, firings, zone)
    hours = reader.hours(metric_id, since, until)
    return rule_replay.replay_figure(hours.starts + HOUR, hours.close, firings, zone)


def _tested(channel: str, dependencies: Dependencies) -> str | None:
    """What a test of a channel met; None where it was accepted."""
    try:
        dependencies.deliveries.try_out(channel, dependencies.clock())
    except (DeliveryFailed, UnknownChannel) as error:
        return str(error)
    return None


def _draft(fields: list[Mapping[str, Any]]) -> Draft:
    return {one["id"]["name"]: one.get("value") for one in fields}


def _names(outputs: list[Mapping[str, Any]]) -> list[str]:
    return [one["id"]["name"] for one in outputs]
