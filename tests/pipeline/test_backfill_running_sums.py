"""Rules with windows, and the running sums computed for them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import numpy as np
import pytest

from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import AlertRule
from services.market.alerting.running_sums import average_between
from services.market.alerting.states import FIRING, NO_DATA
from services.market.errors import LeaseLost
from services.market.stats.metric_stats import Windows
from services.market.types import Catalogue
from services.market.window_sums import ROLLING
from services.pipeline.backfill import Backfill
from services.pipeline.backfill_running_sums import backfill_running_sums
from services.store.alerting import rules, running_sums_recomputation
from services.store.alerting.running_sums import StoredSumHistory
from services.store.alerting.running_sums_recomputation import SUMMED_QUANTITIES
from services.store.database import leases
from services.store.database.engine import Connection, Engine, reading, writing
from services.store.ranking.metrics import CatalogueCache
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness

WINDOWS = (300, 3_600, 14_400)


def always() -> bool:
    return True


def add(pipeline: PipelineHarness, quantity: str, window: int, **condition: Any) -> AlertRule:
    change = {"kind": "change", "direction": "either", "percent": 1_000_000.0, "window_seconds": window} | condition
    change = {name: value for name, value in change.items() if value is not None}
    given = {"name": "mine", "scope": ["kraken:*"], "quantity": quantity, "condition": change, "cooldown_seconds": 0}
    with writing(pipeline.engine) as connection:
        return rules.add(connection, parse_rule(given))


def ticked(engine: Engine, minutes: int, *, first: bool) -> PipelineHarness:
    """A pipeline with random but repeatable prices and volumes of two pairs with gaps.

    The rules are added before the ticks if `first`, and after them otherwise.
    """
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    chance = np.random.default_rng(5)
    if first:
        watch(pipeline)
    for _ in range(minutes):
        draws = {pair: float(chance.uniform(50, 150)) for pair in ("BTC/USD", "ETH/USD")}
        exchange.prices = {pair: price for pair, price in draws.items() if chance.random() > 0.2}
        exchange.volumes = {pair: 10 * price for pair, price in draws.items() if chance.random() > 0.1}
        pipeline.tick()
    if not first:
        watch(pipeline)
        exchange.prices = {"BTC/USD": 120.0, "ETH/USD": 70.0}
        pipeline.tick()
    return pipeline


def watch(pipeline: PipelineHarness) -> None:
    for quantity in SUMMED_QUANTITIES:
        add(pipeline, quantity, WINDOWS[-1])


def averages_and_changes(pipeline: PipelineHarness, quantity: str) -> list[tuple[list[float], list[float], list[int]]]:
    """For each window: the values at its start, the averages, and their numbers of values."""
    ids, now, found = np.array([1, 2]), int(pipeline.now.timestamp()), []
    with reading(pipeline.engine) as connection:
        history = StoredSumHistory(connection)
        last = history.last_until(quantity, now - 1)
        for window in WINDOWS:
            begin, edge = history.last_until(quantity, now - window), history.first_from(quantity, now - window)
            assert begin is not None
            assert edge is not None
            assert last is not None
            assert begin.minute > now - window - 300
            average, count = average_between(edge.of(ids), last.of(ids))
            found.append((begin.of(ids).value.tolist(), average.tolist(), count.tolist()))
    return found


@pytest.mark.parametrize("quantity", SUMMED_QUANTITIES)
def test_a_new_rule_gets_the_same_sums_as_one_that_always_existed(
    engine: Engine, other_sqlite: Engine, quantity: str
) -> None:
    late, always_there = ticked(engine, 300, first=False), ticked(other_sqlite, 300, first=True)
    assert isinstance(always_there.exchanges[0], FakeExchange)
    always_there.exchanges[0].prices = {"BTC/USD": 120.0, "ETH/USD": 70.0}
    always_there.tick()

    assert backfill_running_sums(late.plan, late.now, None, always) > 2 * 60
    late.tick()
    always_there.tick()

    for given, expected in zip(
        averages_and_changes(late, quantity), averages_and_changes(always_there, quantity), strict=True
    ):
        assert given[0] == pytest.approx(expected[0], rel=1e-9 if quantity in ROLLING else 0, nan_ok=True)
        assert given[1] == pytest.approx(expected[1], rel=1e-9 if quantity in ROLLING else 1e-14)
        assert given[2] == expected[2]
    assert backfill_running_sums(late.plan, late.now, None, always) == 0


def test_a_new_rule_fires_in_its_second_tick(engine: Engine) -> None:
    pipeline = ticked(engine, 30, first=False)
    add(pipeline, "price", 300, direction="up", percent=100.0)
    pipeline.tick()
    backfill_running_sums(pipeline.plan, pipeline.now, None, always)
    assert isinstance(pipeline.exchanges[0], FakeExchange)
    pipeline.exchanges[0].prices = {"BTC/USD": 1_000.0}
    pipeline.tick()

    assert [(alert.base, alert.value) for alert in pipeline.reader.alerts() if alert.rule_id] == [("BTC", 1_000.0)]


def test_an_interrupted_backfill_of_sums_resumes_where_it_stopped(engine: Engine, other_sqlite: Engine) -> None:
    pipeline, other = ticked(engine, 120, first=False), ticked(other_sqlite, 120, first=False)
    steps = iter([True])
    assert backfill_running_sums(pipeline.plan, pipeline.now, None, lambda: next(steps, False)) == 60
    backfill_running_sums(pipeline.plan, pipeline.now, None, always)
    backfill_running_sums(other.plan, other.now, None, always)

    with reading(engine) as connection, reading(other_sqlite) as at_once:
        given, expected = StoredSumHistory(connection), StoredSumHistory(at_once)
        assert given.minutes("price") == expected.minutes("price")
        for minute in expected.minutes("price"):
            one, two = given.first_from("price", minute), expected.first_from("price", minute)
            assert one is not None
            assert two is not None
            assert np.array_equal(one.value, two.value, equal_nan=True)
            assert one.total + one.rest == pytest.approx(two.total + two.rest, rel=1e-12, abs=1e-9)


def test_sums_are_not_written_without_the_lease(engine: Engine) -> None:
    pipeline = ticked(engine, 10, first=False)
    with writing(engine) as connection:
        leases.take(connection, "another", pipeline.now.timestamp(), 60)
    with pytest.raises(LeaseLost):
        backfill_running_sums(pipeline.plan, pipeline.now, "me", always)
    with reading(engine) as connection:
        assert len(StoredSumHistory(connection).minutes("price")) == 1


def test_no_sums_are_computed_without_rules_that_have_windows(engine: Engine) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 100.0})])
    pipeline.discover()
    pipeline.tick()
    assert backfill_running_sums(pipeline.plan, pipeline.now + timedelta(minutes=1), None, always) == 0


def test_sums_include_a_gap_that_a_backfill_has_filled(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    add(pipeline, "price", 3_600)
    for _ in range(10):
        pipeline.tick()
    pipeline.tick(minutes=21)
    pipeline.tick()

    def average() -> tuple[float, int]:
        now = int(pipeline.now.timestamp())
        with reading(engine) as connection:
            history = StoredSumHistory(connection)
            edge, last = history.first_from("price", now - 1_800), history.last_until("price", now)
            assert edge is not None
            assert last is not None
            found, count = average_between(edge.of(np.array([1])), last.of(np.array([1])))
            return float(found[0]), int(count[0])

    assert average() == (100.0, 11)
    exchange.close_at = lambda _pair, _second: 160.0
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    backfill_running_sums(pipeline.plan, pipeline.now, None, always)
    assert average() == (pytest.approx((11 * 100 + 20 * 160) / 31), 31)
    pipeline.tick()
    assert average() == (pytest.approx((11 * 100 + 20 * 160) / 31), 31)
    assert backfill_running_sums(pipeline.plan, pipeline.now, None, always) == 0


def test_sums_start_anew_after_all_rules_were_disabled(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    rule = add(pipeline, "price", 3_600)
    pipeline.tick()
    for enabled in (False, True):
        with writing(engine) as connection:
            rules.replace(connection, replace(rule, enabled=enabled), int(pipeline.now.timestamp()))
        exchange.prices = {"BTC/USD": 160.0}
        pipeline.tick()
    backfill_running_sums(pipeline.plan, pipeline.now, None, always)
    with reading(engine) as connection:
        history = StoredSumHistory(connection)
        edge, last = history.first_from("price", 0), history.last_until("price", int(pipeline.now.timestamp()))
        assert edge is not None
        assert last is not None
        average, count = average_between(edge.of(np.array([1])), last.of(np.array([1])))
    assert (average.tolist(), count.tolist()) == ([140.0], [3])


def tick_randomly(pipeline: PipelineHarness, minutes: int) -> None:
    """Tick with random prices of all pairs."""
    exchange, chance = pipeline.exchanges[0], np.random.default_rng(7)
    assert isinstance(exchange, FakeExchange)
    for _ in range(minutes):
        exchange.prices = {pair: float(chance.uniform(90, 110)) for pair in exchange.prices}
        pipeline.tick()


def states(pipeline: PipelineHarness, rule: AlertRule) -> list[int]:
    with reading(pipeline.engine) as connection:
        held = rules.states(connection).get(rule.id)
    return [] if held is None else held["state"].tolist()


def fill_gap_of_btc(pipeline: PipelineHarness) -> None:
    exchange = pipeline.exchanges[0]
    assert isinstance(exchange, FakeExchange)
    exchange.close_at = lambda pair, _second: 160.0 if pair == "BTC/USD" else None
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())


@pytest.mark.parametrize("quantity", ROLLING)
def test_a_missing_earlier_standard_deviation_is_unknown_and_does_not_stop_other_metrics(
    engine: Engine, quantity: str
) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 100.0})
    pipeline = PipelineHarness(engine, [exchange], windows=Windows(main=3_600, rule=3_600))
    pipeline.discover()
    condition = {"kind": "average", "direction": "above", "factor": 0.01, "min_samples": 1}
    rule = add(pipeline, quantity, 3_600, **condition, percent=None)
    tick_randomly(pipeline, 20)
    assert states(pipeline, rule) == [FIRING, FIRING]
    pipeline.now += timedelta(minutes=10)
    tick_randomly(pipeline, 1)
    fill_gap_of_btc(pipeline)
    tick_randomly(pipeline, 3)
    assert states(pipeline, rule) == [NO_DATA, FIRING]

    backfill_running_sums(pipeline.plan, pipeline.now, None, always)
    tick_randomly(pipeline, 1)
    assert states(pipeline, rule) == [FIRING, FIRING]


@pytest.mark.parametrize("quantity", SUMMED_QUANTITIES)
def test_recomputed_sums_include_candles_stored_in_the_meantime(engine: Engine, quantity: str) -> None:
    class Interrupted(CatalogueCache):
        """Lets a backfill commit before it returns the catalogue."""

        then: Callable[[], None] | None = None

        def current(self, connection: Connection) -> Catalogue:
            then, self.then = self.then, None
            if then is not None:
                then()
            return super().current(connection)

    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 100.0}, volumes={"BTC/USD": 5.0, "ETH/USD": 6.0})
    pipeline = PipelineHarness(engine, [exchange], windows=Windows(main=1_800, rule=3_600))
    pipeline.discover()
    add(pipeline, quantity, 3_600)
    tick_randomly(pipeline, 20)
    pipeline.now += timedelta(minutes=10)
    tick_randomly(pipeline, 1)
    exchange.close_at = lambda pair, _second: 160.0 if pair == "ETH/USD" else None
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    catalogues = Interrupted()
    catalogues.then = lambda: fill_gap_of_btc(pipeline)
    assert backfill_running_sums(replace(pipeline.plan, catalogues=catalogues), pipeline.now, None, always) == 0
    assert catalogues.then is None
    assert backfill_running_sums(pipeline.plan, pipeline.now, None, always) > 30

    with writing(engine) as connection:
        given = stored_sums(connection, quantity)
        running_sums_recomputation.request(connection, [quantity], int(pipeline.now.timestamp()), None)
    backfill_running_sums(pipeline.plan, pipeline.now, None, always)
    with reading(engine) as connection:
        expected = stored_sums(connection, quantity)
    assert len(given) >= 30
    for minute, values in given.items():
        assert values == pytest.approx(expected[minute], rel=1e-9, nan_ok=True), minute


def stored_sums(connection: Connection, quantity: str) -> dict[int, list[float]]:
    history = StoredSumHistory(connection)
    found = {}
    for minute in history.minutes(quantity):
        sums = history.last_until(quantity, minute)
        assert sums is not None
        found[minute] = sums.value.tolist()
    return found
