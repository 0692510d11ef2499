"""Samples go when they are as old as RETENTION_DAYS says by the time that went by, whatever the clock did."""

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
from tests.pipeline.world import World, store_history

DAY = timedelta(days=1)
PERIOD = timedelta(minutes=30)
RETENTION = timedelta(hours=26)
SPAN = DAY
"""History goes a span at a time, and so by so much later."""

KEY = "kraken:BTC-USD"


def world_of(engine: Engine, time: timedelta = timedelta(hours=50)) -> World:
    """One of which nothing was removed yet: it has ticked for so long, up to NOON."""
    world = World(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})], period=1_800)
    world.discover()
    store_history(engine, NOON - PERIOD, (time - 2 * PERIOD) / timedelta(hours=1), PERIOD)
    world.tick(minutes=0)
    return world


def go_on(world: World, time: timedelta, every: int = 1) -> None:
    """Tick for so long, and do after each tick what is due then."""
    for _ in range(round(time / PERIOD / every)):
        world.exchanges[0].prices["BTC/USD"] += 1
        world.tick(minutes=30 * every)
        keep_history(world)


def keep_history(world: World) -> None:
    plan = replace(world.plan, retention_seconds=round(RETENTION.total_seconds()))
    seal(plan, world.now, None, lambda: True)


def moments(world: World) -> list[datetime]:
    return [moment for moment, _ in world.stored(KEY, hours=24 * 4_000)]


def retained_since(world: World) -> datetime | None:
    profile = builders.profile(period_seconds=world.period, retention_days=RETENTION / DAY)
    storage = StoreReader(world.engine, profile).status(world.now).storage
    assert storage is not None
    return storage.retained_since


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("ahead", [timedelta(hours=2), 3 * DAY, 3_653 * DAY])
def test_a_clock_ahead_for_hours_has_removed_nothing_that_is_within_the_retention_once_it_is_right(
    engine: Engine, ahead: timedelta, restarted: bool
) -> None:
    world = world_of(engine)
    before = moments(world)
    world.restart()
    world.now += ahead
    go_on(world, timedelta(hours=5))
    world.now -= ahead
    if restarted:
        world.restart()
    go_on(world, timedelta(hours=1))

    retained = [moment for moment in before if moment >= world.now - RETENTION]
    assert [moment for moment in moments(world) if world.now - RETENTION <= moment <= NOON] == retained
    assert world.reader.status(world.now).set_aside is not None
    assert world.row(KEY).stdev == pytest.approx(world.two_pass_stdev(KEY), rel=1e-9)
    go_on(world, timedelta(hours=30))
    assert moments(world)[0] >= world.now - RETENTION - SPAN - timedelta(hours=6)


def test_a_clock_that_jumps_ahead_again_and_again_removes_nothing_either(engine: Engine) -> None:
    world = world_of(engine)
    before = moments(world)
    for ahead in (timedelta(hours=2), 3 * DAY, 30 * DAY, 3_653 * DAY):
        world.now += ahead
        go_on(world, timedelta(hours=1))
    by_then = NOON + timedelta(hours=4)
    retained = [moment for moment in before if moment >= by_then - RETENTION]
    assert [moment for moment in moments(world) if by_then - RETENTION <= moment <= NOON] == retained


def test_in_ordinary_operation_samples_go_when_they_are_old(engine: Engine) -> None:
    world = world_of(engine)
    for _ in range(4):
        go_on(world, timedelta(hours=8))
        assert world.now - RETENTION - SPAN - timedelta(hours=1) <= moments(world)[0] <= world.now - RETENTION + PERIOD
        assert retained_since(world) is None


def test_they_do_so_where_every_other_tick_is_missed(engine: Engine) -> None:
    world = world_of(engine)
    go_on(world, RETENTION + SPAN, every=2)
    assert moments(world)[0] >= NOON - timedelta(hours=1)


@pytest.mark.parametrize("restarted", [False, True])
def test_after_an_outage_or_a_long_sleep_they_stay_for_as_much_longer_and_then_go(
    engine: Engine, restarted: bool
) -> None:
    world = world_of(engine)
    keep_history(world)
    before = moments(world)
    world.now += 5 * DAY
    if restarted:
        world.restart()
    go_on(world, timedelta(hours=6))
    assert moments(world)[0] == before[0]
    assert retained_since(world) == before[0].replace(hour=0, minute=0)

    go_on(world, RETENTION + SPAN)
    assert moments(world)[0] > NOON
    assert retained_since(world) is None


def test_a_change_of_the_period_makes_nothing_older(engine: Engine) -> None:
    with writing(engine) as connection:
        for number in range(-199, 1):
            ticks.record(connection, builders.tick_state(minute=NOON + timedelta(seconds=5 * number)))
        for number in range(1, 51):
            ticks.record(connection, builders.tick_state(minute=NOON + timedelta(hours=number)))
        jump = NOON + timedelta(hours=50) + 3_653 * DAY
        ticks.record(connection, builders.tick_state(minute=jump, missed=3_653 * 24 - 1))
        last = int(jump.timestamp())
        # The tick that follows the jump counts as one period, of which nobody knows whether it went by.
        assert ticks.age_cutoff(connection, last, 30 * 3_600) == int((NOON + timedelta(hours=20)).timestamp())
        assert ticks.age_cutoff(connection, last, 51 * 3_600 + 10) == int(NOON.timestamp()) - 15
        assert ticks.age_cutoff(connection, last, 52 * 3_600) == 0
        assert ticks.age_cutoff(connection, int((NOON + timedelta(hours=3)).timestamp()), 7_200) == int(
            NOON.timestamp()
        )


def test_the_sizes_of_the_database_stay_for_their_time_too(engine: Engine) -> None:
    world = world_of(engine)
    go_on(world, timedelta(hours=3))
    world.now += 3_653 * DAY
    go_on(world, timedelta(hours=1))
    with reading(engine) as connection:
        assert len(sizes.history(connection, int((NOON + timedelta(hours=3)).timestamp())).times) >= 3


def test_what_rules_look_back_on_stays_also_where_it_cannot_be_recomputed(engine: Engine) -> None:
    world = World(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})])
    world.discover()
    condition = {"kind": "average", "factor": 2.0, "window_seconds": 3_600, "min_samples": 3}
    with writing(engine) as connection:
        rules.add(
            connection,
            parse_rule({"name": "r", "scope": ["kraken:*/*"], "quantity": "stdev", "condition": condition}),
        )
    for _ in range(5):
        world.tick()

    def sum_minutes() -> list[int]:
        with reading(engine) as connection:
            return list(connection.execute(select(RunningSumsRow.minute).order_by(RunningSumsRow.minute)).scalars())

    before = sum_minutes()
    assert len(before) == 5
    world.tick(minutes=1 + 3 * 24 * 60)
    world.now -= 3 * DAY
    world.tick()
    assert sum_minutes() == [*before, int(world.now.timestamp())]
