"""The replay of the rule in the form: requested from the API by the browser, shown when it is done."""

from datetime import tzinfo
from http import HTTPStatus
from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.requests import Number
from callbacks.rule_form import FIELDS, draft_in
from callbacks.shell import BROWSER
from layouts import ids, notation, rule_replay
from layouts.axes import Figure
from layouts.rule_replay import ReplayProblem, ReplayRequest, ReplayResult
from layouts.rule_validation import check_draft, path_and_text
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import BadRule
from services.market.dependencies import Dependencies
from services.market.ports import MarketReader
from services.market.times import HOUR, period_of

NOT_VALID = "Fill in the fields first: a rule that cannot be saved cannot be replayed."


def register(app: Dash, dependencies: Dependencies) -> None:
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
        checked = check_draft(draft_in(ctx.states_list[0]))
        if checked.rule is None:
            return no_update, rule_replay.problem(NOT_VALID)
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


def replayed(
    result: ReplayResult | ReplayProblem, request: ReplayRequest, dependencies: Dependencies, zone: tzinfo
) -> Component:
    """The result of the replay, or why there is none. Raises StoreUnavailable."""
    if "problem" in result:
        return rule_replay.problem(_problem_text(result))
    try:
        rule = parse_rule(request["body"]["rule"])
    except BadRule as error:
        return rule_replay.problem(path_and_text(error)[1])
    rows = dependencies.reader.ranking().metrics
    watched = sum(rule.watches(row) for row in rows)
    most = rule_replay.most_fired(result)
    figure = None if most is None else figure_of(most, result, dependencies.reader, zone)
    return rule_replay.result_view(result, watched, {row.id: row for row in rows}, figure, zone)


def _problem_text(problem: ReplayProblem) -> str:
    """Why a rule was not replayed, as a sentence."""
    text = str(problem["problem"])
    if problem.get("status") == HTTPStatus.UNPROCESSABLE_ENTITY:  # it begins with the name of a field
        return path_and_text(BadRule(text))[1]
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
