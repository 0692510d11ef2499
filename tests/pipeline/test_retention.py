"""Samples are removed when RETENTION_DAYS of real time have passed, whatever the clock did."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from services.market.alerting.rule_json import parse_rule
from services.pipeline.seal import seal
from services.store import sizes
from services.store.alerting import rules
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import RunningSumsRow
from services.store.ranking import ticks
from services.store.reader import StoreReader
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness, store_history

DAY = timedelta(days=1)
PERIOD = timedelta(minutes=30)
RETENTION = timedelta(hours=26)
SPAN = DAY
"""History is removed by whole spans, so up to this much later."""

KEY = "kraken:BTC-USD"


def pipeline_of(engine: Engine, time: timedelta = timedelta(hours=50)) -> PipelineHarness:
    """A pipeline that has ticked for `time` up to NOON, with nothing removed yet."""
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})], period=1_800)
    pipeline.discover()
    store_history(engine, NOON - PERIOD, (time - 2 * PERIOD) / timedelta(hours=1), PERIOD)
    pipeline.tick(minutes=0)
    return pipeline


def tick_for(pipeline: PipelineHarness, time: timedelta, every: int = 1) -> None:
    """Tick for `time`, and run the upkeep after each tick."""
    for _ in range(round(time / PERIOD / every)):
        pipeline.exchanges[0].prices["BTC/USD"] += 1
        pipeline.tick(minutes=30 * every)
        run_upkeep(pipeline)


def run_upkeep(pipeline: PipelineHarness) -> None:
    plan = replace(pipeline.plan, retention_seconds=round(RETENTION.total_seconds()))
    seal(plan, pipeline.now, None, lambda: True)


def moments(pipeline: PipelineHarness) -> list[datetime]:
    return [moment for moment, _ in pipeline.stored(KEY, hours=24 * 4_000)]


def retained_since(pipeline: PipelineHarness) -> datetime | None:
    profile = builders.profile(period_seconds=pipeline.period, retention_days=RETENTION / DAY)
    storage = StoreReader(pipeline.engine, profile).status(pipeline.now).storage
    assert storage is not None
    return storage.retained_since


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("ahead", [timedelta(hours=2), 3 * DAY, 3_653 * DAY])
def test_a_clock_that_was_ahead_for_hours_removes_no_samples_within_the_retention(
    engine: Engine, ahead: timedelta, restarted: bool
) -> None:
    pipeline = pipeline_of(engine)
    before = moments(pipeline)
    pipeline.restart()
    pipeline.now += ahead
    tick_for(pipeline, timedelta(hours=5))
    pipeline.now -= ahead
    if restarted:
        pipeline.restart()
    tick_for(pipeline, timedelta(hours=1))

    retained = [moment for moment in before if moment >= pipeline.now - RETENTION]
    assert [moment for moment in moments(pipeline) if pipeline.now - RETENTION <= moment <= NOON] == retained
    assert pipeline.reader.status(pipeline.now).set_aside is not None
    assert pipeline.row(KEY).stdev == pytest.approx(pipeline.two_pass_stdev(KEY), rel=1e-9)
    tick_for(pipeline, timedelta(hours=30))
    assert moments(pipeline)[0] >= pipeline.now - RETENTION - SPAN - timedelta(hours=6)


def test_a_clock_that_jumps_ahead_repeatedly_removes_no_samples(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    before = moments(pipeline)
    for ahead in (timedelta(hours=2), 3 * DAY, 30 * DAY, 3_653 * DAY):
        pipeline.now += ahead
        tick_for(pipeline, timedelta(hours=1))
    by_then = NOON + timedelta(hours=4)
    retained = [moment for moment in before if moment >= by_then - RETENTION]
    assert [moment for moment in moments(pipeline) if by_then - RETENTION <= moment <= NOON] == retained


def test_samples_older_than_the_retention_are_removed(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    for _ in range(4):
        tick_for(pipeline, timedelta(hours=8))
        assert (
            pipeline.now - RETENTION - SPAN - timedelta(hours=1)
            <= moments(pipeline)[0]
            <= pipeline.now - RETENTION + PERIOD
        )
        assert retained_since(pipeline) is None


def test_samples_older_than_the_retention_are_removed_when_every_other_tick_is_missed(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    tick_for(pipeline, RETENTION + SPAN, every=2)
    assert moments(pipeline)[0] >= NOON - timedelta(hours=1)


@pytest.mark.parametrize("restarted", [False, True])
def test_after_an_outage_samples_stay_longer_by_its_length_and_are_then_removed(
    engine: Engine, restarted: bool
) -> None:
    pipeline = pipeline_of(engine)
    run_upkeep(pipeline)
    before = moments(pipeline)
    pipeline.now += 5 * DAY
    if restarted:
        pipeline.restart()
    tick_for(pipeline, timedelta(hours=6))
    assert moments(pipeline)[0] == before[0]
    assert retained_since(pipeline) == before[0].replace(hour=0, minute=0)

    tick_for(pipeline, RETENTION + SPAN)
    assert moments(pipeline)[0] > NOON
    assert retained_since(pipeline) is None


def test_a_change_of_the_period_does_not_age_samples(engine: Engine) -> None:
    with writing(engine) as connection:
        for number in range(-199, 1):
            ticks.record(connection, builders.tick_state(minute=NOON + timedelta(seconds=5 * number)))
        for number in range(1, 51):
            ticks.record(connection, builders.tick_state(minute=NOON + timedelta(hours=number)))
        jump = NOON + timedelta(hours=50) + 3_653 * DAY
        ticks.record(connection, builders.tick_state(minute=jump, missed=3_653 * 24 - 1))
        last = int(jump.timestamp())
        # The tick after the jump counts as one period, although that time may not have passed.
        assert ticks.age_cutoff(connection, last, 30 * 3_600) == int((NOON + timedelta(hours=20)).timestamp())
        assert ticks.age_cutoff(connection, last, 51 * 3_600 + 10) == int(NOON.timestamp()) - 15
        assert ticks.age_cutoff(connection, last, 52 * 3_600) == 0
        assert ticks.age_cutoff(connection, int((NOON + timedelta(hours=3)).timestamp()), 7_200) == int(
            NOON.timestamp()
        )


def test_database_sizes_are_retained_for_thirty_days_of_real_time(engine: Engine) -> None:
    pipeline = pipeline_of(engine)
    tick_for(pipeline, timedelta(hours=3))
    pipeline.now += 3_653 * DAY
    tick_for(pipeline, timedelta(hours=1))
    with reading(engine) as connection:
        assert len(sizes.history(connection, int((NOON + timedelta(hours=3)).timestamp())).times) >= 3


def test_sums_in_the_window_of_a_rule_are_retained_even_if_they_cannot_be_recomputed(engine: Engine) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})])
    pipeline.discover()
    condition = {"kind": "average", "factor": 2.0, "window_seconds": 3_600, "min_samples": 3}
    with writing(engine) as connection:
        rules.add(
            connection,
            parse_rule({"name": "r", "scope": ["kraken:*/*"], "quantity": "stdev", "condition": condition}),
        )
    for _ in range(5):
        pipeline.tick()

    def sum_minutes() -> list[int]:
        with reading(engine) as connection:
            return list(connection.execute(select(RunningSumsRow.minute).order_by(RunningSumsRow.minute)).scalars())

    before = sum_minutes()
    assert len(before) == 5
    pipeline.tick(minutes=1 + 3 * 24 * 60)
    pipeline.now -= 3 * DAY
    pipeline.tick()
    assert sum_minutes() == [*before, int(pipeline.now.timestamp())]
