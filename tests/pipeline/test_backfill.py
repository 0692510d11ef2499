from datetime import datetime, timedelta
from itertools import pairwise
from threading import Event

import numpy as np
import pytest

from services.market.errors import BadPayload, Unavailable
from services.market.stats.metric_stats import Windows
from services.market.status import BackfillState
from services.pipeline import backfill as backfills
from services.pipeline.backfill import Backfill, Backfills, plan_tasks
from services.pipeline.seal import seal
from services.store.database.engine import Engine, writing
from services.store.history import backfills as records
from tests.builders import NOON
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.world import World

DAY = 1440


def price_at(pair: str, second: int) -> float:
    """A made-up price that tells its own time."""
    return (100.0 if pair == "BTC/USD" else 10.0) * (1 + (second // 60 % 997) / 1000)


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, close_at=price_at)


@pytest.fixture
def world(engine: Engine, exchange: FakeExchange) -> World:
    world = World(engine, [exchange])
    world.discover()
    world.tick(minutes=0)
    return world


def fill(world: World, exchange: FakeExchange) -> Backfill:
    backfill = Backfill(world.plan, exchange, FakeClock(world.now + timedelta(seconds=5)))
    backfill.run(Event())
    return backfill


def test_a_new_database_gets_its_day_and_the_statistics_that_go_with_it(world: World, exchange: FakeExchange) -> None:
    fill(world, exchange)

    stored = world.stored("kraken:BTC-USD")
    assert len(stored) == DAY + 5
    assert stored[-1] == (NOON, 100.0)
    assert stored[0] == (NOON - timedelta(minutes=DAY + 4), price_at("BTC/USD", int(stored[0][0].timestamp())))
    row = world.row("kraken:BTC-USD")
    assert row.samples == DAY
    assert row.stdev == pytest.approx(world.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
    ago = int((NOON - timedelta(days=1)).timestamp())
    assert row.change_24h == pytest.approx(100.0 / price_at("BTC/USD", ago) - 1)
    assert [(row.base, row.rank) for row in world.reader.ranking().metrics] == [("BTC", 1), ("ETH", 2)]


def test_the_next_tick_carries_on_from_what_was_filled_in(world: World, exchange: FakeExchange) -> None:
    fill(world, exchange)
    for _ in range(3):
        world.tick()
        for key in ("kraken:BTC-USD", "kraken:ETH-USD"):
            assert world.row(key).stdev == pytest.approx(world.two_pass_stdev(key), rel=1e-9)
            assert world.row(key).samples == DAY


def test_the_most_recent_gaps_of_all_metrics_come_before_older_ones_of_any(
    world: World, exchange: FakeExchange
) -> None:
    fill(world, exchange)

    asked = [(pair, page.until > NOON - timedelta(hours=1)) for pair, page in exchange.asked]
    assert asked == [("BTC/USD", True), ("ETH/USD", True), ("BTC/USD", False), ("ETH/USD", False)]


def test_only_what_is_missing_is_asked_for(world: World, exchange: FakeExchange) -> None:
    fill(world, exchange)
    for _ in range(5):
        world.tick()
    exchange.asked.clear()
    world.tick(minutes=31)

    fill(world, exchange)

    assert {(pair, page.since, page.until) for pair, page in exchange.asked} == {
        (pair, world.now - timedelta(minutes=31), world.now - timedelta(minutes=1)) for pair in ("BTC/USD", "ETH/USD")
    }
    times = [moment for moment, _ in world.stored("kraken:BTC-USD")]
    assert all(b - a == timedelta(minutes=1) for a, b in pairwise(times))
    assert world.row("kraken:BTC-USD").samples == DAY


def test_a_coarse_candle_counts_with_its_width(world: World, exchange: FakeExchange) -> None:
    exchange.coarse_before = NOON - timedelta(hours=12)
    fill(world, exchange)

    series = world.reader.prices(1, NOON - timedelta(days=1), NOON)
    assert series.widths.tolist() == [300] * 144 + [60] * 720
    row = world.row("kraken:BTC-USD")
    assert row.samples == 144 + 720
    weights = series.widths / series.widths.sum()
    mean = (weights * series.values).sum()
    assert row.stdev == pytest.approx(float(np.sqrt((weights * (series.values - mean) ** 2).sum())), rel=1e-9)


def test_the_price_of_a_tick_that_came_late_gives_way_to_its_candle(engine: Engine, exchange: FakeExchange) -> None:
    world = World(engine, [exchange])
    world.discover()
    world.tick(minutes=0, late_ms=40_000)
    world.tick(minutes=1)
    fill(world, exchange)

    assert world.stored("kraken:BTC-USD")[-2:] == [
        (NOON, price_at("BTC/USD", int(NOON.timestamp()))),
        (NOON + timedelta(minutes=1), 100.0),
    ]
    assert world.row("kraken:BTC-USD").stdev == pytest.approx(world.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)


def test_a_late_price_that_is_sealed_gives_way_to_its_candle_and_counts_once(
    engine: Engine, exchange: FakeExchange
) -> None:
    world = World(engine, [exchange], now=NOON - timedelta(hours=40))
    world.discover()
    began = world.now
    world.tick(minutes=0, late_ms=40_000)
    for _ in range(5):
        world.tick(minutes=2)
    world.tick(minutes=40 * 60)
    assert seal(world.plan, world.now, None, lambda: True).sealed == 12
    world.windows = Windows(main=48 * 3_600, rule=3_600)
    world.restart()
    world.tick()

    fill(world, exchange)

    stored = world.stored("kraken:BTC-USD")
    assert stored[[moment for moment, _ in stored].index(began)] == (
        began,
        price_at("BTC/USD", int(began.timestamp())),
    )
    for _ in range(2):
        row = world.row("kraken:BTC-USD")
        assert row.samples == len(world.stored("kraken:BTC-USD")) == 48 * 60
        assert row.stdev == pytest.approx(world.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
        seal(world.plan, world.now, None, lambda: True)
        world.tick()


def test_a_late_price_stays_where_there_is_no_candle_and_is_not_asked_about_alone(
    engine: Engine, exchange: FakeExchange
) -> None:
    world = World(engine, [exchange])
    world.discover()
    exchange.close_at = lambda pair, second: None if second == int(NOON.timestamp()) else price_at(pair, second)
    world.tick(minutes=0, late_ms=40_000)
    fill(world, exchange)
    assert world.stored("kraken:BTC-USD")[-1] == (NOON, 100.0)

    world.tick(minutes=1, late_ms=40_000)
    exchange.asked.clear()
    fill(world, exchange)
    assert exchange.asked == []


def test_what_an_exchange_does_not_have_is_not_asked_for_again_for_some_hours(
    world: World, exchange: FakeExchange
) -> None:
    gap = int((NOON - timedelta(hours=3)).timestamp())
    exchange.close_at = lambda pair, second: None if abs(second - gap) < 600 else price_at(pair, second)
    fill(world, exchange)
    exchange.asked.clear()

    world.tick(minutes=1)
    fill(world, exchange)
    assert exchange.asked == []

    for _ in range(7):
        world.tick(minutes=60)
        fill(world, exchange)
    exchange.close_at = price_at
    asked_about_the_hole = [page for _, page in exchange.asked if page.since.timestamp() < gap < page.until.timestamp()]
    assert asked_about_the_hole


def test_an_exchange_that_had_nothing_at_all_is_asked_again_sooner(world: World, exchange: FakeExchange) -> None:
    exchange.close_at = lambda _pair, _second: None
    fill(world, exchange)
    first = len(exchange.asked)
    exchange.close_at = price_at
    world.tick(minutes=10)
    fill(world, exchange)
    assert world.row("kraken:BTC-USD").samples < 100

    world.tick(minutes=10)
    fill(world, exchange)
    assert len(exchange.asked) > first
    assert world.row("kraken:BTC-USD").samples == DAY


def test_candles_may_be_late_to_appear(world: World, exchange: FakeExchange) -> None:
    last = int(NOON.timestamp()) + 600
    world.tick(minutes=11)
    exchange.close_at = lambda pair, second: None if second == last else price_at(pair, second)
    fill(world, exchange)
    assert world.now - timedelta(minutes=1) not in [moment for moment, _ in world.stored("kraken:BTC-USD")]

    exchange.close_at = price_at
    fill(world, exchange)
    assert world.now - timedelta(minutes=1) in [moment for moment, _ in world.stored("kraken:BTC-USD")]


def test_progress_is_reported_and_ends(world: World, exchange: FakeExchange) -> None:
    seen = []
    original = exchange.close_at

    def watch(pair: str, second: int) -> float | None:
        if not seen:
            seen.extend(world.reader.status(world.now).backfills)
        return original(pair, second)

    exchange.close_at = watch
    fill(world, exchange)

    assert [(state.market, state.done, state.total, state.running) for state in seen] == [("kraken", 0, 4, True)]
    (state,) = world.reader.status(world.now).backfills
    assert (state.done, state.failed, state.total, state.running) == (4, 0, 4, False)


def test_a_round_with_nothing_to_ask_for_leaves_on_record_what_the_last_one_did(
    world: World, exchange: FakeExchange
) -> None:
    fill(world, exchange).run(Event())

    (state,) = world.reader.status(world.now).backfills
    assert (state.done, state.total) == (4, 4)


def test_what_a_process_that_died_had_left_is_over_when_nothing_is_missing(
    world: World, exchange: FakeExchange
) -> None:
    fill(world, exchange)
    with writing(world.engine) as connection:
        records.record_progress(connection, BackfillState("kraken", 3, 9, 1, world.now))
    fill(world, exchange)

    (state,) = world.reader.status(world.now).backfills
    assert (state.done, state.failed, state.total, state.running) == (3, 1, 4, False)


def test_an_exchange_of_which_nothing_was_ever_missing_has_no_progress(world: World) -> None:
    with writing(world.engine) as connection:
        records.record_progress(connection, BackfillState("kraken", 0, 0, 0, world.now))

    assert world.reader.status(world.now).backfills == ()


def test_one_pair_that_fails_does_not_keep_the_others(world: World, exchange: FakeExchange) -> None:
    exchange.candle_errors = [BadPayload("kraken", "has no pair BTC/USD any more")]
    fill(world, exchange)

    (state,) = world.reader.status(world.now).backfills
    assert (state.done, state.failed, state.total) == (3, 1, 4)
    assert world.row("kraken:ETH-USD").samples == DAY


def test_an_exchange_that_cannot_answer_is_left_alone_and_taken_up_again(
    world: World, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backfills, "RETRY_SECONDS", 0.0)
    exchange.candle_errors = [Unavailable("kraken", "too many requests")] * 5
    backfill = fill(world, exchange)

    assert len(exchange.asked) == 5
    assert [record.message for record in caplog.records] == ["kraken: no candles: too many requests"]
    assert backfill.is_due()
    (state,) = world.reader.status(world.now).backfills
    assert (state.done, state.failed, state.total, state.running) == (0, 0, 4, True)

    backfill.run(Event())
    assert world.row("kraken:BTC-USD").samples == DAY
    assert not backfill.is_due()


def test_rounds_that_get_nothing_out_of_an_exchange_are_logged_once(
    world: World, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backfills, "RETRY_SECONDS", 0.0)
    caplog.set_level("INFO")
    exchange.candle_errors = [Unavailable("kraken", "too many requests")] * 15
    backfill = fill(world, exchange)
    for _ in range(3):
        backfill.run(Event())

    assert [message for message in caplog.messages if "backfill" in message] == [
        "kraken: backfill begins, 4 requests",
        "kraken: backfill interrupted, 0 requests done, 0 failed",
        "kraken: backfill complete, 4 requests done, 0 failed",
    ]


def test_a_round_is_due_when_more_is_missing_than_when_the_last_one_ended(world: World, exchange: FakeExchange) -> None:
    backfill = fill(world, exchange)
    assert not backfill.is_due()
    world.tick(minutes=1)
    assert not backfill.is_due()
    world.tick(minutes=6)
    assert backfill.is_due()


def test_a_round_stops_on_request_and_stores_what_it_has(world: World, exchange: FakeExchange) -> None:
    stop = Event()

    def close_at(pair: str, second: int) -> float:
        stop.set()
        return price_at(pair, second)

    exchange.close_at = close_at
    Backfill(world.plan, exchange, FakeClock(world.now)).run(stop)

    assert len(exchange.asked) == 1
    assert world.row("kraken:BTC-USD").samples > 900
    assert world.row("kraken:ETH-USD").samples == 1


def test_nothing_is_asked_about_inactive_metrics(world: World, exchange: FakeExchange) -> None:
    exchange.listed = {"BTC/USD": True, "ETH/USD": False}
    world.discover("kraken:BTC/USD,kraken:ETH/USD")

    assert {task.metric.base for task in plan_tasks(world.plan, exchange, world.now)} == {"BTC"}


def test_a_new_pair_gets_its_day_and_its_rank(world: World, exchange: FakeExchange) -> None:
    backfill = fill(world, exchange)
    exchange.prices["SOL/USD"] = 100.0
    exchange.asked.clear()
    world.discover()
    world.tick()
    assert (world.row("kraken:SOL-USD").samples, world.row("kraken:SOL-USD").new_at) == (1, NOON)
    assert backfill.is_due()

    backfill.run(Event())

    assert {pair for pair, _ in exchange.asked} == {"SOL/USD"}
    row = world.row("kraken:SOL-USD")
    assert row.samples == DAY
    assert row.stdev == pytest.approx(world.two_pass_stdev("kraken:SOL-USD"), rel=1e-9)
    assert row.rank == 2


def test_a_pair_that_comes_while_a_round_goes_on_need_not_wait_for_the_next_one(
    world: World, exchange: FakeExchange
) -> None:
    def close_at(pair: str, second: int) -> float:
        if "SOL/USD" not in exchange.prices:
            exchange.prices["SOL/USD"] = 100.0
            world.discover()
        return price_at(pair, second)

    exchange.close_at = close_at
    backfill = fill(world, exchange)

    assert {pair for pair, _ in exchange.asked} == {"BTC/USD", "ETH/USD", "SOL/USD"}
    assert len(world.stored("kraken:SOL-USD")) == DAY + 5
    world.tick()
    assert not backfill.is_due()


def test_the_hole_of_a_pair_that_trades_again_is_filled(world: World, exchange: FakeExchange) -> None:
    backfill = fill(world, exchange)
    exchange.listed = {"BTC/USD": True, "ETH/USD": False}
    world.discover("kraken:*/USD")
    for _ in range(20):
        world.tick()
        assert not backfill.is_due()
    assert world.row("kraken:ETH-USD").samples == DAY - 20
    exchange.asked.clear()

    exchange.listed = None
    world.discover("kraken:*/USD")
    assert backfill.is_due()
    backfill.run(Event())
    world.tick()

    assert {pair for pair, _ in exchange.asked} == {"ETH/USD"}
    assert world.row("kraken:ETH-USD").samples == DAY
    assert world.row("kraken:ETH-USD").stdev == pytest.approx(world.two_pass_stdev("kraken:ETH-USD"), rel=1e-9)


def test_nothing_is_asked_about_a_frozen_metric_until_it_has_a_price_again(
    world: World, exchange: FakeExchange
) -> None:
    backfill = fill(world, exchange)
    exchange.listed = {"BTC/USD": True, "ETH/USD": True}
    del exchange.prices["ETH/USD"]
    for _ in range(30):
        world.tick()
    assert {task.metric.base for task in plan_tasks(world.plan, exchange, world.now)} == set()
    assert not backfill.is_due()

    exchange.prices["ETH/USD"] = 10.0
    world.tick()
    assert backfill.is_due()
    backfill.run(Event())

    assert world.row("kraken:ETH-USD").samples == DAY
    assert [(row.base, row.rank) for row in world.reader.ranking().metrics] == [("BTC", 1), ("ETH", 2)]


def test_a_backfill_gives_a_frozen_metric_no_rank(world: World, exchange: FakeExchange) -> None:
    exchange.listed = {"BTC/USD": True, "ETH/USD": True}
    del exchange.prices["BTC/USD"]
    for _ in range(10):
        world.tick()

    fill(world, exchange)

    assert [(row.base, row.rank, row.reason) for row in world.reader.ranking().metrics] == [
        ("ETH", 1, None),
        ("BTC", None, "frozen"),
    ]


def test_before_the_first_tick_history_is_stored_and_the_tick_makes_the_statistics(
    engine: Engine, exchange: FakeExchange
) -> None:
    world = World(engine, [exchange])
    world.discover()
    fill(world, exchange)
    assert world.row("kraken:BTC-USD").samples == 0

    world.tick()
    assert world.row("kraken:BTC-USD").samples == DAY
    assert world.row("kraken:BTC-USD").stdev == pytest.approx(world.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)


def test_exchanges_are_filled_side_by_side_and_an_accident_in_one_is_written_down(
    world: World, exchange: FakeExchange, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeExchange):
        def pages(self, since: datetime, until: datetime, now: datetime):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError

    broken = Broken("broken", {"BTC/USD": 1.0})
    world.exchanges = [exchange, broken]
    world.restart()
    world.discover()
    world.tick()
    all_of_them = Backfills(world.plan, [broken, exchange], FakeClock(world.now + timedelta(seconds=5)))
    all_of_them.run()
    all_of_them.close()

    assert "broken: backfill: broke off" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_much_that_is_found_at_once_is_written_in_parts(
    world: World, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commits() -> int:
        before = world.reader.revision()
        fill(world, exchange)
        return world.reader.revision() - before

    monkeypatch.setattr(backfills, "FLUSH_SAMPLES", 500)
    assert commits() == 2 + 3  # at the beginning and the end, and for three of four pages
    assert world.row("kraken:ETH-USD").samples == DAY


def test_metrics_that_lack_nothing_are_not_looked_into(
    world: World, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world, exchange)
    exchange.prices["SOL/USD"] = 5.0
    world.discover()
    world.tick()
    looked_at: list[int] = []
    history = backfills.prices.read_history

    def watched(connection, statistics, rows, *span):  # type: ignore[no-untyped-def]
        looked_at.extend(statistics["id"][rows].tolist())
        return history(connection, statistics, rows, *span)

    monkeypatch.setattr(backfills.prices, "read_history", watched)
    assert {task.metric.base for task in plan_tasks(world.plan, exchange, world.now)} == {"SOL"}
    assert looked_at == [3]
