import pytest

from services.market.alerting.rules import built_in_rule
from services.market.errors import Unavailable
from services.market.stats.metric_stats import Windows
from services.store.alerting import outbox
from services.store.database.engine import Engine, writing
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0})


@pytest.fixture
def world(engine: Engine, exchange: FakeExchange) -> World:
    world = World(engine, [exchange], channels=["mail", "chat"])
    world.discover()
    return world


def ticks(world: World, count: int) -> None:
    for _ in range(count):
        world.tick()


def fired(world: World) -> list[tuple[str, float, float, int]]:
    return [(alert.key, alert.price, alert.average, alert.samples) for alert in world.reader.alerts()]


def test_a_price_above_three_times_the_average_before_it_fires_once(world: World, exchange: FakeExchange) -> None:
    ticks(world, 10)
    exchange.prices["BTC/USD"] = 300.0
    world.tick()
    assert fired(world) == []

    exchange.prices["BTC/USD"] = 500.0
    world.tick()

    average = (10 * 100.0 + 300.0) / 11
    assert fired(world) == [("kraken:BTC-USD", 500.0, pytest.approx(average), 11)]
    assert world.row("kraken:BTC-USD").alerted_at == world.now
    assert world.row("kraken:ETH-USD").alerted_at is None


def test_four_prices_are_too_few_to_compare_with_and_five_are_enough(world: World, exchange: FakeExchange) -> None:
    ticks(world, 4)
    exchange.prices["BTC/USD"] = 1000.0
    world.tick()
    assert fired(world) == []

    exchange.prices["BTC/USD"] = 10_000.0
    world.tick()
    assert [alert[3] for alert in fired(world)] == [5]


def test_the_average_is_of_the_last_hour_only(world: World, exchange: FakeExchange) -> None:
    exchange.prices["BTC/USD"] = 10_000.0
    ticks(world, 5)
    exchange.prices["BTC/USD"] = 100.0
    ticks(world, 60)
    exchange.prices["BTC/USD"] = 301.0
    world.tick()

    assert fired(world) == [("kraken:BTC-USD", 301.0, pytest.approx(100.0), 60)]


def test_the_next_alert_waits_for_the_cooldown_also_across_restarts(world: World, exchange: FakeExchange) -> None:
    ticks(world, 10)
    exchange.prices["BTC/USD"] = 1_000.0
    world.tick()
    first = world.now
    price = 1_000.0
    while (world.now - first).total_seconds() < 59 * 60:
        price *= 1.5
        exchange.prices["BTC/USD"] = price
        world.restart()
        world.tick()
        assert len(fired(world)) == 1

    exchange.prices["BTC/USD"] = price * 100
    world.tick()
    assert len(fired(world)) == 2


def test_a_price_that_is_not_of_this_period_never_fires(world: World, exchange: FakeExchange) -> None:
    ticks(world, 10)
    exchange.prices["BTC/USD"] = 1_000.0
    exchange.error = Unavailable("kraken", "gone")
    ticks(world, 3)
    assert fired(world) == []


def test_every_channel_gets_one_message_in_the_same_commit(world: World, exchange: FakeExchange) -> None:
    ticks(world, 10)
    exchange.prices |= {"BTC/USD": 1_000.0, "ETH/USD": 100.0}
    report = world.tick()

    assert report is not None
    assert [firing.metric_id for firing in report.fired] == [1, 2]
    with writing(world.engine) as connection:
        claimed = [outbox.claim(connection, channel, int(world.now.timestamp()), "me") for channel in ("mail", "chat")]
    assert [one and [entry.alert.base for entry in one.message.entries] for one in claimed] == [["BTC", "ETH"]] * 2


def test_a_rule_with_a_window_of_its_own_looks_back_that_far(engine: Engine, exchange: FakeExchange) -> None:
    rule = built_in_rule(factor=2.0, window_seconds=600, cooldown_seconds=0, min_samples=1)
    world = World(engine, [exchange], windows=Windows(main=86_400, rule=600), rule=rule)
    world.discover()
    exchange.prices["BTC/USD"] = 1_000.0
    ticks(world, 10)
    exchange.prices["BTC/USD"] = 100.0
    ticks(world, 10)
    exchange.prices["BTC/USD"] = 250.0
    world.tick()

    assert fired(world) == [("kraken:BTC-USD", 250.0, pytest.approx(100.0), 10)]
    assert world.row("kraken:BTC-USD").average_1h == pytest.approx(550.0)
