"""Replays of rules: they fire what the live engine fired."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from services.actions.alerts import StoreAlertService
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import BadRule, built_in, built_in_rule
from services.market.stats.metric_stats import Windows
from services.store.alerting import replay_data as replay_store
from services.store.database.engine import Engine
from tests.fakes_exchange import FakeExchange
from tests.pipeline.world import PERIOD, World
from tests.replays import firings_of

PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD")


@pytest.fixture
def world(engine: Engine) -> World:
    """Some hours of prices with spikes, gaps and plunges, ticked live."""
    exchange = FakeExchange("kraken", dict.fromkeys(PAIRS, 100.0))
    rule = built_in_rule(factor=3.0, window_seconds=3600, cooldown_seconds=3600, min_samples=5)
    world = World(engine, [exchange], rule=rule, windows=Windows(main=5_400, rule=3_600))
    world.discover()
    return world


def live(world: World, minutes: int) -> None:
    chance = np.random.default_rng(7)
    exchange = world.exchanges[0]
    for _ in range(minutes):
        for pair in PAIRS:
            spike = chance.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, 4.5, 0.2])
            exchange.prices[pair] = float(100 * spike * chance.uniform(0.95, 1.05))
        if chance.random() < 0.1:
            del exchange.prices[PAIRS[int(chance.integers(3))]]
        world.tick()


def fired(world: World, rule_id: int) -> list[tuple[int, datetime]]:
    found = world.reader.alerts(AlertQuery(rule_id=rule_id, limit=10_000))
    return sorted((alert.metric_id, alert.fired_at) for alert in found)


def test_replays_come_to_what_the_live_engine_fired(world: World) -> None:
    alert_service = StoreAlertService(world.engine, ())
    given: tuple[dict[str, Any], ...] = (
        {"kind": "average", "factor": 2.0, "window_seconds": 900},
        {"kind": "change", "direction": "down", "percent": 50, "window_seconds": 300},
        {"kind": "level", "direction": "either", "level": 200.0},
        {"kind": "no_data", "periods": 1},
    )
    quantities = ["price"] * len(given)
    for quantity, level in (("stdev", 100.0), ("volatility", 0.8)):
        given += ({"kind": "level", "direction": "either", "level": level}, given[0] | {"factor": 1.02})
        quantities += [quantity] * 2
    plain = {"name": "x", "scope": ["kraken:*"], "cooldown_seconds": 600}
    stored = [
        alert_service.add_rule(parse_rule(plain | {"quantity": quantity, "condition": condition}))
        for quantity, condition in zip(quantities, given, strict=True)
    ]
    start = world.now
    live(world, 200)

    for rule in (built_in(world.reader.profile), *stored):
        replayed = firings_of(alert_service, rule, start, world.now, PERIOD)
        assert sorted((firing.metric_id, firing.at) for firing in replayed) == fired(world, rule.id)
        assert len(replayed) > 3


def test_standard_deviations_of_before_longer_periods_are_of_all_prices(world: World) -> None:
    alert_service = StoreAlertService(world.engine, ())
    live(world, 60)
    world.period = 300
    world.restart()
    given = {"name": "x", "scope": ["kraken:*"], "quantity": "stdev", "cooldown_seconds": 0}
    rule = alert_service.add_rule(
        parse_rule(given | {"condition": {"kind": "level", "direction": "either", "level": 100.0}})
    )
    start = world.now
    chance = np.random.default_rng(3)
    for _ in range(30):
        world.exchanges[0].prices = {pair: float(100 * chance.choice([1, 1, 4.5])) for pair in PAIRS}
        world.tick(minutes=5)

    replayed = firings_of(alert_service, rule, start, world.now, 300)
    assert sorted((firing.metric_id, firing.at) for firing in replayed) == fired(world, rule.id)
    assert len(replayed) > 3


def test_only_the_time_that_is_asked_for_counts_and_what_was_before_fills_the_windows(world: World) -> None:
    alert_service = StoreAlertService(world.engine, ())
    live(world, 120)
    rule = built_in(world.reader.profile)
    half = world.now - timedelta(minutes=60)
    assert {firing.at > half for firing in firings_of(alert_service, rule, half, world.now, PERIOD)} == {True}


def test_what_is_too_much_or_not_stored_is_refused_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert_service = StoreAlertService(world.engine, ())
    rank = parse_rule({"name": "x", "scope": ["a:*"], "quantity": "rank", "condition": {"kind": "top", "places": 3}})
    with pytest.raises(
        BadRule, match="only price, volume, stdev, volatility can be replayed; the history of rank is not stored"
    ):
        firings_of(alert_service, rank, world.now - timedelta(days=1), world.now, PERIOD)
    monkeypatch.setattr(replay_store, "MAX_VALUES", 100)
    with pytest.raises(BadRule, match="scope: 3 metrics x 1,530 periods are more than 100 values"):
        firings_of(alert_service, built_in(world.reader.profile), world.now - timedelta(days=1), world.now, PERIOD)
