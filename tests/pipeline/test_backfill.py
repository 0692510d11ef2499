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
from tests.pipeline.harness import PipelineHarness

DAY = 1440


def price_at(pair: str, second: int) -> float:
    """A made-up price that encodes its pair and time."""
    return (100.0 if pair == "BTC/USD" else 10.0) * (1 + (second // 60 % 997) / 1000)


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, close_at=price_at)


@pytest.fixture
def pipeline(engine: Engine, exchange: FakeExchange) -> PipelineHarness:
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick(minutes=0)
    return pipeline


def fill(pipeline: PipelineHarness, exchange: FakeExchange) -> Backfill:
    backfill = Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5)))
    backfill.run(Event())
    return backfill


def test_a_new_database_gets_a_day_of_history_and_its_statistics(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    fill(pipeline, exchange)

    stored = pipeline.stored("kraken:BTC-USD")
    assert len(stored) == DAY + 5
    assert stored[-1] == (NOON, 100.0)
    assert stored[0] == (NOON - timedelta(minutes=DAY + 4), price_at("BTC/USD", int(stored[0][0].timestamp())))
    row = pipeline.row("kraken:BTC-USD")
    assert row.samples == DAY
    assert row.stdev == pytest.approx(pipeline.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
    ago = int((NOON - timedelta(days=1)).timestamp())
    assert row.change_24h == pytest.approx(100.0 / price_at("BTC/USD", ago) - 1)
    assert [(row.base, row.rank) for row in pipeline.reader.ranking().metrics] == [("BTC", 1), ("ETH", 2)]


def test_the_next_tick_continues_from_backfilled_statistics(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    fill(pipeline, exchange)
    for _ in range(3):
        pipeline.tick()
        for key in ("kraken:BTC-USD", "kraken:ETH-USD"):
            assert pipeline.row(key).stdev == pytest.approx(pipeline.two_pass_stdev(key), rel=1e-9)
            assert pipeline.row(key).samples == DAY


def test_recent_gaps_of_all_metrics_are_filled_before_older_gaps(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    fill(pipeline, exchange)

    asked = [(pair, page.until > NOON - timedelta(hours=1)) for pair, page in exchange.asked]
    assert asked == [("BTC/USD", True), ("ETH/USD", True), ("BTC/USD", False), ("ETH/USD", False)]


def test_only_gaps_are_requested(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    fill(pipeline, exchange)
    for _ in range(5):
        pipeline.tick()
    exchange.asked.clear()
    pipeline.tick(minutes=31)

    fill(pipeline, exchange)

    assert {(pair, page.since, page.until) for pair, page in exchange.asked} == {
        (pair, pipeline.now - timedelta(minutes=31), pipeline.now - timedelta(minutes=1))
        for pair in ("BTC/USD", "ETH/USD")
    }
    times = [moment for moment, _ in pipeline.stored("kraken:BTC-USD")]
    assert all(b - a == timedelta(minutes=1) for a, b in pairwise(times))
    assert pipeline.row("kraken:BTC-USD").samples == DAY


def test_a_coarse_candle_is_weighted_by_its_width(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    exchange.coarse_before = NOON - timedelta(hours=12)
    fill(pipeline, exchange)

    series = pipeline.reader.prices(1, NOON - timedelta(days=1), NOON)
    assert series.widths.tolist() == [300] * 144 + [60] * 720
    row = pipeline.row("kraken:BTC-USD")
    assert row.samples == 144 + 720
    weights = series.widths / series.widths.sum()
    mean = (weights * series.values).sum()
    assert row.stdev == pytest.approx(float(np.sqrt((weights * (series.values - mean) ** 2).sum())), rel=1e-9)


def test_the_price_of_a_late_tick_is_replaced_by_its_candle(engine: Engine, exchange: FakeExchange) -> None:
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick(minutes=0, late_ms=40_000)
    pipeline.tick(minutes=1)
    fill(pipeline, exchange)

    assert pipeline.stored("kraken:BTC-USD")[-2:] == [
        (NOON, price_at("BTC/USD", int(NOON.timestamp()))),
        (NOON + timedelta(minutes=1), 100.0),
    ]
    assert pipeline.row("kraken:BTC-USD").stdev == pytest.approx(pipeline.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)


def test_a_sealed_late_price_is_replaced_by_its_candle_and_counts_once(engine: Engine, exchange: FakeExchange) -> None:
    pipeline = PipelineHarness(engine, [exchange], now=NOON - timedelta(hours=40))
    pipeline.discover()
    began = pipeline.now
    pipeline.tick(minutes=0, late_ms=40_000)
    for _ in range(5):
        pipeline.tick(minutes=2)
    pipeline.tick(minutes=40 * 60)
    assert seal(pipeline.plan, pipeline.now, None, lambda: True).sealed == 12
    pipeline.windows = Windows(main=48 * 3_600, rule=3_600)
    pipeline.restart()
    pipeline.tick()

    fill(pipeline, exchange)

    stored = pipeline.stored("kraken:BTC-USD")
    assert stored[[moment for moment, _ in stored].index(began)] == (
        began,
        price_at("BTC/USD", int(began.timestamp())),
    )
    for _ in range(2):
        row = pipeline.row("kraken:BTC-USD")
        assert row.samples == len(pipeline.stored("kraken:BTC-USD")) == 48 * 60
        assert row.stdev == pytest.approx(pipeline.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
        seal(pipeline.plan, pipeline.now, None, lambda: True)
        pipeline.tick()


def test_a_late_price_without_a_candle_stays_and_causes_no_request_of_its_own(
    engine: Engine, exchange: FakeExchange
) -> None:
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    exchange.close_at = lambda pair, second: None if second == int(NOON.timestamp()) else price_at(pair, second)
    pipeline.tick(minutes=0, late_ms=40_000)
    fill(pipeline, exchange)
    assert pipeline.stored("kraken:BTC-USD")[-1] == (NOON, 100.0)

    pipeline.tick(minutes=1, late_ms=40_000)
    exchange.asked.clear()
    fill(pipeline, exchange)
    assert exchange.asked == []


def test_candles_that_an_exchange_lacks_are_not_requested_again_for_hours(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    gap = int((NOON - timedelta(hours=3)).timestamp())
    exchange.close_at = lambda pair, second: None if abs(second - gap) < 600 else price_at(pair, second)
    fill(pipeline, exchange)
    exchange.asked.clear()

    pipeline.tick(minutes=1)
    fill(pipeline, exchange)
    assert exchange.asked == []

    for _ in range(7):
        pipeline.tick(minutes=60)
        fill(pipeline, exchange)
    exchange.close_at = price_at
    asked_about_the_hole = [page for _, page in exchange.asked if page.since.timestamp() < gap < page.until.timestamp()]
    assert asked_about_the_hole


def test_an_exchange_that_returned_no_candles_is_asked_again_sooner(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    exchange.close_at = lambda _pair, _second: None
    fill(pipeline, exchange)
    first = len(exchange.asked)
    exchange.close_at = price_at
    pipeline.tick(minutes=10)
    fill(pipeline, exchange)
    assert pipeline.row("kraken:BTC-USD").samples < 100

    pipeline.tick(minutes=10)
    fill(pipeline, exchange)
    assert len(exchange.asked) > first
    assert pipeline.row("kraken:BTC-USD").samples == DAY


def test_candles_that_appear_late_are_stored(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    last = int(NOON.timestamp()) + 600
    pipeline.tick(minutes=11)
    exchange.close_at = lambda pair, second: None if second == last else price_at(pair, second)
    fill(pipeline, exchange)
    assert pipeline.now - timedelta(minutes=1) not in [moment for moment, _ in pipeline.stored("kraken:BTC-USD")]

    exchange.close_at = price_at
    fill(pipeline, exchange)
    assert pipeline.now - timedelta(minutes=1) in [moment for moment, _ in pipeline.stored("kraken:BTC-USD")]


def test_progress_is_reported_until_the_round_ends(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    seen = []
    original = exchange.close_at

    def watch(pair: str, second: int) -> float | None:
        if not seen:
            seen.extend(pipeline.reader.status(pipeline.now).backfills)
        return original(pair, second)

    exchange.close_at = watch
    fill(pipeline, exchange)

    assert [(state.market, state.done, state.total, state.running) for state in seen] == [("kraken", 0, 4, True)]
    (state,) = pipeline.reader.status(pipeline.now).backfills
    assert (state.done, state.failed, state.total, state.running) == (4, 0, 4, False)


def test_a_round_without_gaps_keeps_the_stored_progress_of_the_previous_one(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    fill(pipeline, exchange).run(Event())

    (state,) = pipeline.reader.status(pipeline.now).backfills
    assert (state.done, state.total) == (4, 4)


def test_unfinished_progress_of_a_dead_process_ends_when_no_gap_is_left(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    fill(pipeline, exchange)
    with writing(pipeline.engine) as connection:
        records.record_progress(connection, BackfillState("kraken", 3, 9, 1, pipeline.now))
    fill(pipeline, exchange)

    (state,) = pipeline.reader.status(pipeline.now).backfills
    assert (state.done, state.failed, state.total, state.running) == (3, 1, 4, False)


def test_an_exchange_without_gaps_has_no_progress(pipeline: PipelineHarness) -> None:
    with writing(pipeline.engine) as connection:
        records.record_progress(connection, BackfillState("kraken", 0, 0, 0, pipeline.now))

    assert pipeline.reader.status(pipeline.now).backfills == ()


def test_a_failing_pair_does_not_stop_the_others(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    exchange.candle_errors = [BadPayload("kraken", "has no pair BTC/USD any more")]
    fill(pipeline, exchange)

    (state,) = pipeline.reader.status(pipeline.now).backfills
    assert (state.done, state.failed, state.total) == (3, 1, 4)
    assert pipeline.row("kraken:ETH-USD").samples == DAY


def test_a_failing_exchange_is_skipped_and_retried_in_a_later_round(
    pipeline: PipelineHarness, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backfills, "RETRY_SECONDS", 0.0)
    exchange.candle_errors = [Unavailable("kraken", "too many requests")] * 5
    backfill = fill(pipeline, exchange)

    assert len(exchange.asked) == 5
    assert [record.message for record in caplog.records] == ["kraken: no candles: too many requests"]
    assert backfill.is_due()
    (state,) = pipeline.reader.status(pipeline.now).backfills
    assert (state.done, state.failed, state.total, state.running) == (0, 0, 4, True)

    backfill.run(Event())
    assert pipeline.row("kraken:BTC-USD").samples == DAY
    assert not backfill.is_due()


def test_repeated_failures_of_an_exchange_are_logged_once(
    pipeline: PipelineHarness, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backfills, "RETRY_SECONDS", 0.0)
    caplog.set_level("INFO")
    exchange.candle_errors = [Unavailable("kraken", "too many requests")] * 15
    backfill = fill(pipeline, exchange)
    for _ in range(3):
        backfill.run(Event())

    assert [message for message in caplog.messages if "backfill" in message] == [
        "kraken: backfill begins, 4 requests",
        "kraken: backfill interrupted, 0 requests done, 0 failed",
        "kraken: backfill complete, 4 requests done, 0 failed",
    ]


def test_a_round_is_due_when_gaps_have_grown_since_the_last_one(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    backfill = fill(pipeline, exchange)
    assert not backfill.is_due()
    pipeline.tick(minutes=1)
    assert not backfill.is_due()
    pipeline.tick(minutes=6)
    assert backfill.is_due()


def test_a_round_stops_on_request_and_stores_its_candles(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    stop = Event()

    def close_at(pair: str, second: int) -> float:
        stop.set()
        return price_at(pair, second)

    exchange.close_at = close_at
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now)).run(stop)

    assert len(exchange.asked) == 1
    assert pipeline.row("kraken:BTC-USD").samples > 900
    assert pipeline.row("kraken:ETH-USD").samples == 1


def test_inactive_metrics_are_not_backfilled(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    exchange.listed = {"BTC/USD": True, "ETH/USD": False}
    pipeline.discover("kraken:BTC/USD,kraken:ETH/USD")

    assert {task.metric.base for task in plan_tasks(pipeline.plan, exchange, pipeline.now)} == {"BTC"}


def test_a_new_pair_gets_a_day_of_history_and_a_rank(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    backfill = fill(pipeline, exchange)
    exchange.prices["SOL/USD"] = 100.0
    exchange.asked.clear()
    pipeline.discover()
    pipeline.tick()
    assert (pipeline.row("kraken:SOL-USD").samples, pipeline.row("kraken:SOL-USD").new_at) == (1, NOON)
    assert backfill.is_due()

    backfill.run(Event())

    assert {pair for pair, _ in exchange.asked} == {"SOL/USD"}
    row = pipeline.row("kraken:SOL-USD")
    assert row.samples == DAY
    assert row.stdev == pytest.approx(pipeline.two_pass_stdev("kraken:SOL-USD"), rel=1e-9)
    assert row.rank == 2


def test_a_pair_discovered_during_a_round_is_filled_in_that_round(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    def close_at(pair: str, second: int) -> float:
        if "SOL/USD" not in exchange.prices:
            exchange.prices["SOL/USD"] = 100.0
            pipeline.discover()
        return price_at(pair, second)

    exchange.close_at = close_at
    backfill = fill(pipeline, exchange)

    assert {pair for pair, _ in exchange.asked} == {"BTC/USD", "ETH/USD", "SOL/USD"}
    assert len(pipeline.stored("kraken:SOL-USD")) == DAY + 5
    pipeline.tick()
    assert not backfill.is_due()


def test_the_gap_of_a_pair_that_trades_again_is_filled(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    backfill = fill(pipeline, exchange)
    exchange.listed = {"BTC/USD": True, "ETH/USD": False}
    pipeline.discover("kraken:*/USD")
    for _ in range(20):
        pipeline.tick()
        assert not backfill.is_due()
    assert pipeline.row("kraken:ETH-USD").samples == DAY - 20
    exchange.asked.clear()

    exchange.listed = None
    pipeline.discover("kraken:*/USD")
    assert backfill.is_due()
    backfill.run(Event())
    pipeline.tick()

    assert {pair for pair, _ in exchange.asked} == {"ETH/USD"}
    assert pipeline.row("kraken:ETH-USD").samples == DAY
    assert pipeline.row("kraken:ETH-USD").stdev == pytest.approx(pipeline.two_pass_stdev("kraken:ETH-USD"), rel=1e-9)


def test_a_frozen_metric_is_not_backfilled_until_it_has_a_price_again(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    backfill = fill(pipeline, exchange)
    exchange.listed = {"BTC/USD": True, "ETH/USD": True}
    del exchange.prices["ETH/USD"]
    for _ in range(30):
        pipeline.tick()
    assert {task.metric.base for task in plan_tasks(pipeline.plan, exchange, pipeline.now)} == set()
    assert not backfill.is_due()

    exchange.prices["ETH/USD"] = 10.0
    pipeline.tick()
    assert backfill.is_due()
    backfill.run(Event())

    assert pipeline.row("kraken:ETH-USD").samples == DAY
    assert [(row.base, row.rank) for row in pipeline.reader.ranking().metrics] == [("BTC", 1), ("ETH", 2)]


def test_a_backfill_gives_a_frozen_metric_no_rank(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    exchange.listed = {"BTC/USD": True, "ETH/USD": True}
    del exchange.prices["BTC/USD"]
    for _ in range(10):
        pipeline.tick()

    fill(pipeline, exchange)

    assert [(row.base, row.rank, row.reason) for row in pipeline.reader.ranking().metrics] == [
        ("ETH", 1, None),
        ("BTC", None, "frozen"),
    ]


def test_history_backfilled_before_the_first_tick_is_used_by_its_statistics(
    engine: Engine, exchange: FakeExchange
) -> None:
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    fill(pipeline, exchange)
    assert pipeline.row("kraken:BTC-USD").samples == 0

    pipeline.tick()
    assert pipeline.row("kraken:BTC-USD").samples == DAY
    assert pipeline.row("kraken:BTC-USD").stdev == pytest.approx(pipeline.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)


def test_exchanges_are_backfilled_concurrently_and_an_error_in_one_is_logged(
    pipeline: PipelineHarness, exchange: FakeExchange, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeExchange):
        def pages(self, since: datetime, until: datetime, now: datetime):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError

    broken = Broken("broken", {"BTC/USD": 1.0})
    pipeline.exchanges = [exchange, broken]
    pipeline.restart()
    pipeline.discover()
    pipeline.tick()
    all_of_them = Backfills(pipeline.plan, [broken, exchange], FakeClock(pipeline.now + timedelta(seconds=5)))
    all_of_them.run()
    all_of_them.close()

    assert "broken: backfill: broke off" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_many_candles_are_committed_in_parts(
    pipeline: PipelineHarness, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commits() -> int:
        before = pipeline.reader.revision()
        fill(pipeline, exchange)
        return pipeline.reader.revision() - before

    monkeypatch.setattr(backfills, "FLUSH_SAMPLES", 500)
    assert commits() == 2 + 3  # at the start and the end, and after three of the four pages
    assert pipeline.row("kraken:ETH-USD").samples == DAY


def test_gaps_are_searched_only_in_metrics_that_lack_samples(
    pipeline: PipelineHarness, exchange: FakeExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pipeline, exchange)
    exchange.prices["SOL/USD"] = 5.0
    pipeline.discover()
    pipeline.tick()
    looked_at: list[int] = []
    history = backfills.prices.read_history

    def watched(connection, statistics, rows, *span):  # type: ignore[no-untyped-def]
        looked_at.extend(statistics["id"][rows].tolist())
        return history(connection, statistics, rows, *span)

    monkeypatch.setattr(backfills.prices, "read_history", watched)
    assert {task.metric.base for task in plan_tasks(pipeline.plan, exchange, pipeline.now)} == {"SOL"}
    assert looked_at == [3]
