"""Rules that people wrote, from the price to the alert on record."""

from datetime import timedelta
from typing import Any

import pytest

from services.market.alert_rules import AlertRule, parse_rule
from services.market.errors import Unavailable
from services.store import alerts, mutes, rules
from services.store.engine import Engine, writing
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import World

LEVEL = {"kind": "level", "direction": "up", "level": 110.0}


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0, "SOL/USD": 1.0})


@pytest.fixture
def world(engine: Engine, exchange: FakeExchange) -> World:
    world = World(engine, [exchange], channels=["mail"])
    world.discover()
    world.tick()
    return world


def add(world: World, condition: dict[str, Any] = LEVEL, **changes: Any) -> AlertRule:
    given = {"name": "mine", "scope": ["kraken:*/USD"], "condition": condition, "cooldown_seconds": 600}
    with writing(world.engine) as connection:
        return rules.add(connection, parse_rule(given | changes))


def ticks(world: World, exchange: FakeExchange, *prices: float, pair: str = "BTC/USD") -> None:
    for price in prices:
        exchange.prices[pair] = price
        world.tick()


def fired(world: World) -> list[tuple[str, float]]:
    """What the rules of users fired, oldest first."""
    return [(alert.base, alert.price) for alert in world.reader.alerts()[::-1] if alert.rule_id]


def test_a_crossing_fires_once_and_resolves_with_its_figures_on_record(world: World, exchange: FakeExchange) -> None:
    rule = add(world)
    ticks(world, exchange, 105, 111, 112)
    assert fired(world) == [("BTC", 111.0)]

    (alert,) = world.reader.alerts()
    assert (alert.rule_id, alert.rule, alert.condition) == (rule.id, "mine", "price crosses 110 going up")
    assert (alert.value, alert.threshold, alert.average, alert.resolved_at) == (111.0, 110.0, None, None)
    ticks(world, exchange, 109)
    (alert,) = world.reader.alerts()
    assert alert.resolved_at == world.now


def test_what_is_beyond_a_level_when_the_rule_is_made_has_not_crossed_it(world: World, exchange: FakeExchange) -> None:
    ticks(world, exchange, 120)
    add(world)
    ticks(world, exchange, 125, 130)
    assert fired(world) == []


def test_a_crossing_while_the_exchange_was_away_is_found_when_it_is_back(world: World, exchange: FakeExchange) -> None:
    add(world)
    exchange.error = Unavailable("kraken", "gone")
    ticks(world, exchange, 120, 120)
    assert fired(world) == []

    exchange.error = None
    world.restart()
    ticks(world, exchange, 120)
    assert fired(world) == [("BTC", 120.0)]


@pytest.mark.parametrize("restarts", [False, True])
def test_the_average_is_of_the_window_without_the_latest_price(
    world: World, exchange: FakeExchange, restarts: bool
) -> None:
    add(world, {"kind": "average", "factor": 1.5, "window_seconds": 300, "min_samples": 5})
    ticks(world, exchange, 1000, 100, 100, 100, 100, 100)  # the first has left when the last is judged
    if restarts:
        world.restart()
    ticks(world, exchange, 151)

    (alert,) = [alert for alert in world.reader.alerts() if alert.price == 151]
    assert (alert.average, alert.factor, alert.samples) == (pytest.approx(100.0), 1.5, 5)
    assert alert.threshold == pytest.approx(150.0)


def test_a_change_is_judged_by_the_price_when_the_window_began(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "change", "direction": "down", "percent": 10, "window_seconds": 300})
    ticks(world, exchange, 100, 101, 102, 103, 104, 105, 91)
    assert fired(world) == []
    ticks(world, exchange, 91)  # five minutes ago it was 102
    assert fired(world) == [("BTC", 91.0)]
    assert world.reader.alerts()[0].reference == 102.0


def test_rules_watch_volume_and_rank_too(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "top", "places": 1}, quantity="rank", name="first")
    add(world, {"kind": "level", "direction": "up", "level": 5.0}, quantity="stdev", name="restless")
    ticks(world, exchange, 20, 40, pair="ETH/USD")

    assert {(alert.rule, alert.base, alert.quantity) for alert in world.reader.alerts()} == {
        ("first", "ETH", "rank"),
        ("restless", "ETH", "stdev"),
    }


def test_a_metric_without_a_price_is_missed_by_the_rule_for_that(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "no_data", "periods": 4}, pending_seconds=0)
    del exchange.prices["SOL/USD"]
    ticks(world, exchange, 100, 100, 100)
    assert fired(world) == []
    ticks(world, exchange, 100)
    assert fired(world) == [("SOL", 1.0)]
    exchange.prices["SOL/USD"] = 1.1
    ticks(world, exchange, 100)
    assert world.reader.alerts()[0].resolved_at == world.now


def test_only_the_scope_of_a_rule_is_watched(world: World, exchange: FakeExchange) -> None:
    add(world, scope=["kraken:E*/USD", "binance:*"])
    ticks(world, exchange, 120)
    ticks(world, exchange, 120, pair="ETH/USD")
    assert fired(world) == [("ETH", 120.0)]


def test_the_cooldown_holds_over_restarts_and_changes_of_the_rule(world: World, exchange: FakeExchange) -> None:
    rule = add(world)
    ticks(world, exchange, 120, 100)
    with writing(world.engine) as connection:
        rules.replace(connection, parse_rule(rules_given("renamed"), rule.id), int(world.now.timestamp()))
    world.restart()
    ticks(world, exchange, *[120, 100] * 4)
    assert len(fired(world)) == 1

    ticks(world, exchange, 120)
    assert len(fired(world)) == 2


def rules_given(name: str) -> dict[str, Any]:
    return {"name": name, "scope": ["kraken:*/USD"], "condition": LEVEL, "cooldown_seconds": 600}


def test_a_rule_that_is_switched_off_or_removed_ends_its_alerts(world: World, exchange: FakeExchange) -> None:
    first, second = add(world), add(world)
    ticks(world, exchange, 120)
    now = int((world.now + timedelta(seconds=30)).timestamp())
    with writing(world.engine) as connection:
        rules.replace(connection, parse_rule(rules_given("off") | {"enabled": False}, first.id), now)
        assert rules.remove(connection, second.id, now)
        assert not rules.remove(connection, second.id, now)
    assert [alert.resolved_at is not None for alert in world.reader.alerts()] == [True, True]

    ticks(world, exchange, 100, 130)
    assert len(fired(world)) == 2


def test_a_muted_alert_is_recorded_and_owes_nobody_a_message(world: World, exchange: FakeExchange) -> None:
    rule = add(world, cooldown_seconds=0)
    now = int(world.now.timestamp())
    with writing(world.engine) as connection:
        mutes.add(connection, rule.id, world.row("kraken:BTC-USD").id, None, None, now)
    ticks(world, exchange, 120)
    ticks(world, exchange, 120, pair="ETH/USD")
    assert {(alert.base, alert.muted) for alert in world.reader.alerts() if alert.rule_id} == {
        ("BTC", True),
        ("ETH", False),
    }
    with writing(world.engine) as connection:
        owed = alerts.claim(connection, ["mail"], int(world.now.timestamp()), 60, 10)
    assert {message.alert.base for message in owed if message.alert.rule_id} == {"ETH"}

    ticks(world, exchange, 100, 120)  # it was to last until the alert resolved
    assert not world.reader.alerts()[0].muted


def test_a_built_in_alert_resolves_when_the_price_is_back(world: World, exchange: FakeExchange) -> None:
    ticks(world, exchange, *[100] * 6, 1000)
    (alert,) = world.reader.alerts()
    assert (alert.rule_id, alert.rule, alert.condition, alert.resolved_at) == (0, None, None, None)
    ticks(world, exchange, 100)
    assert world.reader.alerts()[0].resolved_at == world.now
