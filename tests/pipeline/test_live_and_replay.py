"""A rule fires the same alerts live and in a replay, through gaps, restarts, backfills and clock errors."""

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
from tests.engines import engine_on
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PERIOD, PipelineHarness
from tests.replays import firings_of

PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD")
WINDOWS = Windows(main=1_800, rule=3_600)

Prices = Callable[[str, int], float]
Fired = list[tuple[int, datetime]]


@pytest.fixture
def sqlite(migrated_sqlite_url: str) -> Iterator[Engine]:
    yield from engine_on(migrated_sqlite_url)


def prices_of(seed: int) -> Prices:
    """Random but repeatable prices of each pair at each second, with spikes of some minutes."""

    @cache
    def price(pair: str, second: int) -> float:
        chance = np.random.default_rng([seed, PAIRS.index(pair), second // PERIOD])
        span = np.random.default_rng([seed, PAIRS.index(pair), second // (7 * PERIOD)])
        return float(100 * span.choice([1, 1, 1, 1.6, 4.0, 0.3]) * chance.uniform(0.9, 1.1))

    return price


def rules_by(chance: np.random.Generator) -> list[AlertRule]:
    """A rule of each kind on each quantity with history; its other fields are random."""
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


def pipeline_of(engine: Engine, price_at: Prices) -> PipelineHarness:
    exchange = FakeExchange("kraken", dict.fromkeys(PAIRS, 100.0), close_at=price_at)
    pipeline = PipelineHarness(engine, [exchange], windows=WINDOWS)
    pipeline.discover()
    return pipeline


def tick_with_prices(
    pipeline: PipelineHarness, price_at: Prices, pairs: tuple[str, ...] = PAIRS, *, volumes: bool = True
) -> None:
    """Tick the next period, in which the exchange reports prices of `pairs`."""
    exchange = pipeline.exchanges[0]
    second = int(pipeline.now.timestamp()) + PERIOD
    exchange.prices = {pair: price_at(pair, second) for pair in pairs}
    exchange.volumes = {pair: 10 * price_at(pair, second + 7_777 * PERIOD) for pair in pairs if volumes}
    pipeline.tick()


def tick_through_outages(
    pipeline: PipelineHarness, price_at: Prices, chance: np.random.Generator, periods: int
) -> None:
    """Periods in which pairs fall silent, volumes are missing, processes die, and no process ticks."""
    silent_until = dict.fromkeys(PAIRS, 0)
    place = 0
    while place < periods:
        if chance.random() < 0.04:  # no process is running
            away = int(chance.choice([1, 2, 3, 4, 5, 20]))
            pipeline.now += timedelta(seconds=PERIOD * away)
            pipeline.restart()
            place += away
        for pair in PAIRS:
            if chance.random() < 0.04:
                silent_until[pair] = place + int(chance.integers(1, 9))
        arriving = tuple(pair for pair in PAIRS if silent_until[pair] <= place)
        tick_with_prices(pipeline, price_at, arriving, volumes=chance.random() < 0.8)
        if chance.random() < 0.1:
            pipeline.restart()
        place += 1


def live(pipeline: PipelineHarness, rule: AlertRule) -> Fired:
    found = pipeline.reader.alerts(AlertQuery(rule_id=rule.id, limit=10_000))
    return sorted((alert.metric_id, alert.fired_at) for alert in found)


def replayed(alert_service: StoreAlertService, pipeline: PipelineHarness, rule: AlertRule, since: datetime) -> Fired:
    return sorted(
        (firing.metric_id, firing.at) for firing in firings_of(alert_service, rule, since, pipeline.now, PERIOD)
    )


def check_through_gaps(engine: Engine, seed: int) -> None:
    price_at, chance = prices_of(seed), np.random.default_rng(seed)
    pipeline, alert_service = pipeline_of(engine, price_at), StoreAlertService(engine, ())
    stored = [alert_service.add_rule(rule) for rule in rules_by(chance)]
    tick_through_outages(pipeline, price_at, chance, 150)

    found = 0
    for rule in (built_in(pipeline.reader.profile), *stored):
        fired = live(pipeline, rule)
        assert replayed(alert_service, pipeline, rule, NOON) == fired, rule
        found += len(fired)
    assert found > 100


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_live_and_replay_are_equal_through_gaps_outages_and_restarts(
    migrated_file: Path, tmp_path: Path, part: int, soak: bool
) -> None:
    for seed in range(part, 100 if soak else 4, 4):
        engine = open_engine(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / f'{seed}.db')}")
        check_through_gaps(engine, seed)
        engine.dispose()


def test_live_and_replay_are_equal_on_both_databases(engine: Engine) -> None:
    check_through_gaps(engine, 100)


def backfill(pipeline: PipelineHarness) -> None:
    (exchange,) = pipeline.exchanges
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    backfill_running_sums(pipeline.plan, pipeline.now, None, lambda: True)


def watch_all(alert_service: StoreAlertService) -> None:
    """Add a rule on each quantity with a longer window than all others, which never fires."""
    looking_back = {"kind": "change", "percent": 1e6, "window_seconds": 14_400}
    for quantity in ("price", "volume", "stdev", "volatility"):
        given = {"name": "long", "scope": ["kraken:*"], "quantity": quantity, "condition": looking_back}
        alert_service.add_rule(parse_rule(given))


def check_late_backfill(engine: Engine, other_engine: Engine, seed: int) -> None:
    price_at, chance = prices_of(seed), np.random.default_rng(seed)
    late, in_time = pipeline_of(engine, price_at), pipeline_of(other_engine, price_at)
    services = StoreAlertService(engine, ()), StoreAlertService(other_engine, ())
    for alert_service in services:
        watch_all(alert_service)
    tick_through_outages(late, price_at, chance, 120)
    while in_time.now < late.now:
        tick_with_prices(in_time, price_at)
    for pipeline in (late, in_time):
        backfill(pipeline)
    since, wanted = late.now, [rule for rule in rules_by(chance) if rule.quantity != "volume"]
    stored = [(services[0].add_rule(rule), services[1].add_rule(rule)) for rule in wanted]
    for _ in range(60):
        tick_with_prices(late, price_at)
        tick_with_prices(in_time, price_at)

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
def test_after_a_late_backfill_rules_are_evaluated_as_if_all_prices_had_been_in_time(
    sqlite: Engine, other_sqlite: Engine, seed: int
) -> None:
    check_late_backfill(sqlite, other_sqlite, seed)


def test_a_late_backfill_changes_no_evaluation_on_either_database(engine: Engine, other_sqlite: Engine) -> None:
    check_late_backfill(engine, other_sqlite, 3)


def fill_some(pipeline: PipelineHarness, price_at: Prices, chance: np.random.Generator) -> None:
    """Run a backfill that finds only some candles, and an interrupted upkeep."""
    (exchange,) = pipeline.exchanges
    step, begin = int(chance.choice([1, 2, 3, 60])), int(pipeline.now.timestamp()) - int(chance.integers(4 * 3_600))
    exchange.close_at = lambda pair, second: (
        price_at(pair, second) if second < begin or second // PERIOD % step == 0 else None
    )
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    steps = iter([True] * int(chance.integers(4)))
    backfill_running_sums(pipeline.plan, pipeline.now, None, lambda: next(steps, False))


def track_fewer_for_a_while(pipeline: PipelineHarness, price_at: Prices, chance: np.random.Generator) -> None:
    gone = int(chance.integers(len(PAIRS)))
    (exchange,) = pipeline.exchanges
    exchange.prices = dict.fromkeys(PAIRS, 100.0)
    pipeline.discover(",".join(f"kraken:{pair}" for pair in PAIRS if pair != PAIRS[gone]))
    for _ in range(int(chance.integers(1, 30))):
        tick_with_prices(pipeline, price_at)
    exchange.prices = dict.fromkeys(PAIRS, 100.0)
    pipeline.discover()


def change_window(pipeline: PipelineHarness, chance: np.random.Generator) -> None:
    pipeline.windows = Windows(main=int(chance.choice([900, 1_800, 3_600])), rule=3_600)
    pipeline.restart()


def run_ahead(pipeline: PipelineHarness, price_at: Prices, chance: np.random.Generator) -> None:
    """Tick a few times with a clock that is ahead, then correct it."""
    right = pipeline.now
    pipeline.now += timedelta(hours=int(chance.choice([1, 3, 24])))
    for _ in range(int(chance.integers(1, 5))):
        tick_with_prices(pipeline, price_at)
    pipeline.now = right


def check_through_backfills(engine: Engine, seed: int) -> None:
    price_at, chance = prices_of(seed), np.random.default_rng([seed, 1])
    pipeline, alert_service = pipeline_of(engine, price_at), StoreAlertService(engine, ())
    watch_all(alert_service)
    for _ in range(6):
        tick_through_outages(pipeline, price_at, chance, int(chance.integers(5, 40)))
        match chance.integers(5):
            case 0:
                track_fewer_for_a_while(pipeline, price_at, chance)
            case 1:
                change_window(pipeline, chance)
            case 2:
                run_ahead(pipeline, price_at, chance)
            case _:
                fill_some(pipeline, price_at, chance)
    tick_with_prices(pipeline, price_at)
    backfill_running_sums(pipeline.plan, pipeline.now, None, lambda: True)
    since = pipeline.now
    stored = [alert_service.add_rule(rule) for rule in rules_by(chance)]
    tick_through_outages(pipeline, price_at, chance, 60)

    found = 0
    for rule in stored:
        fired = live(pipeline, rule)
        assert replayed(alert_service, pipeline, rule, since) == fired, rule
        found += len(fired) if rule.quantity in ROLLING and rule.window_seconds else 0
    assert found > 0


@pytest.mark.soak
@pytest.mark.parametrize("part", range(2))
def test_live_and_replay_are_equal_after_backfills_clock_errors_window_changes_and_absent_pairs(
    migrated_file: Path, tmp_path: Path, part: int, soak: bool
) -> None:
    for seed in range(part, 100 if soak else 4, 2):
        engine = open_engine(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / f'{seed}.db')}")
        check_through_backfills(engine, seed)
        engine.dispose()


def test_live_and_replay_are_equal_after_backfills_on_both_databases(engine: Engine) -> None:
    check_through_backfills(engine, 100)
