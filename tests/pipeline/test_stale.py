"""An exchange falls silent: its prices are stale, their changes stay what they were, and nothing fires from them."""

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
from tests.pipeline.world import World

SILENT = "kraken:BTC-USD"
GONE = Unavailable("kraken", "gone")


@pytest.fixture
def kraken() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0})


@pytest.fixture
def gemini() -> FakeExchange:
    return FakeExchange("gemini", {"BTC/USD": 100.0})


@pytest.fixture
def world(engine: Engine, kraken: FakeExchange, gemini: FakeExchange) -> World:
    world = World(engine, [kraken, gemini])
    world.discover()
    return world


def wander(world: World, ticks: int, minutes: float = 1, seed: int = 5) -> None:
    """Prices that never stand still, where they come."""
    chance = Random(seed)
    for _ in range(ticks):
        for exchange in world.exchanges:
            exchange.prices["BTC/USD"] *= 1 + chance.uniform(-0.01, 0.01)
        world.tick(minutes)


def changes(row: RankedMetric) -> tuple[float | None, float | None]:
    return row.change_1h, row.change_24h


def test_a_price_is_stale_when_it_is_older_than_two_periods(world: World, kraken: FakeExchange) -> None:
    world.tick()
    priced_at = world.now
    assert [row.stale for row in world.reader.ranking().metrics] == [False, False]
    kraken.error = GONE
    for minutes, stale in ((1, False), (2, False), (3, True), (4, True)):
        world.tick()
        row, status = world.row(SILENT), world.reader.status(world.now)
        assert (row.stale, row.updated_at, row.price) == (stale, priced_at, 100.0), minutes
        assert not world.row("gemini:BTC-USD").stale
        assert (status.live, status.stale_metrics) == ((1, 1) if stale else (2, 0))
    kraken.error = None
    world.tick()
    assert (world.row(SILENT).stale, world.row(SILENT).updated_at) == (False, world.now)


def test_a_metric_that_never_had_a_price_is_stale(world: World, kraken: FakeExchange) -> None:
    assert [row.stale for row in world.reader.ranking().metrics] == [True, True]
    del kraken.prices["BTC/USD"]
    world.tick()
    assert [(row.market, row.stale) for row in world.reader.ranking().metrics] == [("gemini", False), ("kraken", True)]


def test_a_metric_that_does_not_trade_is_neither_live_nor_among_the_stale_ones(
    world: World, kraken: FakeExchange
) -> None:
    world.tick()
    kraken.listed = {"BTC/USD": False}
    world.discover()
    for _ in range(4):
        world.tick()
    status = world.reader.status(world.now)
    assert (status.tracked, status.trading, status.live, status.stale_metrics) == (2, 1, 1, 0)
    assert world.row(SILENT).stale


def test_the_changes_of_a_stale_price_stay_what_they_were_however_long_it_lasts(
    world: World, kraken: FakeExchange
) -> None:
    """Through what computes statistics anew as well: a restart, other windows, a backfill of the other exchange."""
    wander(world, 24 * 6 + 12, minutes=10)
    frozen = changes(world.row(SILENT))
    assert None not in frozen
    kraken.error = GONE
    for hours in (0.1, 0.5, 1, 2, 9, 20, 30, 80):
        wander(world, 2, minutes=hours * 30)
        assert changes(world.row(SILENT)) == frozen, hours
        assert changes(world.row("gemini:BTC-USD")) != frozen
        world.restart()
    world.windows = Windows(main=2 * 86_400, rule=600)
    world.restart()
    wander(world, 1)
    assert changes(world.row(SILENT)) == frozen


def test_when_prices_come_again_changes_are_counted_from_what_was_an_hour_before_them(
    world: World, kraken: FakeExchange
) -> None:
    for price in range(100, 170):
        kraken.prices["BTC/USD"] = float(price)
        world.tick()
    kraken.error = GONE
    for _ in range(40):
        world.tick()
    kraken.error, kraken.prices["BTC/USD"] = None, 180.0
    world.tick()
    assert world.row(SILENT).change_1h == pytest.approx(180 / 150 - 1, rel=1e-12)


def test_what_a_backfill_finds_of_the_time_before_the_last_price_is_what_its_change_is_counted_from(
    world: World, kraken: FakeExchange
) -> None:
    world.tick(minutes=120)
    priced_at = int(world.now.timestamp())
    kraken.error = GONE
    for _ in range(30):
        world.tick()
    assert changes(world.row(SILENT)) == (None, None)
    kraken.error = None
    kraken.close_at = lambda _pair, second: 80.0 if second <= priced_at - 3_600 else None
    Backfill(world.plan, kraken, FakeClock(world.now + timedelta(seconds=5))).run(Event())
    assert world.row(SILENT).change_1h == pytest.approx(100 / 80 - 1, rel=1e-12)


MOVES: list[dict[str, Any]] = [
    {"quantity": "price", "condition": {"kind": "change", "direction": "either", "percent": 1, "window_seconds": 300}},
    {"quantity": "price", "condition": {"kind": "level", "direction": "either", "level": 150.0}},
    {"quantity": "price", "condition": {"kind": "average", "direction": "above", "factor": 1.1, "window_seconds": 300}},
    {"quantity": "stdev", "condition": {"kind": "change", "direction": "either", "percent": 1, "window_seconds": 300}},
    {"quantity": "volatility", "condition": {"kind": "average", "factor": 1.01, "window_seconds": 300}},
    {"quantity": "rank", "condition": {"kind": "top", "places": 1}},
]


@pytest.mark.parametrize("quantity", range(len(MOVES)))
def test_no_rule_fires_from_a_stale_price_while_the_world_around_it_moves(
    world: World, kraken: FakeExchange, gemini: FakeExchange, quantity: int
) -> None:
    """The last price is twice those before it: were it taken for one of the present, each rule would fire. That of the
    other exchange makes the same leap, and it fires there."""
    given = {"name": "moves", "scope": ["kraken:*/*", "gemini:*/*"], "cooldown_seconds": 0} | MOVES[quantity]
    world.windows = Windows(main=1_800, rule=600)
    world.restart()
    for _ in range(10):
        wander(world, 2)
    kraken.prices["BTC/USD"] = 200.0
    world.tick()
    kraken.error = GONE
    world.tick()
    with writing(world.engine) as connection:
        rules.add(connection, parse_rule(given))
    wander(world, 40)
    gemini.prices["BTC/USD"] = 400.0
    world.tick()
    assert {alert.market for alert in world.reader.alerts() if alert.rule_id} == {"gemini"}


def test_coverage_grows_with_the_window_and_a_gap_is_missing_until_it_is_filled(
    world: World, kraken: FakeExchange
) -> None:
    world.windows = Windows(main=3_600, rule=600)
    world.restart()
    for _ in range(15):
        world.tick()
    assert world.row(SILENT).coverage == 0.25
    kraken.error = GONE
    for _ in range(15):
        world.tick()
    assert (world.row(SILENT).coverage, world.row("gemini:BTC-USD").coverage) == (0.25, 0.5)
    kraken.error = None
    kraken.close_at = lambda _pair, _second: 90.0
    Backfill(world.plan, kraken, FakeClock(world.now + timedelta(seconds=5))).run(Event())
    assert world.row(SILENT).coverage == 1.0
    world.tick(minutes=45)
    assert world.row(SILENT).coverage == pytest.approx(16 / 60, rel=1e-12)
