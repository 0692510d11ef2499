"""The statistics of a tick besides the standard deviation: extremes, log returns, and the rank an hour ago."""

import io
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event

import numpy as np
import pytest

from services.market.ranking import RankedMetric
from services.market.stats.metric_stats import METRIC_STATS, Windows
from services.pipeline.backfill import Backfill
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import ExtremeRow, RankHistoryRow, StatisticsRow
from services.store.ranking import rank_history
from services.store.ranking.extremes import PART
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness

PAIRS = ("A/USD", "B/USD", "C/USD")
KEYS = tuple(f"kraken:{pair.replace('/', '-')}" for pair in PAIRS)


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", dict.fromkeys(PAIRS, 1.0), listed=dict.fromkeys(PAIRS, True))


@pytest.fixture
def pipeline(engine: Engine, exchange: FakeExchange) -> PipelineHarness:
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    return pipeline


def expected(pipeline: PipelineHarness, key: str) -> dict[str, float | None]:
    """Extremes since the start of the block and log returns, computed one by one from the stored prices."""
    now = int(pipeline.now.timestamp())
    series = pipeline.reader.prices(pipeline.row(key).id, pipeline.now - timedelta(days=9), pipeline.now)
    found: dict[str, float | None] = {}
    for name, length, block in (("1h", 3_600, 300), ("24h", 86_400, 900)):
        inside = series.values[series.times >= (now - length) // block * block]
        high, low = (inside.max(), inside.min()) if len(inside) else (None, None)
        found[f"range_{name}"] = None if high is None else (high - low) / low
    found |= {"high_24h": high, "low_24h": low}
    squares = seconds = 0.0
    for place in range(1, len(series.times)):
        gap = int(series.times[place] - series.times[place - 1])
        if gap <= 3_600 and series.times[place] > now - pipeline.windows.main:
            squares += float(np.log(series.values[place] / series.values[place - 1])) ** 2
            seconds += gap
    found["log_volatility"] = (squares / seconds * 31_536_000) ** 0.5 if seconds else None
    return found


def check(pipeline: PipelineHarness) -> None:
    for key in KEYS:
        row = pipeline.row(key)
        for name, value in expected(pipeline, key).items():
            reported = getattr(row, name)
            assert reported == (None if value is None else pytest.approx(value, rel=1e-9, abs=0)), (key, name)


def wander(exchange: FakeExchange, chance: Random) -> None:
    """Move each price a little, some of them a lot, and leave some out."""
    for number, pair in enumerate(PAIRS):
        price = 10.0**number * (1 + chance.uniform(-0.02, 0.02)) * (50 if chance.random() < 0.02 else 1)
        exchange.prices[pair] = price
        if chance.random() < 0.05:
            del exchange.prices[pair]


@pytest.mark.parametrize("seed", range(2))
def test_extremes_and_returns_match_the_stored_prices_through_gaps_and_returns(
    pipeline: PipelineHarness, exchange: FakeExchange, seed: int
) -> None:
    chance = Random(seed)
    exchange.close_at = lambda pair, second: 10.0 ** PAIRS.index(pair) * (1 + second // 60 % 89 / 1_000)
    for turn in range(110):
        wander(exchange, chance)
        pipeline.tick(minutes=chance.choice((1, 1, 4, 5, 14, 15, 16, 16, 61)))
        if turn % 30 == 11:
            pipeline.tick(minutes=chance.choice((200, 1_441)))
        if turn % 40 == 20:
            Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
        if turn % 35 == 17:
            pipeline.discover("kraken:A/USD,kraken:B/USD")
            pipeline.tick()
            pipeline.discover()
            pipeline.tick()
            pipeline.restart()
        check(pipeline)


def test_a_high_expires_with_its_quarter_of_an_hour(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    """The high is at 12:01, in the block that the 24 h window includes until 12:15 of the next day."""
    exchange.prices["A/USD"] = 7.0
    pipeline.tick()
    exchange.prices["A/USD"] = 2.0
    for minutes in (59, 4, 24 * 60 - 62):
        pipeline.tick(minutes=minutes)
    assert (pipeline.row(KEYS[0]).high_24h, pipeline.row(KEYS[0]).low_24h, pipeline.row(KEYS[0]).range_24h) == (
        7.0,
        2.0,
        2.5,
    )
    pipeline.tick(minutes=12)
    assert pipeline.row(KEYS[0]).high_24h == 7.0
    pipeline.tick(minutes=1)
    assert pipeline.row(KEYS[0]).high_24h == 2.0


def test_an_hourly_extreme_expires_within_an_hour_and_five_minutes(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    exchange.prices["A/USD"] = 3.0
    pipeline.tick(minutes=1)
    exchange.prices["A/USD"] = 2.0
    for minutes, reported in ((30, 0.5), (33, 0.5), (1, 0.0)):
        pipeline.tick(minutes=minutes)
        assert pipeline.row(KEYS[0]).range_1h == reported


def test_a_metric_without_prices_has_neither_extremes_nor_returns(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    del exchange.prices["C/USD"]
    pipeline.tick()

    row = pipeline.row(KEYS[2])
    assert (row.range_1h, row.range_24h, row.high_24h, row.low_24h, row.log_volatility) == (None,) * 5


def test_hourly_periods_have_an_hourly_range(engine: Engine, exchange: FakeExchange) -> None:
    pipeline = PipelineHarness(engine, [exchange], period=3_600)
    pipeline.discover()
    pipeline.tick(minutes=60)
    exchange.prices["A/USD"] = 4.0
    pipeline.tick(minutes=60)

    assert pipeline.row(KEYS[0]).range_1h == 3.0
    assert pipeline.row(KEYS[0]).log_volatility == pytest.approx(np.log(4.0) * np.sqrt(365 * 24))


def test_metrics_with_distant_numbers_do_not_share_extremes(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {f"P{number:04}/USD": 1.0 + number for number in range(2 * PART)})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick()
    pipeline.tick(minutes=30)

    assert all(row.high_24h == row.price for row in pipeline.reader.ranking().metrics)


def test_extremes_and_ranks_outside_every_window_are_deleted(
    pipeline: PipelineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_history, "MAX_ROWS", 2)
    for _ in range(8):
        pipeline.tick(minutes=300)

    assert counted(pipeline, ExtremeRow) <= 2 * 5
    assert counted(pipeline, RankHistoryRow) == 2


def counted(pipeline: PipelineHarness, table: type[ExtremeRow] | type[RankHistoryRow]) -> int:
    with reading(pipeline.engine) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table.__tablename__}").scalar_one())


def rank_ago(pipeline: PipelineHarness, key: str) -> tuple[int | None, int | None]:
    row: RankedMetric = pipeline.row(key)
    return row.rank, row.rank_1h_ago


def test_the_rank_an_hour_ago_is_the_one_reported_then(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    pipeline.tick()
    exchange.prices["A/USD"] = 2.0
    pipeline.tick()
    assert [rank_ago(pipeline, key) for key in KEYS] == [(1, None), (2, None), (3, None)]
    exchange.prices["C/USD"] = 9.0
    for _ in range(58):
        pipeline.tick()
    pipeline.restart()
    pipeline.tick()
    assert [rank_ago(pipeline, key) for key in KEYS] == [(2, 1), (3, 2), (1, 3)]
    pipeline.tick(minutes=1)
    assert rank_ago(pipeline, KEYS[0]) == (2, 1)

    pipeline.tick(minutes=55)
    pipeline.tick(minutes=5)
    assert [rank_ago(pipeline, key) for key in KEYS] == [(2, 2), (3, 3), (1, 1)]


def test_after_a_gap_the_rank_an_hour_ago_comes_from_a_near_earlier_tick(pipeline: PipelineHarness) -> None:
    pipeline.tick()
    pipeline.tick(minutes=74)
    assert rank_ago(pipeline, KEYS[0]) == (1, 1)

    pipeline.tick(minutes=75)
    assert rank_ago(pipeline, KEYS[0]) == (1, None)


def test_a_metric_that_was_unranked_or_unknown_an_hour_ago_has_no_earlier_rank(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    pipeline.discover("kraken:A/USD,kraken:B/USD")
    del exchange.prices["B/USD"]
    pipeline.tick()
    exchange.prices["B/USD"] = 1.0
    pipeline.discover()
    pipeline.tick(minutes=60)

    assert [rank_ago(pipeline, key) for key in KEYS] == [(1, 1), (2, None), (3, None)]


def test_ranks_are_stored_at_most_once_a_minute(engine: Engine, exchange: FakeExchange) -> None:
    pipeline = PipelineHarness(engine, [exchange], period=5)
    pipeline.discover()
    for _ in range(24):
        pipeline.tick(minutes=1 / 12)

    assert counted(pipeline, RankHistoryRow) == 2
    with writing(engine) as connection:
        ids = np.array([1, 2, 3])
        assert rank_history.at(connection, int(pipeline.now.timestamp()) - 55, 900, ids).tolist() == [1, 2, 3]


@pytest.mark.parametrize("period", [901, 2400, 2500, 2700, 3000, 3600])
def test_the_price_and_rank_an_hour_ago_are_known_with_long_periods(
    engine: Engine, exchange: FakeExchange, period: int
) -> None:
    pipeline = PipelineHarness(engine, [exchange], period=period, now=datetime.fromtimestamp(period * 600_000, UTC))
    pipeline.discover()
    prices = {}
    for place in range(86_400 // period + 4):
        exchange.prices = {"A/USD": 100.0 + place, "B/USD": 10.0 + place % 3, "C/USD": 1.0}
        pipeline.tick(minutes=period / 60)
        prices[int(pipeline.now.timestamp())] = 100.0 + place

    now = int(pipeline.now.timestamp())
    ago = max(second for second in prices if second <= now - 3_600)
    row = pipeline.row(KEYS[0])
    assert row.change_1h == pytest.approx(prices[now] / prices[ago] - 1, rel=1e-12)
    assert rank_ago(pipeline, KEYS[0]) == (1, 1)
    lines = pipeline.reader.sparklines((1, 2, 3)).points
    assert (lines != 255).all()
    # A backfill recomputes the statistics and finds the same.
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    assert pipeline.row(KEYS[0]).change_1h == row.change_1h


def test_statistics_of_an_older_version_are_recomputed_and_keep_their_counters(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    chance = Random(3)
    for _ in range(30):
        wander(exchange, chance)
        pipeline.tick(minutes=chance.choice((1, 7)))
    exchange.prices = {"A/USD": 1_000.0, "B/USD": 9.0}
    for _ in range(9):  # C has no price and is one answer short of being frozen
        pipeline.tick()
    alerted_at = pipeline.row(KEYS[0]).alerted_at
    assert alerted_at is not None
    forget_new_fields(pipeline)
    reported = pipeline.row(KEYS[0])
    assert (reported.price, reported.rank, reported.high_24h) == (1_000.0, 1, None)

    pipeline.discover()
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    pipeline.restart()
    report = pipeline.tick()

    assert report is not None
    assert report.state.missed == 0
    check(pipeline)
    assert pipeline.row(KEYS[0]).alerted_at == alerted_at
    assert pipeline.row(KEYS[2]).reason == "frozen"
    for key in KEYS:
        assert pipeline.row(key).stdev == pytest.approx(pipeline.two_pass_stdev(key), rel=1e-9)
    pipeline.tick(minutes=20)
    check(pipeline)


def forget_new_fields(pipeline: PipelineHarness) -> None:
    """Make the database that of a version without returns, extremes and earlier ranks."""
    new = ("log_squares", "log_seconds", "log_peak", "edge", "edge_at", "rank_1h_ago")
    new += ("running_1h", "ended_1h", "running_24h", "ended_24h")
    with writing(pipeline.engine) as connection:
        statistics = StatisticsRow.__table__
        content = connection.execute(statistics.select()).one()._mapping["kept"]
        current = np.load(io.BytesIO(content))
        former = np.empty(
            len(current), dtype=[(name, METRIC_STATS[name]) for name in METRIC_STATS.names or () if name not in new]
        )
        for name in former.dtype.names or ():
            former[name] = current[name]
        file = io.BytesIO()
        np.save(file, former)
        connection.execute(statistics.update().values({"kept": file.getvalue()}))
        for table in (ExtremeRow, RankHistoryRow):
            connection.execute(table.__table__.delete())


def test_a_changed_window_changes_which_returns_count(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    chance = Random(4)
    for _ in range(20):
        wander(exchange, chance)
        pipeline.tick()
    pipeline.windows = Windows(main=600, rule=3_600)
    pipeline.restart()
    for _ in range(5):
        pipeline.tick()
        check(pipeline)
