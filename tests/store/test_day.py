"""The reader's view of the last 24 h: ticks in slots of a quarter of an hour, and the pairs that came and went."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from services.market.errors import Unavailable
from services.market.status import SLOT_SECONDS, TickDay, TickState
from services.store.database.engine import Engine, writing
from services.store.ranking import ticks
from services.store.reader import StoreReader
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness

HALF_AN_HOUR_LATER = NOON + timedelta(minutes=30)


def record(engine: Engine, *states: TickState) -> None:
    with writing(engine) as connection:
        for state in states:
            ticks.record(connection, state)


def tick_at(moment: datetime, **changes: object) -> TickState:
    return builders.tick_state(minute=moment, **changes)


def day(engine: Engine, now: datetime) -> TickDay:
    return StoreReader(engine, builders.profile()).day(now).ticks


def by_slot(found: TickDay, name: str) -> dict[datetime, float]:
    """Nonzero figures by the start of their slot."""
    moments = [datetime.fromtimestamp(second, NOON.tzinfo) for second in found.starts.tolist()]
    values = getattr(found, name).tolist()
    return {moment: value for moment, value in zip(moments, values, strict=True) if value and value == value}


def test_a_day_without_ticks_has_all_slots_and_no_missed_ticks(engine: Engine) -> None:
    found = day(engine, HALF_AN_HOUR_LATER)

    assert len(found.starts) == 96
    assert found.starts[-1] == int(HALF_AN_HOUR_LATER.timestamp())
    assert (np.diff(found.starts) == SLOT_SECONDS).all()
    assert found.ticks.sum() == found.missed.sum() == found.failed.sum() == 0
    assert np.isnan(found.longest_ms).all()


def test_ticks_are_summed_by_quarters_of_an_hour(engine: Engine) -> None:
    record(
        engine,
        tick_at(NOON - timedelta(days=1)),  # outside the day
        tick_at(NOON, fetch_ms=100.0, commit_ms=10.0),
        tick_at(NOON + timedelta(minutes=14), fetch_ms=300.0, commit_ms=30.0, failed=("okx", "htx")),
        tick_at(NOON + timedelta(minutes=15), fetch_ms=50.0, commit_ms=5.0),
    )
    quarter = NOON + timedelta(minutes=15)

    found = day(engine, quarter)

    assert by_slot(found, "ticks") == {NOON: 2, quarter: 1}
    assert by_slot(found, "fetch_ms") == {NOON: 200.0, quarter: 50.0}
    assert by_slot(found, "store_ms") == {NOON: 20.0, quarter: 5.0}
    assert by_slot(found, "longest_ms") == {NOON: 330.0, quarter: 55.0}
    assert by_slot(found, "failed") == {NOON: 1}


def test_missed_ticks_count_in_the_slots_where_they_were_due(engine: Engine) -> None:
    record(engine, tick_at(NOON + timedelta(minutes=5)), tick_at(NOON + timedelta(minutes=20), missed=14))

    found = day(engine, NOON + timedelta(minutes=20))

    assert by_slot(found, "missed") == {NOON: 9, NOON + timedelta(minutes=15): 5}


def test_a_pause_longer_than_the_day_counts_only_within_the_day(engine: Engine) -> None:
    record(engine, tick_at(NOON, missed=10 * 1440))

    assert day(engine, NOON).missed.sum() == 95 * 15


def test_ticks_missed_up_to_now_are_counted(engine: Engine) -> None:
    record(engine, tick_at(NOON))

    for minutes, missed in ((1, 0), (2, 1), (3.5, 2)):
        assert day(engine, NOON + timedelta(minutes=minutes)).missed.sum() == missed


def test_a_tick_of_the_future_is_left_out(engine: Engine) -> None:
    record(engine, tick_at(NOON + timedelta(hours=3)))

    assert day(engine, NOON).ticks.sum() == day(engine, NOON).missed.sum() == 0


@pytest.fixture
def pipeline(engine: Engine) -> PipelineHarness:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, requests_a_second=1.5)
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    return pipeline


def test_pairs_that_came_and_went_are_listed_for_a_day_newest_first(pipeline: PipelineHarness) -> None:
    (exchange,) = pipeline.exchanges
    for name, gone, minutes in (("SOL/USD", "BTC/USD", 5), ("XRP/USD", "ETH/USD", 10)):
        pipeline.now = NOON + timedelta(minutes=minutes)
        del exchange.prices[gone]
        exchange.prices[name] = 1.0
        pipeline.discover()

    found = pipeline.reader.day(pipeline.now)
    assert [str(metric.pair) for metric in found.came] == ["XRP/USD", "SOL/USD"]
    assert [(str(metric.pair), metric.reason) for metric in found.went] == [
        ("ETH/USD", "delisted"),
        ("BTC/USD", "delisted"),
    ]
    assert found.went[0].gone_at == pipeline.now

    later = pipeline.reader.day(pipeline.now + timedelta(days=1) - timedelta(minutes=1))
    assert [str(metric.pair) for metric in (*later.came, *later.went)] == ["XRP/USD", "ETH/USD"]


def test_a_pair_that_came_back_is_not_listed_as_gone(pipeline: PipelineHarness) -> None:
    (exchange,) = pipeline.exchanges
    price = exchange.prices.pop("BTC/USD")
    pipeline.discover()
    pipeline.now = NOON + timedelta(days=2)
    pipeline.discover()
    assert pipeline.reader.day(pipeline.now).went == ()

    del exchange.prices["ETH/USD"]
    exchange.prices["BTC/USD"] = price
    pipeline.discover()
    assert [str(metric.pair) for metric in pipeline.reader.day(pipeline.now).went] == ["ETH/USD"]


def test_an_exchange_reports_its_rate_limit_and_last_failure(pipeline: PipelineHarness) -> None:
    (exchange,) = pipeline.exchanges
    (before,) = pipeline.reader.status(pipeline.now).exchanges
    assert (before.permitted, before.failed_at, before.error) == (1.5, None, None)

    exchange.error = Unavailable("kraken", "timed out")
    pipeline.tick()
    failed_at = pipeline.now
    exchange.error = None
    pipeline.tick()

    (after,) = pipeline.reader.status(pipeline.now).exchanges
    assert (after.failing_since, after.failed_at, after.error) == (None, failed_at, "timed out")
    assert after.last_success == pipeline.now
