"""What a rule fires live and what its replay fires are the same, whatever happened meanwhile."""

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from services.actions.alerts import StoreAlertService
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import AlertRule, built_in
from services.market.stats.metric_stats import Windows
from services.market.window_sums import ROLLING
from services.pipeline.backfill import Backfill
from services.pipeline.backfill_running_sums import backfill_running_sums
from services.store.database.engine import Engine, open_engine
from tests.builders import NOON
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.world import PERIOD, World
from tests.replays import firings_of

PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD")
WINDOWS = Windows(main=1_800, rule=3_600)

Prices = Callable[[str, int], float]
Fired = list[tuple[int, datetime]]


@pytest.fixture
def sqlite(migrated_sqlite_url: str) -> Iterator[Engine]:
    engine = open_engine(migrated_sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def other_sqlite(migrated_file: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / 'other.db')}")
    yield engine
    engine.dispose()


def prices_of(seed: int) -> Prices:
    """A price of each pair at each second, by chance but always the same, with spikes that last for some minutes."""

    @cache
    def price(pair: str, second: int) -> float:
        chance = np.random.default_rng([seed, PAIRS.index(pair), second // PERIOD])
        span = np.random.default_rng([seed, PAIRS.index(pair), second // (7 * PERIOD)])
        return float(100 * span.choice([1, 1, 1, 1.6, 4.0, 0.3]) * chance.uniform(0.9, 1.1))

    return price


def rules_by(chance: np.random.Generator) -> list[AlertRule]:
    """A rule of each kind on each quantity that has a history, with the rest by chance."""
    kinds: list[tuple[str, dict[str, Any]]] = [("price", {"kind": "no_data", "periods": int(chance.integers(1, 6))})]
    for quantity, usual in (("price", 100), ("volume", 1_000), ("stdev", 60), ("volatility", 0.5)):
        window = int(chance.choice([300, 900, 14_400]))
        kinds += [
            (quantity, {"kind": "average", "direction": "above", "factor": 1.3, "window_seconds": window}),
            (quantity, {"kind": "average", "direction": "below", "factor": 0.8, "window_seconds": window}),
            (quantity, {"kind": "change", "percent": 30, "window_seconds": window}),
            (quantity, {"kind": "level", "level": usual * float(chance.uniform(0.8, 1.3))}),
            (quantity, {"kind": "level", "direction": "up", "level": usual * float(chance.uniform(0.8, 1.3))}),
        ]
    return [
        parse_rule(
            {
                "name": "by chance",
                "scope": ["kraken:*"],
                "quantity": quantity,
                "condition": condition,
                "pending_seconds": int(chance.choice([0, 120, 300])),
                "cooldown_seconds": int(chance.choice([0, 300, 900])),
                "hysteresis_percent": float(chance.choice([0, 5])),
            }
        )
        for quantity, condition in kinds
    ]


def world_of(engine: Engine, price_at: Prices) -> World:
    exchange = FakeExchange("kraken", dict.fromkeys(PAIRS, 100.0), close_at=price_at)
    world = World(engine, [exchange], windows=WINDOWS)
    world.discover()
    return world


def arrive(world: World, price_at: Prices, pairs: tuple[str, ...] = PAIRS, *, volumes: bool = True) -> None:
    """The tick of the next period, in which the exchange tells the prices of `pairs`."""
    exchange = world.exchanges[0]
    second = int(world.now.timestamp()) + PERIOD
    exchange.prices = {pair: price_at(pair, second) for pair in pairs}
    exchange.volumes = {pair: 10 * price_at(pair, second + 7_777 * PERIOD) for pair in pairs if volumes}
    world.tick()


def hard_times(world: World, price_at: Prices, chance: np.random.Generator, periods: int) -> None:
    """Periods in which pairs fall silent, volumes are missing, processes die, and no process ticks."""
    silent_until = dict.fromkeys(PAIRS, 0)
    place = 0
    while place < periods:
        if chance.random() < 0.04:  # nobody is there
            away = int(chance.choice([1, 2, 3, 4, 5, 20]))
            world.now += timedelta(seconds=PERIOD * away)
            world.restart()
            place += away
        for pair in PAIRS:
            if chance.random() < 0.04:
                silent_until[pair] = place + int(chance.integers(1, 9))
        arriving = tuple(pair for pair in PAIRS if silent_until[pair] <= place)
        arrive(world, price_at, arriving, volumes=chance.random() < 0.8)
        if chance.random() < 0.1:
            world.restart()
        place += 1


def live(world: World, rule: AlertRule) -> Fired:
    found = world.reader.alerts(AlertQuery(rule_id=rule.id, limit=10_000))
    return sorted((alert.metric_id, alert.fired_at) for alert in found)


def replayed(alert_service: StoreAlertService, world: World, rule: AlertRule, since: datetime) -> Fired:
    return sorted((firing.metric_id, firing.at) for firing in firings_of(alert_service, rule, since, world.now, PERIOD))


def check_through_gaps(engine: Engine, seed: int) -> None:
    price_at, chance = prices_of(seed), np.random.default_rng(seed)
    world, alert_service = world_of(engine, price_at), StoreAlertService(engine, ())
    stored = [alert_service.add_rule(rule) for rule in rules_by(chance)]
    hard_times(world, price_at, chance, 150)

    found = 0
    for rule in (built_in(world.reader.profile), *stored):
        fired = live(world, rule)
        assert replayed(alert_service, world, rule, NOON) == fired, rule
        found += len(fired)
    assert found > 100


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_live_and_replay_are_equal_through_gaps_silences_and_restarts(
    migrated_file: Path, tmp_path: Path, part: int, soak: bool
) -> None:
    for seed in range(part, 100 if soak else 4, 4):
        engine = open_engine(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / f'{seed}.db')}")
        check_through_gaps(engine, seed)
        engine.dispose()


def test_they_are_equal_on_either_database(engine: Engine) -> None:
    check_through_gaps(engine, 100)


def backfill(world: World) -> None:
    (exchange,) = world.exchanges
    Backfill(world.plan, exchange, FakeClock(world.now + timedelta(seconds=5))).run(Event())
    backfill_running_sums(world.plan, world.now, None, lambda: True)


def watch_all(alert_service: StoreAlertService) -> None:
    """A rule on each quantity that looks back for longer than all others, and never fires."""
    looking_back = {"kind": "change", "percent": 1e6, "window_seconds": 14_400}
    for quantity in ("price", "volume", "stdev", "volatility"):
        given = {"name": "long", "scope": ["kraken:*"], "quantity": quantity, "condition": looking_back}
        alert_service.add_rule(parse_rule(given))


def check_late_backfill(engine: Engine, other_engine: Engine, seed: int) -> None:
    price_at, chance = prices_of(seed), np.random.default_rng(seed)
    late, in_time = world_of(engine, price_at), world_of(other_engine, price_at)
    services = StoreAlertService(engine, ()), StoreAlertService(other_engine, ())
    for alert_service in services:
        watch_all(alert_service)
    hard_times(late, price_at, chance, 120)
    while in_time.now < late.now:
        arrive(in_time, price_at)
    for world in (late, in_time):
        backfill(world)
    since, wanted = late.now, [rule for rule in rules_by(chance) if rule.quantity != "volume"]
    stored = [(services[0].add_rule(rule), services[1].add_rule(rule)) for rule in wanted]
    for _ in range(60):
        arrive(late, price_at)
        arrive(in_time, price_at)

    found: dict[str, int] = {}
    for own, other in stored:
        fired = live(late, own)
        assert fired == live(in_time, other), own
        assert fired == replayed(services[0], late, own, since), own
        name = f"{own.kind} {own.quantity}"
        found[name] = found.get(name, 0) + len(fired)
    assert sum(found.values()) > 60
    assert min(found[f"{kind} {quantity}"] for kind in ("average", "change") for quantity in ROLLING) > 0, found


@pytest.mark.parametrize("seed", range(3))
def test_after_a_late_backfill_rules_are_evaluated_as_if_all_had_come_in_time(
    sqlite: Engine, other_sqlite: Engine, seed: int
) -> None:
    check_late_backfill(sqlite, other_sqlite, seed)


def test_after_a_late_backfill_they_do_so_on_either_database(engine: Engine, other_sqlite: Engine) -> None:
    check_late_backfill(engine, other_sqlite, 3)


def fill_some(world: World, price_at: Prices, chance: np.random.Generator) -> None:
    """A backfill that finds a part of what is missing, and upkeep that is soon interrupted."""
    (exchange,) = world.exchanges
    step, begin = int(chance.choice([1, 2, 3, 60])), int(world.now.timestamp()) - int(chance.integers(4 * 3_600))
    exchange.close_at = lambda pair, second: (
        price_at(pair, second) if second < begin or second // PERIOD % step == 0 else None
    )
    Backfill(world.plan, exchange, FakeClock(world.now + timedelta(seconds=5))).run(Event())
    steps = iter([True] * int(chance.integers(4)))
    backfill_running_sums(world.plan, world.now, None, lambda: next(steps, False))


def track_fewer_for_a_while(world: World, price_at: Prices, chance: np.random.Generator) -> None:
    gone = int(chance.integers(len(PAIRS)))
    (exchange,) = world.exchanges
    exchange.prices = dict.fromkeys(PAIRS, 100.0)
    world.discover(",".join(f"kraken:{pair}" for pair in PAIRS if pair != PAIRS[gone]))
    for _ in range(int(chance.integers(1, 30))):
        arrive(world, price_at)
    exchange.prices = dict.fromkeys(PAIRS, 100.0)
    world.discover()


def change_window(world: World, chance: np.random.Generator) -> None:
    world.windows = Windows(main=int(chance.choice([900, 1_800, 3_600])), rule=3_600)
    world.restart()


def run_ahead(world: World, price_at: Prices, chance: np.random.Generator) -> None:
    """The clock is ahead for a few ticks, and put right."""
    right = world.now
    world.now += timedelta(hours=int(chance.choice([1, 3, 24])))
    for _ in range(int(chance.integers(1, 5))):
        arrive(world, price_at)
    world.now = right


def check_through_backfills(engine: Engine, seed: int) -> None:
    price_at, chance = prices_of(seed), np.random.default_rng([seed, 1])
    world, alert_service = world_of(engine, price_at), StoreAlertService(engine, ())
    watch_all(alert_service)
    for _ in range(6):
        hard_times(world, price_at, chance, int(chance.integers(5, 40)))
        match chance.integers(5):
            case 0:
                track_fewer_for_a_while(world, price_at, chance)
            case 1:
                change_window(world, chance)
            case 2:
                run_ahead(world, price_at, chance)
            case _:
                fill_some(world, price_at, chance)
    arrive(world, price_at)
    backfill_running_sums(world.plan, world.now, None, lambda: True)
    since = world.now
    stored = [alert_service.add_rule(rule) for rule in rules_by(chance)]
    hard_times(world, price_at, chance, 60)

    found = 0
    for rule in stored:
        fired = live(world, rule)
        assert replayed(alert_service, world, rule, since) == fired, rule
        found += len(fired) if rule.quantity in ROLLING and rule.window_seconds else 0
    assert found > 0


@pytest.mark.soak
@pytest.mark.parametrize("part", range(2))
def test_live_and_replay_are_equal_after_backfills_clocks_ahead_other_windows_and_pairs_that_were_away(
    migrated_file: Path, tmp_path: Path, part: int, soak: bool
) -> None:
    for seed in range(part, 100 if soak else 4, 2):
        engine = open_engine(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / f'{seed}.db')}")
        check_through_backfills(engine, seed)
        engine.dispose()


def test_they_are_so_on_either_database(engine: Engine) -> None:
    check_through_backfills(engine, 100)
