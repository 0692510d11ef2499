"""The averages and thresholds of a chart are those that prices were compared with, minute by minute."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from callbacks.metric import chart_with_rules, subject_of
from layouts import price_chart
from layouts.price_chart import LINE, View
from layouts.spans import SPANS
from services.actions.alerts import StoreAlertService
from services.market.alerting.alerts import Alert
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import AlertRule
from services.store.alerting import rules
from services.store.database.engine import open_engine, writing
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness

KEY = "kraken:BTC-USD"


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 56_000.0})


@pytest.fixture
def pipeline(migrated_sqlite_url: str, exchange: FakeExchange) -> Iterator[PipelineHarness]:
    engine = open_engine(migrated_sqlite_url)
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    yield pipeline
    engine.dispose()


def add_rule(pipeline: PipelineHarness, direction: str, factor: float, window: int) -> AlertRule:
    condition = {"kind": "average", "direction": direction, "factor": factor, "window_seconds": window}
    with writing(pipeline.engine) as connection:
        return rules.add(connection, parse_rule({"name": "spike", "scope": "kraken:*", "condition": condition}))


def drawn_traces(pipeline: PipelineHarness, span: str = "24") -> list[dict[str, float]]:
    """Values by time of each trace; NaN where it has none."""
    subject = subject_of(pipeline.reader, StoreAlertService(pipeline.engine, ()), KEY, pipeline.now)
    chart = chart_with_rules(pipeline.reader, subject, pipeline.now, SPANS[span])
    view = View(subject.row.id, SPANS[span], LINE, UTC)
    return [
        {at: math.nan if value is None else value for at, value in zip(trace["x"], trace.get("y", []), strict=False)}
        for trace in price_chart.price_figure(chart, view, subject, True)["data"]
    ]


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def test_drawn_thresholds_equal_the_compared_ones_through_a_spike_an_outage_and_a_restart(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    below = add_rule(pipeline, "below", 0.7, 900)
    average: dict[str, float] = {}
    threshold: dict[str, float] = {}
    for minute in range(200):
        spiking, falling = 80 <= minute < 92, 150 <= minute < 160
        exchange.prices = {"BTC/USD": 282_726.0 if spiking else 20_000.0 if falling else 56_000.0 + minute % 13}
        if 110 <= minute < 125:
            exchange.prices = {"ETH/USD": 3_000.0}  # no price of the pair in the chart
        if minute == 130:
            pipeline.restart()
        pipeline.tick(25 if minute == 60 else 1)
        row = pipeline.row(KEY)
        if "BTC/USD" in exchange.prices:
            average[stamp(pipeline.now)] = row.average_1h or math.nan
            threshold[stamp(pipeline.now)] = math.nan if minute < 5 else 3 * (row.rule_average or math.nan)

    traces = drawn_traces(pipeline)

    known = {at: value for at, value in traces[price_chart.AVERAGE].items() if at in average}
    assert known == pytest.approx(average, rel=1e-9, nan_ok=True)
    known = {at: value for at, value in traces[price_chart.THRESHOLD].items() if at in threshold}
    assert known == pytest.approx(threshold, rel=1e-9, nan_ok=True)
    fired = pipeline.reader.alerts()
    assert {alert.rule_id for alert in fired} == {0, below.id}
    for alert in fired:
        check_marker_on_crossing(
            alert, traces[price_chart.THRESHOLD if alert.rule_id == 0 else price_chart.VOLATILITY + 1]
        )


def check_marker_on_crossing(alert: Alert, line: dict[str, float]) -> None:
    limit = line[stamp(alert.fired_at)]
    compared = alert.threshold or (alert.factor or 0) * (alert.average or 0)
    assert limit == pytest.approx(compared, rel=1e-9)
    assert (alert.price > limit) == (alert.rule_id == 0)


def test_the_threshold_is_the_same_without_stored_alerts(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    rule = add_rule(pipeline, "above", 1.5, 14_400)
    for minute in range(330):
        exchange.prices = {"BTC/USD": 90_000.0 if minute == 325 else 56_000.0 + minute % 17}
        pipeline.tick()
    (alert,) = pipeline.reader.alerts()
    assert alert.rule_id == rule.id

    alert_service = StoreAlertService(pipeline.engine, ())
    subject = subject_of(pipeline.reader, alert_service, KEY, pipeline.now)
    chart = chart_with_rules(pipeline.reader, subject, pipeline.now, SPANS["1"])
    times, values = price_chart.reference_lines.threshold(chart, rule, (), 60)

    at = times.tolist().index(int(alert.fired_at.timestamp()))
    assert values[at] == pytest.approx(alert.threshold, rel=1e-9)


def test_the_marker_of_an_alert_lies_above_the_threshold_in_hourly_charts_too(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    for minute in range(200):
        exchange.prices = {"BTC/USD": 282_726.0 if minute >= 150 else 56_000.0}
        pipeline.tick()
    (alert,) = pipeline.reader.alerts()

    for span in ("168", "720", "8760"):
        check_marker_on_crossing(alert, drawn_traces(pipeline, span)[price_chart.THRESHOLD])
