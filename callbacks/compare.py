"""The comparison page: follows the address, updates the chart, searches metrics."""

from datetime import tzinfo
from typing import Any

from dash import ClientsideFunction, Dash, Input, NoUpdate, Output, State, ctx, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from callbacks.shell import BROWSER
from callbacks.spans import read_chart
from layouts import compare, compare_choice, comparison_chart, ids, markup, notation
from layouts.axes import Figure
from layouts.compare import Comparison
from layouts.compare_choice import MAX_METRICS, Choice, choice_of
from layouts.comparison_chart import Compared
from layouts.markup import Content
from layouts.paths import at
from services.market.correlation import correlations
from services.market.errors import UnknownMetric
from services.market.gaps import grid_step
from services.market.ports import Clock, MarketReader
from services.market.ranking import RankedMetric
from services.market.text import number_or_key
from services.market.times import HOUR

PATH = "/compare"


def register(app: Dash, reader: MarketReader, clock: Clock) -> None:
    app.clientside_callback(
        ClientsideFunction(BROWSER, "requestComparisonUpdate"),
        Output(ids.COMPARE_ASK, "data"),
        Input(ids.REVISION, "data"),
        Input(ids.COMPARE_CHART, "figure"),
    )
    app.clientside_callback(ClientsideFunction(BROWSER, "applyComparisonUpdate"), Input(ids.COMPARE_UPDATE, "data"))

    @app.callback(
        Output(ids.COMPARE_BODY, "children"),
        Output(ids.COMPARE_SEARCH, "value"),
        Input(ids.LOCATION, "search"),
        Input(ids.ZONE_NAME, "data"),
        State(ids.LOCATION, "pathname"),
        State(ids.COMPARE_SEARCH, "value"),
        prevent_initial_call=True,
    )
    def choose(search: str | None, zone: str | None, path: str, query: str | None) -> tuple[list[Component], str]:
        if path != at(PATH):
            raise PreventUpdate
        body = compare.body(*compared_at(search, reader, clock, notation.zone_named(zone)))
        return body, "" if f"{ids.LOCATION}.search" in ctx.triggered_prop_ids else query or ""

    @app.callback(
        Output(ids.COMPARE_UPDATE, "data"),
        Output(ids.COMPARE_CHOSEN, "content"),
        Output(ids.COMPARE_MATRIX, "content"),
        Input(ids.COMPARE_ASK, "data"),
        Input(ids.TICK_STALE, "data"),
        State(ids.LOCATION, "search"),
        State(ids.ZONE_NAME, "data"),
        State(ids.COMPARE_CHOSEN, "known"),
        State(ids.COMPARE_MATRIX, "known"),
        prevent_initial_call=True,
    )
    def follow(
        drawn: dict[str, Any] | None,
        _stale: object,
        search: str | None,
        zone_name: str | None,
        chosen: object,
        matrix: object,
    ) -> tuple[Any, Content | NoUpdate, Content | NoUpdate]:
        if drawn is None:
            raise PreventUpdate
        revision = reader.revision()
        found = read_comparison(choice_of(search), reader, clock)
        if not found.compared:
            raise PreventUpdate
        zone = notation.zone_named(zone_name)
        update = comparison_chart.update_of(found.compared, found.choice, zone, revision, drawn)
        return (
            no_update if update is None else update,
            markup.update(compare.chips(found), chosen),
            markup.update(compare.matrix(found), matrix),
        )

    @app.callback(
        Output(ids.COMPARE_RESULTS, "content"),
        Input(ids.COMPARE_SEARCH, "value"),
        State(ids.LOCATION, "search"),
        State(ids.COMPARE_RESULTS, "known"),
        prevent_initial_call=True,
    )
    def search(query: str | None, address: str | None, known: object) -> Content | NoUpdate:
        choice = choice_of(address)
        rows, _ = rows_of(choice, reader)
        chosen = [row.id for _, row in rows]
        found = compare_choice.matches(query or "", reader.ranking().metrics, chosen, compare.RESULTS)
        return markup.update(compare.results(found, choice, query or "", len(rows) >= MAX_METRICS), known)


def compared_at(
    search: str | None, reader: MarketReader, clock: Clock, zone: tzinfo
) -> tuple[Comparison, Figure | None]:
    """The comparison of a query string, and its chart; None if there is nothing to draw."""
    revision = reader.revision()  # read first, so that anything newer is read again
    found = read_comparison(choice_of(search), reader, clock)
    figure = comparison_chart.figure_of(found.compared, found.choice, zone, revision) if found.compared else None
    return found, figure


def read_comparison(choice: Choice, reader: MarketReader, clock: Clock) -> Comparison:
    rows, unknown = rows_of(choice, reader)
    now = clock()
    if reader.status(now).stale:
        rows = [(wanted, row.gone_stale()) for wanted, row in rows]
    compared = [
        Compared(wanted, row, read_chart(reader, row.id, now, choice.span)) for wanted, row in rows[:MAX_METRICS]
    ]
    step = (
        max(grid_step(reader.profile.period_seconds), reader.profile.period_seconds) if choice.span.by_sample else HOUR
    )
    found = correlations([one.chart.history for one in compared], step)
    return Comparison(choice, compared, unknown, [wanted for wanted, _ in rows[MAX_METRICS:]], found, step)


def rows_of(choice: Choice, reader: MarketReader) -> tuple[list[tuple[str, RankedMetric]], list[str]]:
    """The metrics of a choice, each once with its name in the address, and the names that no metric has."""
    rows: dict[int, tuple[str, RankedMetric]] = {}
    unknown: list[str] = []
    for wanted in choice.wanted:
        try:
            row = reader.metric(number_or_key(wanted))
        except UnknownMetric:
            unknown.append(wanted)
            continue
        rows.setdefault(row.id, (wanted, row))
    return list(rows.values()), unknown
