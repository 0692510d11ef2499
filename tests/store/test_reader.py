import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.stats.metric_stats import Windows
from services.store.database.engine import Engine, open_engine
from services.store.reader import StoreReader
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World


@pytest.fixture
def world(engine: Engine) -> World:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, volumes={"BTC/USD": 5.0})
    world = World(engine, [exchange])
    world.discover()
    return world


def test_before_the_first_tick_all_is_empty_and_stale(world: World) -> None:
    ranking = world.reader.ranking()
    status = world.reader.status(NOON)

    assert [(row.base, row.rank, row.price, row.updated_at) for row in ranking.metrics] == [
        ("BTC", None, None, None),
        ("ETH", None, None, None),
    ]
    assert ranking.minute is None
    assert (status.minute, status.stale, status.tracked, status.live) == (None, True, 2, 0)
    assert (world.reader.sparklines((1, 2)).points == 255).all()


def test_without_metrics_nothing_is_stale(engine: Engine) -> None:
    status = StoreReader(engine, builders.profile()).status(NOON)

    assert (status.tracked, status.stale) == (0, False)
    assert StoreReader(engine, builders.profile()).ranking().metrics == ()


def test_a_metric_is_found_by_number_and_by_key_in_any_case(world: World) -> None:
    world.tick()

    for wanted in (1, "kraken:BTC-USD", "KRAKEN:btc-usd"):
        assert world.reader.metric(wanted).price == 100.0
    for unknown in (0, 3, "kraken:BTC-EUR", "btc-usd", ":-"):
        with pytest.raises(UnknownMetric):
            world.reader.metric(unknown)


def test_a_metric_alone_reads_as_in_the_ranking(world: World) -> None:
    world.tick()
    world.exchanges[0].prices["ETH/USD"] = 11.0
    world.tick()

    for row in world.reader.ranking().metrics:
        assert world.reader.metric(row.id) == row


def test_the_average_of_the_alert_rule_is_that_of_its_own_window(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0})
    world = World(engine, [exchange], windows=Windows(main=86_400, rule=120))
    world.discover()
    for price in (100.0, 110.0, 130.0, 500.0):
        exchange.prices["BTC/USD"] = price
        world.tick()

    row = world.reader.metric(1)
    assert (row.rule_average, row.average_1h) == (pytest.approx(120.0), pytest.approx(340.0 / 3))


def test_a_tick_is_stale_when_three_periods_have_passed(world: World) -> None:
    world.tick()

    assert not world.reader.status(world.now + timedelta(minutes=3)).stale
    assert world.reader.status(world.now + timedelta(minutes=3, seconds=1)).stale


def test_every_tick_is_a_new_revision(world: World) -> None:
    before = world.reader.revision()
    world.tick()

    assert world.reader.revision() == before + 1
    assert world.reader.ranking().revision == world.reader.status(world.now).revision == before + 1


def test_volumes_are_read_as_reported(world: World) -> None:
    world.tick()
    world.exchanges[0].volumes["BTC/USD"] = 6.0
    world.tick()

    series = world.reader.volumes(1, world.now - timedelta(hours=1), world.now)
    assert series.values.tolist() == [5.0, 6.0]
    assert series.times.tolist() == [int(world.now.timestamp()) - 60, int(world.now.timestamp())]


def test_sparklines_show_the_shape_of_the_day(world: World) -> None:
    world.period = 3600
    world.restart()
    for hour in range(24):
        world.exchanges[0].prices["BTC/USD"] = 100.0 + (hour if hour != 5 else 0)
        world.tick(minutes=60)

    lines = world.reader.sparklines((2, 1, 77))

    assert lines.metric_ids.tolist() == [1, 2]
    points = lines.points[0].tolist()
    assert (points[0], points[5], points[23]) == (0, 0, 100)
    assert points[10] == int(10 / 23 * 100)
    assert set(lines.points[1].tolist()) == {50}
    assert (lines.minute, lines.low[0], lines.high[0]) == (world.now, 100.0, 123.0)
    assert lines.low[1] == lines.high[1]


def test_an_hour_without_a_price_has_no_point(world: World) -> None:
    world.tick()
    world.tick(minutes=120)

    assert world.reader.sparklines((1,)).points[0].tolist() == [255] * 21 + [50, 255, 50]


def test_a_database_without_its_tables_is_unavailable(sqlite_url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tracker.db")) as other:
        other.execute("CREATE TABLE other (number INTEGER)")
    engine = open_engine(sqlite_url)
    reader = StoreReader(engine, builders.profile())

    with pytest.raises(StoreUnavailable, match="no such table"):
        reader.revision()
    engine.dispose()
