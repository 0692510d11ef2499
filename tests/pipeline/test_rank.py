"""Metrics that their exchange has no price for, although it answers."""

import pytest

from services.market.errors import Unavailable
from services.market.ranking import RankedMetric
from services.market.stats.measures import FROZEN_PERIODS
from services.market.stats.metric_stats import Windows
from services.store.database.engine import Engine
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"A/USD": 1.0, "B/USD": 1.0, "C/USD": 1.0})


@pytest.fixture
def world(engine: Engine, exchange: FakeExchange) -> World:
    """A is the liveliest, and ranked first."""
    world = World(engine, [exchange])
    world.discover("kraken:A/USD,kraken:B/USD,kraken:C/USD")
    world.tick()
    exchange.prices |= {"A/USD": 9.0, "B/USD": 5.0}
    world.tick()
    return world


def ticks(world: World, count: int) -> None:
    for _ in range(count):
        world.tick()


def freeze(world: World, exchange: FakeExchange) -> None:
    """A gets no price any more, for as long as it takes."""
    exchange.prices.pop("A/USD")
    exchange.listed = {"A/USD": True, "B/USD": True, "C/USD": True}
    ticks(world, FROZEN_PERIODS)


def state(row: RankedMetric) -> tuple[int | None, bool, str | None]:
    return row.rank, row.active, row.reason


def test_a_metric_without_a_price_for_ten_answers_leaves_the_ranking_and_comes_back_with_its_next(
    world: World, exchange: FakeExchange
) -> None:
    priced_at = world.now
    exchange.prices.pop("A/USD")
    ticks(world, 9)
    assert state(world.row("kraken:A-USD")) == (1, True, None)

    world.tick()
    *ranked, last = world.reader.ranking().metrics
    assert [(row.base, row.rank) for row in ranked] == [("B", 1), ("C", 2)]
    assert (last.base, *state(last)) == ("A", None, False, "frozen")
    assert (last.price, last.updated_at, last.samples) == (9.0, priced_at, 2)
    assert last.stdev == pytest.approx(world.two_pass_stdev("kraken:A-USD"), rel=1e-9)
    status = world.reader.status(world.now)
    assert (status.tracked, status.live) == (3, 2)
    assert len(world.stored("kraken:A-USD")) == 2

    world.restart()
    ticks(world, 5)
    assert state(world.row("kraken:A-USD")) == (None, False, "frozen")

    exchange.prices["A/USD"] = 8.0
    world.tick()
    assert state(world.row("kraken:A-USD")) == (1, True, None)
    assert world.row("kraken:A-USD").stdev == pytest.approx(world.two_pass_stdev("kraken:A-USD"), rel=1e-9)

    exchange.prices.pop("A/USD")
    ticks(world, 9)
    assert state(world.row("kraken:A-USD")) == (1, True, None)


def test_an_outage_freezes_nothing_however_long(world: World, exchange: FakeExchange) -> None:
    exchange.error = Unavailable("kraken", "gone")
    ticks(world, 3 * FROZEN_PERIODS)
    world.tick(minutes=120)

    assert [(row.base, row.rank) for row in world.reader.ranking().metrics] == [("A", 1), ("B", 2), ("C", 3)]


def test_periods_without_an_answer_neither_count_nor_begin_the_count_anew(world: World, exchange: FakeExchange) -> None:
    exchange.prices.pop("A/USD")
    ticks(world, 5)
    exchange.error = Unavailable("kraken", "gone")
    ticks(world, 20)
    exchange.error = None
    world.tick(minutes=30)
    ticks(world, 3)
    assert state(world.row("kraken:A-USD")) == (1, True, None)

    world.tick()
    assert state(world.row("kraken:A-USD")) == (None, False, "frozen")


def test_another_exchange_that_answers_freezes_nothing_of_one_that_is_down(engine: Engine) -> None:
    down, up = FakeExchange("down", {"A/USD": 1.0}), FakeExchange("up", {"A/USD": 1.0})
    world = World(engine, [down, up])
    world.discover()
    world.tick()
    down.error = Unavailable("down", "gone")
    ticks(world, 2 * FROZEN_PERIODS)

    assert [(row.market, row.rank) for row in world.reader.ranking().metrics] == [("down", 1), ("up", 2)]


def test_what_never_had_a_price_is_frozen_too(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0}, listed={"A/USD": True, "B/USD": True})
    world = World(engine, [exchange])
    world.discover()
    ticks(world, FROZEN_PERIODS)

    assert state(world.row("kraken:B-USD")) == (None, False, "frozen")


def test_another_window_leaves_the_frozen_frozen(world: World, exchange: FakeExchange) -> None:
    freeze(world, exchange)
    world.windows = Windows(main=3600, rule=3600)
    world.restart()
    world.tick()

    assert state(world.row("kraken:A-USD")) == (None, False, "frozen")


def test_a_frozen_metric_that_is_delisted_says_so_and_is_frozen_again_when_only_its_listing_comes_back(
    world: World, exchange: FakeExchange
) -> None:
    freeze(world, exchange)
    exchange.listed = {"B/USD": True, "C/USD": True}
    world.discover()
    assert state(world.row("kraken:A-USD")) == (None, False, "delisted")
    ticks(world, FROZEN_PERIODS)
    assert state(world.row("kraken:A-USD")) == (None, False, "delisted")

    exchange.listed = {"A/USD": True, "B/USD": True, "C/USD": True}
    world.discover()
    assert state(world.row("kraken:A-USD")) == (None, False, "frozen")


def test_a_frozen_metric_fires_no_alert(world: World, exchange: FakeExchange) -> None:
    ticks(world, 10)
    exchange.prices["A/USD"] = 30.0
    exchange.error = Unavailable("kraken", "gone")  # so that the price is known to nobody
    world.tick()
    exchange.error = None
    freeze(world, exchange)
    ticks(world, 5)
    assert world.reader.alerts() == ()

    exchange.prices["A/USD"] = 30.0
    world.tick()
    assert [(alert.key, alert.fired_at) for alert in world.reader.alerts()] == [("kraken:A-USD", world.now)]


def test_what_is_frozen_is_no_longer_reported_as_odd(world: World, exchange: FakeExchange) -> None:
    exchange.prices.pop("A/USD")
    ticks(world, FROZEN_PERIODS)
    assert world.reader.status(world.now).exchanges[0].note == "1 of 3 tracked pairs without a price"

    exchange.prices |= {"B/USD": 6.0}
    world.tick()
    assert world.reader.status(world.now).exchanges[0].note is None

    del exchange.prices["B/USD"]
    exchange.prices |= {"C/USD": 6.0}
    world.tick()
    assert world.reader.status(world.now).exchanges[0].note == "1 of 2 tracked pairs without a price"
