"""When an exchange stops reporting prices, they become stale, keep their changes, and fire nothing."""

from datetime import timedelta
from random import Random
from threading import Event
from typing import Any

import pytest

from services.market.alerting.rule_json import parse_rule
from services.market.errors import Unavailable
from services.market.ranking import RankedMetric
from services.market.stats.metric_stats import Windows
from services.pipeline.backfill import Backfill
from services.store.alerting import rules
from services.store.database.engine import Engine, writing
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness

SILENT = "kraken:BTC-USD"
GONE = Unavailable("kraken", "gone")


@pytest.fixture
def kraken() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0})


@pytest.fixture
def gemini() -> FakeExchange:
    return FakeExchange("gemini", {"BTC/USD": 100.0})


@pytest.fixture
def pipeline(engine: Engine, kraken: FakeExchange, gemini: FakeExchange) -> PipelineHarness:
    pipeline = PipelineHarness(engine, [kraken, gemini])
    pipeline.discover()
    return pipeline


def wander(pipeline: PipelineHarness, ticks: int, minutes: float = 1, seed: int = 5) -> None:
    """Tick with prices that always move."""
    chance = Random(seed)
    for _ in range(ticks):
        for exchange in pipeline.exchanges:
            exchange.prices["BTC/USD"] *= 1 + chance.uniform(-0.01, 0.01)
        pipeline.tick(minutes)


def changes(row: RankedMetric) -> tuple[float | None, float | None]:
    return row.change_1h, row.change_24h


def test_a_price_is_stale_when_it_is_older_than_two_periods(pipeline: PipelineHarness, kraken: FakeExchange) -> None:
    pipeline.tick()
    priced_at = pipeline.now
    assert [row.stale for row in pipeline.reader.ranking().metrics] == [False, False]
    kraken.error = GONE
    for minutes, stale in ((1, False), (2, False), (3, True), (4, True)):
        pipeline.tick()
        row, status = pipeline.row(SILENT), pipeline.reader.status(pipeline.now)
        assert (row.stale, row.updated_at, row.price) == (stale, priced_at, 100.0), minutes
        assert not pipeline.row("gemini:BTC-USD").stale
        assert (status.live, status.stale_metrics) == ((1, 1) if stale else (2, 0))
    kraken.error = None
    pipeline.tick()
    assert (pipeline.row(SILENT).stale, pipeline.row(SILENT).updated_at) == (False, pipeline.now)


def test_a_metric_that_never_had_a_price_is_stale(pipeline: PipelineHarness, kraken: FakeExchange) -> None:
    assert [row.stale for row in pipeline.reader.ranking().metrics] == [True, True]
    del kraken.prices["BTC/USD"]
    pipeline.tick()
    assert [(row.market, row.stale) for row in pipeline.reader.ranking().metrics] == [
        ("gemini", False),
        ("kraken", True),
    ]


def test_a_halted_metric_counts_neither_as_live_nor_as_stale(pipeline: PipelineHarness, kraken: FakeExchange) -> None:
    pipeline.tick()
    kraken.listed = {"BTC/USD": False}
    pipeline.discover()
    for _ in range(4):
        pipeline.tick()
    status = pipeline.reader.status(pipeline.now)
    assert (status.tracked, status.trading, status.live, status.stale_metrics) == (2, 1, 1, 0)
    assert pipeline.row(SILENT).stale


def test_the_changes_of_a_stale_price_keep_their_values(pipeline: PipelineHarness, kraken: FakeExchange) -> None:
    """Also when statistics are recomputed: after a restart, a change of windows, a backfill of the other exchange."""
    wander(pipeline, 24 * 6 + 12, minutes=10)
    frozen = changes(pipeline.row(SILENT))
    assert None not in frozen
    kraken.error = GONE
    for hours in (0.1, 0.5, 1, 2, 9, 20, 30, 80):
        wander(pipeline, 2, minutes=hours * 30)
        assert changes(pipeline.row(SILENT)) == frozen, hours
        assert changes(pipeline.row("gemini:BTC-USD")) != frozen
        pipeline.restart()
    pipeline.windows = Windows(main=2 * 86_400, rule=600)
    pipeline.restart()
    wander(pipeline, 1)
    assert changes(pipeline.row(SILENT)) == frozen


def test_changes_after_an_outage_are_counted_from_the_price_an_hour_earlier(
    pipeline: PipelineHarness, kraken: FakeExchange
) -> None:
    for price in range(100, 170):
        kraken.prices["BTC/USD"] = float(price)
        pipeline.tick()
    kraken.error = GONE
    for _ in range(40):
        pipeline.tick()
    kraken.error, kraken.prices["BTC/USD"] = None, 180.0
    pipeline.tick()
    assert pipeline.row(SILENT).change_1h == pytest.approx(180 / 150 - 1, rel=1e-12)


def test_the_change_of_a_stale_price_uses_backfilled_prices_before_it(
    pipeline: PipelineHarness, kraken: FakeExchange
) -> None:
    pipeline.tick(minutes=120)
    priced_at = int(pipeline.now.timestamp())
    kraken.error = GONE
    for _ in range(30):
        pipeline.tick()
    assert changes(pipeline.row(SILENT)) == (None, None)
    kraken.error = None
    kraken.close_at = lambda _pair, second: 80.0 if second <= priced_at - 3_600 else None
    Backfill(pipeline.plan, kraken, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    assert pipeline.row(SILENT).change_1h == pytest.approx(100 / 80 - 1, rel=1e-12)


MOVES: list[dict[str, Any]] = [
    {"quantity": "price", "condition": {"kind": "change", "direction": "either", "percent": 1, "window_seconds": 300}},
    {"quantity": "price", "condition": {"kind": "level", "direction": "either", "level": 150.0}},
    {"quantity": "price", "condition": {"kind": "average", "direction": "above", "factor": 1.1, "window_seconds": 300}},
    {"quantity": "stdev", "condition": {"kind": "change", "direction": "either", "percent": 1, "window_seconds": 300}},
    {"quantity": "volatility", "condition": {"kind": "average", "factor": 1.01, "window_seconds": 300}},
    {"quantity": "rank", "condition": {"kind": "top", "places": 1}},
]


@pytest.mark.parametrize("quantity", range(len(MOVES)))
def test_no_rule_fires_from_a_stale_price_while_other_prices_move(
    pipeline: PipelineHarness, kraken: FakeExchange, gemini: FakeExchange, quantity: int
) -> None:
    """The last price is twice the earlier ones, so each rule would fire if it counted as current. The other exchange's
    price makes the same jump and does fire.
    """
    given = {"name": "moves", "scope": ["kraken:*/*", "gemini:*/*"], "cooldown_seconds": 0} | MOVES[quantity]
    pipeline.windows = Windows(main=1_800, rule=600)
    pipeline.restart()
    for _ in range(10):
        wander(pipeline, 2)
    kraken.prices["BTC/USD"] = 200.0
    pipeline.tick()
    kraken.error = GONE
    pipeline.tick()
    with writing(pipeline.engine) as connection:
        rules.add(connection, parse_rule(given))
    wander(pipeline, 40)
    gemini.prices["BTC/USD"] = 400.0
    pipeline.tick()
    assert {alert.market for alert in pipeline.reader.alerts() if alert.rule_id} == {"gemini"}


def test_coverage_grows_to_the_full_window_and_lacks_a_gap_until_it_is_filled(
    pipeline: PipelineHarness, kraken: FakeExchange
) -> None:
    pipeline.windows = Windows(main=3_600, rule=600)
    pipeline.restart()
    for _ in range(15):
        pipeline.tick()
    assert pipeline.row(SILENT).coverage == 0.25
    kraken.error = GONE
    for _ in range(15):
        pipeline.tick()
    assert (pipeline.row(SILENT).coverage, pipeline.row("gemini:BTC-USD").coverage) == (0.25, 0.5)
    kraken.error = None
    kraken.close_at = lambda _pair, _second: 90.0
    Backfill(pipeline.plan, kraken, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    assert pipeline.row(SILENT).coverage == 1.0
    pipeline.tick(minutes=45)
    assert pipeline.row(SILENT).coverage == pytest.approx(16 / 60, rel=1e-12)
