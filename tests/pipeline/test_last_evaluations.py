"""Rules on crossings compare with what they saw themselves, whatever others made of the figures since."""

from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from services.actions.alerts import StoreAlertService
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import AlertRule
from services.market.stats.metric_stats import Windows
from services.pipeline.backfill import Backfill
from services.store.database.engine import Engine
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.world import World


def rule_of(condition: dict[str, Any], quantity: str = "price", **changes: Any) -> AlertRule:
    given = {"name": "mine", "scope": ["kraken:*"], "quantity": quantity, "condition": condition, "cooldown_seconds": 0}
    return parse_rule(given | changes)


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", dict.fromkeys(("A/USD", "B/USD", "C/USD", "D/USD"), 100.0))


@pytest.fixture
def world(engine: Engine, exchange: FakeExchange) -> World:
    """Ranks A B C D by their standard deviations."""
    world = World(engine, [exchange], windows=Windows(main=3_600, rule=3_600))
    world.discover()
    for _ in range(2):
        for place, base in enumerate("ABCD"):
            exchange.prices[f"{base}/USD"] += 8 - 2 * place
        world.tick()
    assert [row.base for row in world.reader.ranking().metrics] == list("ABCD")
    return world


@pytest.fixture
def alert_service(world: World) -> StoreAlertService:
    return StoreAlertService(world.engine, ())


def fired(world: World) -> list[tuple[str, float | None]]:
    return [(alert.base, alert.value) for alert in world.reader.alerts()[::-1] if alert.rule_id]


@pytest.mark.parametrize("restarts", [False, True])
def test_who_comes_to_the_top_between_two_ticks_because_another_is_halted_has_come_there(
    world: World, exchange: FakeExchange, alert_service: StoreAlertService, restarts: bool
) -> None:
    alert_service.add_rule(rule_of({"kind": "top", "places": 2}, "rank"))
    world.tick()
    exchange.listed = dict.fromkeys(exchange.prices, True) | {"A/USD": False}
    world.discover("kraken:A/USD,kraken:*/USD")
    assert world.row("kraken:C-USD").rank == 2
    if restarts:
        world.restart()
    world.tick()
    world.tick()
    assert fired(world) == [("C", 2.0)]


def test_who_is_back_where_it_was_has_not_come_there(
    world: World, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    alert_service.add_rule(rule_of({"kind": "top", "places": 2}, "rank"))
    world.tick()
    listed = dict.fromkeys(exchange.prices, True)
    for exchange.listed in (listed | {"A/USD": False}, listed):
        world.discover("kraken:A/USD,kraken:*/USD")
    world.tick()
    assert fired(world) == []


def test_what_a_backfill_lifts_over_a_level_has_crossed_it_at_the_next_look(
    engine: Engine, exchange: FakeExchange
) -> None:
    exchange.prices = {"A/USD": 100.0}
    exchange.close_at = lambda _pair, second: 90.0 if second // 60 % 2 else 110.0
    world = World(engine, [exchange], windows=Windows(main=3_600, rule=3_600))
    world.discover()
    StoreAlertService(engine, ()).add_rule(rule_of({"kind": "level", "direction": "up", "level": 8.0}, "stdev"))
    world.tick()
    world.tick()
    assert world.row("kraken:A-USD").stdev == 0.0

    Backfill(world.plan, exchange, FakeClock(world.now + timedelta(seconds=5))).run(Event())
    world.tick()
    world.tick()
    ((base, stdev),) = fired(world)
    assert (base, stdev) == ("A", pytest.approx(9.67, abs=0.1))


def test_a_rule_that_is_changed_compares_what_was_seen_with_its_new_level(
    world: World, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    rule = alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 200.0}))
    exchange.prices["B/USD"] = 150.0
    world.tick()
    alert_service.change_rule(parse_rule_like(rule, level=140.0), world.now)  # it is beyond that already
    world.tick()
    assert fired(world) == []
    alert_service.change_rule(parse_rule_like(rule, level=160.0), world.now)
    exchange.prices["B/USD"] = 170.0
    world.tick()
    assert fired(world) == [("B", 170.0)]


def test_what_is_crossed_while_a_rule_is_off_is_not_fired_when_it_is_on_again(
    world: World, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    rule = alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 140.0}))
    world.tick()
    alert_service.change_rule(parse_rule_like(rule, level=140.0, enabled=False), world.now)
    exchange.prices["B/USD"] = 150.0
    world.tick()
    alert_service.change_rule(parse_rule_like(rule, level=140.0), world.now)
    world.tick()
    assert fired(world) == []


def test_a_metric_that_was_away_for_a_while_crosses_when_it_is_seen_beyond(
    world: World, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 140.0}))
    world.tick()
    del exchange.prices["B/USD"]
    for _ in range(30):
        world.tick()
    assert fired(world) == []
    exchange.prices["B/USD"] = 150.0
    world.tick()
    assert fired(world) == [("B", 150.0)]


def test_a_metric_that_was_not_tracked_meanwhile_begins_anew(
    world: World, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 140.0}))
    world.tick()
    world.discover("kraken:A/USD")
    world.tick()
    exchange.prices["B/USD"] = 150.0
    world.discover()
    world.tick()
    world.tick()
    assert fired(world) == []


def parse_rule_like(rule: AlertRule, level: float, *, enabled: bool = True) -> AlertRule:
    condition = {"kind": "level", "direction": "up", "level": level}
    return parse_rule(
        {"name": rule.name, "scope": ["kraken:*"], "condition": condition, "cooldown_seconds": 0, "enabled": enabled},
        rule.id,
    )
