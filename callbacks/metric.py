"""The page of a metric: updates it while it is open, and offers downloads."""

from datetime import datetime
from typing import Any

from dash import ClientsideFunction, Dash, Input, NoUpdate, Output, State, no_update
from dash.exceptions import PreventUpdate

from callbacks.requests import RecordNumber
from callbacks.shell import BROWSER
from callbacks.spans import read_chart
from layouts import csv_export, ids, markup, metric, metric_markets, notation, price_chart
from layouts.axes import Figure
from layouts.markup import Content
from layouts.metric import Present
from layouts.metric_notice import notice
from layouts.price_chart import LINE, Subject, View
from layouts.spans import Span, span_of
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rules import AlertRule, TimesAverage
from services.market.candles import ChartHistory
from services.market.ports import AlertService, Clock, MarketReader
from services.market.ranking import RankedMetric

PARTS = (
    ids.METRIC_NOTICE,
    ids.METRIC_HEADLINE,
    ids.METRIC_FIGURES,
    ids.METRIC_NEIGHBOURS,
    ids.METRIC_RANKS,
    ids.METRIC_ALERTS,
)
"""The parts that are updated, apart from the chart."""
DATED = (ids.METRIC_NOTICE, ids.METRIC_HEADLINE, ids.METRIC_FIGURES, ids.METRIC_ALERTS)
"""The parts that show times and ages."""


def register(app: Dash, reader: MarketReader, alert_service: AlertService, clock: Clock) -> None:
    _register_updates(app, reader, alert_service, clock)
    _register_choices(app, reader, alert_service, clock)
    _register_browser(app)


def _register_updates(app: Dash, reader: MarketReader, alert_service: AlertService, clock: Clock) -> None:
    profile = reader.profile

    @app.callback(
        Output(ids.METRIC_UPDATE, "data"),
        Output(ids.METRIC_TITLE, "data"),
        *(Output(part, "content") for part in PARTS),
        Input(ids.METRIC_ASK, "data"),
        State(ids.METRIC_ID, "data"),
        State(ids.METRIC_SPAN, "value"),
        State(ids.METRIC_KIND, "value"),
        State(ids.ZONE_NAME, "data"),
        State(ids.METRIC_TITLE, "data"),
        *(State(part, "known") for part in PARTS),
        prevent_initial_call=True,
    )
    def follow(
        drawn: dict[str, Any] | None,
        metric_id: RecordNumber,
        span: str,
        kind: str,
        zone: str | None,
        title: str,
        *known: object,
    ) -> list[Any]:
        if drawn is None:
            raise PreventUpdate
        view = view_of(metric_id, span, kind, zone)
        subject = subject_of(reader, alert_service, metric_id, clock())
        present = present_of(reader, clock())
        row = subject.row
        update = price_chart.price_update(chart_with_rules(reader, subject, clock(), view.span), view, subject, drawn)
        new_title = metric.tab_title(row)
        parts = (
            notice(row, present.state, present.now, profile, view.zone),
            metric.headline(row, present.now),
            metric.figures(row, profile, view.zone),
            metric_markets.elsewhere(row, present.metrics, present.now),
            metric.rank_links(row, present.metrics),
            metric.alert_list(subject.alerts, view.zone),
        )
        return [
            no_update if update is None else update,
            no_update if title == new_title else new_title,
            *map(markup.update, parts, known),
        ]

    @app.callback(
        *(Output(part, "content", allow_duplicate=True) for part in DATED),
        Input(ids.ZONE_NAME, "data"),
        Input(ids.TICK_STALE, "data"),
        State(ids.METRIC_ID, "data"),
        *(State(part, "known") for part in DATED),
        prevent_initial_call=True,
    )
    def update_times(
        zone_name: str | None, _tick_stale: bool, metric_id: RecordNumber, *known: object
    ) -> list[Content | NoUpdate]:
        subject, zone = subject_of(reader, alert_service, metric_id, clock()), notation.zone_named(zone_name)
        present = present_of(reader, clock())
        parts = (
            notice(subject.row, present.state, present.now, profile, zone),
            metric.headline(subject.row, present.now),
            metric.figures(subject.row, profile, zone),
            metric.alert_list(subject.alerts, zone),
        )
        return list(map(markup.update, parts, known))


def _register_choices(app: Dash, reader: MarketReader, alert_service: AlertService, clock: Clock) -> None:
    @app.callback(
        Output(ids.METRIC_CHART, "figure"),
        Input(ids.METRIC_SPAN, "value"),
        Input(ids.METRIC_KIND, "value"),
        Input(ids.ZONE_NAME, "data"),
        State(ids.METRIC_ID, "data"),
        State(ids.METRIC_THRESHOLD, "value"),
        prevent_initial_call=True,
    )
    def choose_view(span: str, kind: str, zone: str | None, metric_id: RecordNumber, threshold: bool) -> Figure:
        view = view_of(metric_id, span, kind, zone)
        subject = subject_of(reader, alert_service, metric_id, clock())
        chart = chart_with_rules(reader, subject, clock(), view.span)
        return price_chart.price_figure(chart, view, subject, threshold)

    @app.callback(
        Output(ids.METRIC_FILE, "data"),
        Input(ids.METRIC_CSV, "n_clicks"),
        State(ids.METRIC_ID, "data"),
        State(ids.METRIC_SPAN, "value"),
        prevent_initial_call=True,
    )
    def download(clicks: int | None, metric_id: RecordNumber, span: str) -> dict[str, Any]:
        if not clicks:
            raise PreventUpdate
        row, chosen = reader.metric(metric_id), span_of(span)
        history = read_chart(reader, row.id, clock(), chosen).history
        content = f"{csv_export.BYTE_ORDER_MARK}{csv_export.sheet(history)}"
        return {"content": content, "filename": csv_export.file_name(row, chosen), "type": "text/csv"}


def view_of(metric_id: int, span: object, kind: object, zone: object) -> View:
    """The view that a browser asks for; invalid choices become the defaults."""
    chosen = str(kind) if kind in price_chart.KINDS else LINE
    return View(metric_id, span_of(span), chosen, notation.zone_named(zone))


def present_of(reader: MarketReader, now: datetime) -> Present:
    """The state of the tracker at `now`, with all metrics; they are stale if the last tick is."""
    state = reader.status(now)
    ranking = reader.ranking()
    return Present(state, state.present(now), (ranking.gone_stale() if state.stale else ranking).metrics)


def subject_of(reader: MarketReader, alert_service: AlertService, wanted: int | str, now: datetime) -> Subject:
    """The metric of this number or key at `now`, with its alerts and rules. Raises UnknownMetric."""
    revision = reader.revision()  # read first, so that anything newer is read again
    row = reader.metric(wanted)
    if reader.status(now).stale:
        row = row.gone_stale()
    alerts = reader.alerts(AlertQuery(metric_id=row.id, limit=metric.MAX_ALERTS))
    return Subject(
        row, alerts, reader.profile, revision, [rule for rule in alert_service.rules() if _is_drawn(rule, row)]
    )


def _is_drawn(rule: AlertRule, row: RankedMetric) -> bool:
    """True if the rule compares this metric's price with a multiple of its average."""
    on_average = rule.quantity == "price" and isinstance(rule.condition, TimesAverage)
    return rule.enabled and on_average and rule.watches(row)


def chart_with_rules(reader: MarketReader, subject: Subject, now: datetime, span: Span) -> ChartHistory:
    """The history of a chart that shows the thresholds of rules."""
    windows = [rule.window_seconds or 0 for rule in subject.drawn_rules]
    return read_chart(reader, subject.row.id, now, span, windows)


def _register_browser(app: Dash) -> None:
    """The callbacks that run in the browser, see assets/chart.js and assets/metric.js."""
    app.clientside_callback(ClientsideFunction(BROWSER, "retitle"), Input(ids.METRIC_TITLE, "data"))
    app.clientside_callback(
        ClientsideFunction(BROWSER, "requestChartUpdate"),
        Output(ids.METRIC_ASK, "data"),
        Input(ids.REVISION, "data"),
        Input(ids.METRIC_CHART, "figure"),
    )
    app.clientside_callback(ClientsideFunction(BROWSER, "applyChartUpdate"), Input(ids.METRIC_UPDATE, "data"))
    app.clientside_callback(
        ClientsideFunction(BROWSER, "showThreshold"),
        Input(ids.METRIC_THRESHOLD, "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(BROWSER, "savePicture"),
        Input(ids.METRIC_PNG, "n_clicks"),
        State(ids.METRIC_TITLE, "data"),
        prevent_initial_call=True,
    )
