"""What a tick keeps beside the standard deviation: highs and lows, log returns, and the rank of an hour ago."""

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
from tests.pipeline.world import World

PAIRS = ("A/USD", "B/USD", "C/USD")
KEYS = tuple(f"kraken:{pair.replace('/', '-')}" for pair in PAIRS)


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", dict.fromkeys(PAIRS, 1.0), listed=dict.fromkeys(PAIRS, True))


@pytest.fixture
def world(engine: Engine, exchange: FakeExchange) -> World:
    world = World(engine, [exchange])
    world.discover()
    return world


def expected(world: World, key: str) -> dict[str, float | None]:
    """From all that is stored: the extremes since the block's beginning, and the log returns one by one."""
    now = int(world.now.timestamp())
    series = world.reader.prices(world.row(key).id, world.now - timedelta(days=9), world.now)
    found: dict[str, float | None] = {}
    for name, length, block in (("1h", 3_600, 300), ("24h", 86_400, 900)):
        inside = series.values[series.times >= (now - length) // block * block]
        high, low = (inside.max(), inside.min()) if len(inside) else (None, None)
        found[f"range_{name}"] = None if high is None else (high - low) / low
    found |= {"high_24h": high, "low_24h": low}
    squares = seconds = 0.0
    for place in range(1, len(series.times)):
        gap = int(series.times[place] - series.times[place - 1])
        if gap <= 3_600 and series.times[place] > now - world.windows.main:
            squares += float(np.log(series.values[place] / series.values[place - 1])) ** 2
            seconds += gap
    found["log_volatility"] = (squares / seconds * 31_536_000) ** 0.5 if seconds else None
    return found


def check(world: World) -> None:
    for key in KEYS:
        row = world.row(key)
        for name, value in expected(world, key).items():
            reported = getattr(row, name)
            assert reported == (None if value is None else pytest.approx(value, rel=1e-9, abs=0)), (key, name)


def wander(exchange: FakeExchange, chance: Random) -> None:
    """Every price moves a little, now and then by a lot; now and then one is missing."""
    for number, pair in enumerate(PAIRS):
        price = 10.0**number * (1 + chance.uniform(-0.02, 0.02)) * (50 if chance.random() < 0.02 else 1)
        exchange.prices[pair] = price
        if chance.random() < 0.05:
            del exchange.prices[pair]


@pytest.mark.parametrize("seed", range(2))
def test_extremes_and_returns_are_those_of_the_stored_prices_whatever_comes_and_stays_away(
    world: World, exchange: FakeExchange, seed: int
) -> None:
    chance = Random(seed)
    exchange.close_at = lambda pair, second: 10.0 ** PAIRS.index(pair) * (1 + second // 60 % 89 / 1_000)
    for turn in range(110):
        wander(exchange, chance)
        world.tick(minutes=chance.choice((1, 1, 4, 5, 14, 15, 16, 16, 61)))
        if turn % 30 == 11:
            world.tick(minutes=chance.choice((200, 1_441)))
        if turn % 40 == 20:
            Backfill(world.plan, exchange, FakeClock(world.now + timedelta(seconds=5))).run(Event())
        if turn % 35 == 17:
            world.discover("kraken:A/USD,kraken:B/USD")
            world.tick()
            world.discover()
            world.tick()
            world.restart()
        check(world)


def test_a_high_leaves_with_the_quarter_of_an_hour_that_it_lay_in(world: World, exchange: FakeExchange) -> None:
    """Noon and one minute: the window reaches back to noon, until 12:15 of the next day."""
    exchange.prices["A/USD"] = 7.0
    world.tick()
    exchange.prices["A/USD"] = 2.0
    for minutes in (59, 4, 24 * 60 - 62):
        world.tick(minutes=minutes)
    assert (world.row(KEYS[0]).high_24h, world.row(KEYS[0]).low_24h, world.row(KEYS[0]).range_24h) == (7.0, 2.0, 2.5)
    world.tick(minutes=12)
    assert world.row(KEYS[0]).high_24h == 7.0
    world.tick(minutes=1)
    assert world.row(KEYS[0]).high_24h == 2.0


def test_the_range_of_an_hour_forgets_after_an_hour_and_less_than_five_minutes(
    world: World, exchange: FakeExchange
) -> None:
    exchange.prices["A/USD"] = 3.0
    world.tick(minutes=1)
    exchange.prices["A/USD"] = 2.0
    for minutes, reported in ((30, 0.5), (33, 0.5), (1, 0.0)):
        world.tick(minutes=minutes)
        assert world.row(KEYS[0]).range_1h == reported


def test_a_metric_without_any_price_has_none_of_these(world: World, exchange: FakeExchange) -> None:
    del exchange.prices["C/USD"]
    world.tick()

    row = world.row(KEYS[2])
    assert (row.range_1h, row.range_24h, row.high_24h, row.low_24h, row.log_volatility) == (None,) * 5


def test_periods_of_an_hour_have_a_range_of_an_hour(engine: Engine, exchange: FakeExchange) -> None:
    world = World(engine, [exchange], period=3_600)
    world.discover()
    world.tick(minutes=60)
    exchange.prices["A/USD"] = 4.0
    world.tick(minutes=60)

    assert world.row(KEYS[0]).range_1h == 3.0
    assert world.row(KEYS[0]).log_volatility == pytest.approx(np.log(4.0) * np.sqrt(365 * 24))


def test_metrics_of_distant_numbers_have_extremes_of_their_own(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {f"P{number:04}/USD": 1.0 + number for number in range(2 * PART)})
    world = World(engine, [exchange])
    world.discover()
    world.tick()
    world.tick(minutes=30)

    assert all(row.high_24h == row.price for row in world.reader.ranking().metrics)


def test_what_no_window_reaches_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_history, "MAX_ROWS", 2)
    for _ in range(8):
        world.tick(minutes=300)

    assert counted(world, ExtremeRow) <= 2 * 5
    assert counted(world, RankHistoryRow) == 2


def counted(world: World, table: type[ExtremeRow] | type[RankHistoryRow]) -> int:
    with reading(world.engine) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table.__tablename__}").scalar_one())


def rank_ago(world: World, key: str) -> tuple[int | None, int | None]:
    row: RankedMetric = world.row(key)
    return row.rank, row.rank_1h_ago


def test_the_rank_of_an_hour_ago_is_the_one_that_was_reported_then(world: World, exchange: FakeExchange) -> None:
    world.tick()
    exchange.prices["A/USD"] = 2.0
    world.tick()
    assert [rank_ago(world, key) for key in KEYS] == [(1, None), (2, None), (3, None)]
    exchange.prices["C/USD"] = 9.0
    for _ in range(58):
        world.tick()
    world.restart()
    world.tick()
    assert [rank_ago(world, key) for key in KEYS] == [(2, 1), (3, 2), (1, 3)]
    world.tick(minutes=1)
    assert rank_ago(world, KEYS[0]) == (2, 1)

    world.tick(minutes=55)
    world.tick(minutes=5)
    assert [rank_ago(world, key) for key in KEYS] == [(2, 2), (3, 3), (1, 1)]


def test_after_a_gap_the_last_tick_before_an_hour_ago_counts_if_it_is_near(world: World) -> None:
    world.tick()
    world.tick(minutes=74)
    assert rank_ago(world, KEYS[0]) == (1, 1)

    world.tick(minutes=75)
    assert rank_ago(world, KEYS[0]) == (1, None)


def test_who_was_not_ranked_an_hour_ago_or_not_known_has_no_rank_of_then(world: World, exchange: FakeExchange) -> None:
    world.discover("kraken:A/USD,kraken:B/USD")
    del exchange.prices["B/USD"]
    world.tick()
    exchange.prices["B/USD"] = 1.0
    world.discover()
    world.tick(minutes=60)

    assert [rank_ago(world, key) for key in KEYS] == [(1, 1), (2, None), (3, None)]


def test_of_fast_ticks_one_a_minute_is_remembered(engine: Engine, exchange: FakeExchange) -> None:
    world = World(engine, [exchange], period=5)
    world.discover()
    for _ in range(24):
        world.tick(minutes=1 / 12)

    assert counted(world, RankHistoryRow) == 2
    with writing(engine) as connection:
        ids = np.array([1, 2, 3])
        assert rank_history.at(connection, int(world.now.timestamp()) - 55, 900, ids).tolist() == [1, 2, 3]


@pytest.mark.parametrize("period", [901, 2400, 2500, 2700, 3000, 3600])
def test_with_periods_beyond_a_quarter_of_an_hour_the_price_and_rank_of_an_hour_ago_are_known(
    engine: Engine, exchange: FakeExchange, period: int
) -> None:
    world = World(engine, [exchange], period=period, now=datetime.fromtimestamp(period * 600_000, UTC))
    world.discover()
    prices = {}
    for place in range(86_400 // period + 4):
        exchange.prices = {"A/USD": 100.0 + place, "B/USD": 10.0 + place % 3, "C/USD": 1.0}
        world.tick(minutes=period / 60)
        prices[int(world.now.timestamp())] = 100.0 + place

    now = int(world.now.timestamp())
    ago = max(second for second in prices if second <= now - 3_600)
    row = world.row(KEYS[0])
    assert row.change_1h == pytest.approx(prices[now] / prices[ago] - 1, rel=1e-12)
    assert rank_ago(world, KEYS[0]) == (1, 1)
    lines = world.reader.sparklines((1, 2, 3)).points
    assert (lines != 255).all()
    # A backfill computes anew: it finds the same.
    Backfill(world.plan, exchange, FakeClock(world.now + timedelta(seconds=5))).run(Event())
    assert world.row(KEYS[0]).change_1h == row.change_1h


def test_statistics_of_an_older_version_are_computed_anew_and_keep_what_only_they_know(
    world: World, exchange: FakeExchange
) -> None:
    chance = Random(3)
    for _ in range(30):
        wander(exchange, chance)
        world.tick(minutes=chance.choice((1, 7)))
    exchange.prices = {"A/USD": 1_000.0, "B/USD": 9.0}
    for _ in range(9):  # C has no price, and is one answer from being frozen
        world.tick()
    alerted_at = world.row(KEYS[0]).alerted_at
    assert alerted_at is not None
    forget_new_fields(world)
    reported = world.row(KEYS[0])
    assert (reported.price, reported.rank, reported.high_24h) == (1_000.0, 1, None)

    world.discover()
    Backfill(world.plan, exchange, FakeClock(world.now + timedelta(seconds=5))).run(Event())
    world.restart()
    report = world.tick()

    assert report is not None
    assert report.state.missed == 0
    check(world)
    assert world.row(KEYS[0]).alerted_at == alerted_at
    assert world.row(KEYS[2]).reason == "frozen"
    for key in KEYS:
        assert world.row(key).stdev == pytest.approx(world.two_pass_stdev(key), rel=1e-9)
    world.tick(minutes=20)
    check(world)


def forget_new_fields(world: World) -> None:
    """Leave the database as a version did that stored neither returns nor extremes nor earlier ranks."""
    new = ("log_squares", "log_seconds", "log_peak", "edge", "edge_at", "rank_1h_ago")
    new += ("running_1h", "ended_1h", "running_24h", "ended_24h")
    with writing(world.engine) as connection:
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


def test_another_window_changes_the_returns_that_count(world: World, exchange: FakeExchange) -> None:
    chance = Random(4)
    for _ in range(20):
        wander(exchange, chance)
        world.tick()
    world.windows = Windows(main=600, rule=3_600)
    world.restart()
    for _ in range(5):
        world.tick()
        check(world)
