from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import insert, update

from services.market.alerting.rule_json import parse_rule
from services.market.errors import LeaseLost
from services.market.stats.metric_stats import Windows
from services.pipeline.seal import Upkeep, seal
from services.store.alerting import rules
from services.store.database import leases
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import MetricRow, TickRow
from services.store.history import prices
from services.store.ranking import snapshots, ticks
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World

DAYS = timedelta(days=1)


def always() -> bool:
    return True


@pytest.fixture
def world(engine: Engine) -> World:
    """Half an hour of ticks three days before the last one, a minute apart."""
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, volumes={"BTC/USD": 5.0})
    world = World(engine, [exchange], now=NOON - 3 * DAYS)
    world.discover()
    for number in range(30):
        exchange.prices["BTC/USD"] = 100.0 + number
        world.tick()
    world.now = NOON
    world.tick(minutes=0)
    return world


def keep(world: World, owner: str | None = None, days: float | None = None) -> Upkeep:
    seconds = None if days is None else round(days * 86_400)
    return seal(replace(world.plan, retention_seconds=seconds), world.now, owner, always)


def let_ticks_have_gone_on(world: World) -> None:
    """As if there had been ticks from half a day after the first ones until NOON."""
    with writing(world.engine) as connection:
        ticks.record(connection, builders.tick_state(minute=NOON - 2.5 * DAYS))
        connection.execute(update(TickRow).where(TickRow.minute == int(NOON.timestamp())).values(elapsed=259_200))


def rows(world: World) -> int:
    with reading(world.engine) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM price").scalar_one())


def test_what_no_window_needs_is_sealed_and_read_as_before(world: World) -> None:
    before = world.stored("kraken:BTC-USD", hours=100)

    assert keep(world).sealed == 60

    assert rows(world) == 2
    assert world.stored("kraken:BTC-USD", hours=100) == before
    assert world.reader.status(world.now).storage is not None
    assert world.reader.status(world.now).storage.sealed_until == NOON - 3 * DAYS + timedelta(hours=6)


def test_a_repeat_changes_nothing(world: World) -> None:
    keep(world)

    assert keep(world) == Upkeep()


def test_it_stops_on_request_and_goes_on_later(world: World) -> None:
    assert seal(world.plan, world.now, None, lambda: False) == Upkeep()
    assert rows(world) == 62


def test_what_is_older_than_wanted_goes_and_its_hours_stay(world: World) -> None:
    assert keep(world, days=2).removed == 0  # the clock may have jumped three days ahead just now
    let_ticks_have_gone_on(world)
    assert keep(world, days=2).removed == 3

    later = [(NOON, 129.0)]
    assert world.stored("kraken:BTC-USD", hours=100) == later
    hours = world.reader.hours(world.row("kraken:BTC-USD").id, NOON - 4 * DAYS, NOON)
    assert hours.close.tolist() == [129.0, 129.0]


def test_a_process_without_the_lease_moves_nothing(world: World) -> None:
    with writing(world.engine) as connection:
        leases.take(connection, "another", world.now.timestamp(), 60)

    with pytest.raises(LeaseLost):
        keep(world, owner="me")
    assert rows(world) == 62


def test_samples_of_the_window_stay_rows_whatever_its_length(world: World) -> None:
    world.plan = replace(world.plan, windows=replace(world.plan.windows, main=4 * 86_400))

    assert keep(world).sealed == 0


def test_a_longer_window_is_computed_from_what_is_sealed(world: World) -> None:
    keep(world)
    world.windows = replace(world.windows, main=4 * 86_400)
    world.restart()
    world.tick()

    row = world.row("kraken:BTC-USD")
    assert row.samples == 32
    assert row.stdev == pytest.approx(world.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
    world.tick(minutes=1440 + 19)  # the sealed ones begin to leave the window
    row = world.row("kraken:BTC-USD")
    assert row.samples == 32 + 1 - 20
    assert row.stdev == pytest.approx(world.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)


def test_many_metrics_take_several_steps(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(
            insert(MetricRow),
            [
                {"market": "x", "base": f"C{n}", "quote": "USD", "tracked": True, "active": True, "added_at": 0}
                for n in range(300)
            ],
        )
        start = int((NOON - 3 * DAYS).timestamp())
        prices.store(connection, start, np.arange(1, 301), np.arange(1.0, 301.0), 60)
    world = World(engine, [])

    assert keep(world) == Upkeep(sealed=300, removed=0, steps=3)


@pytest.mark.parametrize(("quantity", "removed"), [("price", 3), ("volatility", 0)])
def test_samples_of_earlier_standard_deviations_stay_as_long_as_a_rule_looks_back_on_them(
    world: World, quantity: str, removed: int
) -> None:
    condition = {"kind": "average", "factor": 3, "window_seconds": 86_400}
    given = {"name": "x", "scope": ["kraken:*"], "quantity": quantity, "condition": condition}
    with writing(world.engine) as connection:
        rules.add(connection, parse_rule(given))
    let_ticks_have_gone_on(world)
    world.windows = replace(world.windows, main=2 * 86_400)
    world.restart()
    for _ in range(2):
        world.tick(minutes=30)

    assert keep(world, days=1).removed == removed


@pytest.mark.parametrize("windows", [Windows(main=4 * 86_400, rule=3_600), Windows(main=86_400, rule=4 * 86_400)])
def test_what_was_sealed_under_shorter_windows_stays_for_longer_ones_whatever_the_retention(
    world: World, windows: Windows
) -> None:
    keep(world)
    world.windows = windows
    world.restart()
    world.tick()
    before = world.row("kraken:BTC-USD")

    assert keep(world, days=1) == Upkeep()

    assert len(world.stored("kraken:BTC-USD", hours=100)) == 32
    world.restart()
    world.tick()
    row = world.row("kraken:BTC-USD")
    assert row.stdev == pytest.approx(world.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
    assert row.samples == before.samples + 1 or windows.main == 86_400
    with reading(world.engine) as connection:
        statistics = snapshots.load(connection).statistics
    assert statistics["rule_count"][0] == (32 if windows.rule > 86_400 else 2)
