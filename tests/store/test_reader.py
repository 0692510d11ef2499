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
from tests.pipeline.harness import PipelineHarness


@pytest.fixture
def pipeline(engine: Engine) -> PipelineHarness:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, volumes={"BTC/USD": 5.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    return pipeline


def test_before_the_first_tick_the_ranking_is_empty_and_stale(pipeline: PipelineHarness) -> None:
    ranking = pipeline.reader.ranking()
    status = pipeline.reader.status(NOON)

    assert [(row.base, row.rank, row.price, row.updated_at) for row in ranking.metrics] == [
        ("BTC", None, None, None),
        ("ETH", None, None, None),
    ]
    assert ranking.minute is None
    assert (status.minute, status.stale, status.tracked, status.live) == (None, True, 2, 0)
    assert (pipeline.reader.sparklines((1, 2)).points == 255).all()


def test_without_metrics_nothing_is_stale(engine: Engine) -> None:
    status = StoreReader(engine, builders.profile()).status(NOON)

    assert (status.tracked, status.stale) == (0, False)
    assert StoreReader(engine, builders.profile()).ranking().metrics == ()


def test_a_metric_is_found_by_number_and_by_key_in_any_case(pipeline: PipelineHarness) -> None:
    pipeline.tick()

    for wanted in (1, "kraken:BTC-USD", "KRAKEN:btc-usd"):
        assert pipeline.reader.metric(wanted).price == 100.0
    for unknown in (0, 3, "kraken:BTC-EUR", "btc-usd", ":-"):
        with pytest.raises(UnknownMetric):
            pipeline.reader.metric(unknown)


def test_a_single_metric_equals_its_row_in_the_ranking(pipeline: PipelineHarness) -> None:
    pipeline.tick()
    pipeline.exchanges[0].prices["ETH/USD"] = 11.0
    pipeline.tick()

    for row in pipeline.reader.ranking().metrics:
        assert pipeline.reader.metric(row.id) == row


def test_the_average_of_the_built_in_rule_covers_its_own_window(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0})
    pipeline = PipelineHarness(engine, [exchange], windows=Windows(main=86_400, rule=120))
    pipeline.discover()
    for price in (100.0, 110.0, 130.0, 500.0):
        exchange.prices["BTC/USD"] = price
        pipeline.tick()

    row = pipeline.reader.metric(1)
    assert (row.rule_average, row.average_1h) == (pytest.approx(120.0), pytest.approx(340.0 / 3))


def test_a_tick_is_stale_when_three_periods_have_passed(pipeline: PipelineHarness) -> None:
    pipeline.tick()

    assert not pipeline.reader.status(pipeline.now + timedelta(minutes=3)).stale
    assert pipeline.reader.status(pipeline.now + timedelta(minutes=3, seconds=1)).stale


def test_every_tick_raises_the_revision(pipeline: PipelineHarness) -> None:
    before = pipeline.reader.revision()
    pipeline.tick()

    assert pipeline.reader.revision() == before + 1
    assert pipeline.reader.ranking().revision == pipeline.reader.status(pipeline.now).revision == before + 1


def test_volumes_are_returned_as_reported(pipeline: PipelineHarness) -> None:
    pipeline.tick()
    pipeline.exchanges[0].volumes["BTC/USD"] = 6.0
    pipeline.tick()

    series = pipeline.reader.volumes(1, pipeline.now - timedelta(hours=1), pipeline.now)
    assert series.values.tolist() == [5.0, 6.0]
    assert series.times.tolist() == [int(pipeline.now.timestamp()) - 60, int(pipeline.now.timestamp())]


def test_sparklines_have_the_hourly_prices_of_the_day(pipeline: PipelineHarness) -> None:
    pipeline.period = 3600
    pipeline.restart()
    for hour in range(24):
        pipeline.exchanges[0].prices["BTC/USD"] = 100.0 + (hour if hour != 5 else 0)
        pipeline.tick(minutes=60)

    lines = pipeline.reader.sparklines((2, 1, 77))

    assert lines.metric_ids.tolist() == [1, 2]
    points = lines.points[0].tolist()
    assert (points[0], points[5], points[23]) == (0, 0, 100)
    assert points[10] == int(10 / 23 * 100)
    assert set(lines.points[1].tolist()) == {50}
    assert (lines.minute, lines.low[0], lines.high[0]) == (pipeline.now, 100.0, 123.0)
    assert lines.low[1] == lines.high[1]


def test_a_sparkline_has_no_point_for_an_hour_without_a_price(pipeline: PipelineHarness) -> None:
    pipeline.tick()
    pipeline.tick(minutes=120)

    assert pipeline.reader.sparklines((1,)).points[0].tolist() == [255] * 21 + [50, 255, 50]


def test_a_database_without_its_tables_is_unavailable(sqlite_url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tracker.db")) as other:
        other.execute("CREATE TABLE other (number INTEGER)")
    engine = open_engine(sqlite_url)
    reader = StoreReader(engine, builders.profile())

    with pytest.raises(StoreUnavailable, match="no such table"):
        reader.revision()
    engine.dispose()
