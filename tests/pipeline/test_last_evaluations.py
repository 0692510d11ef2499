"""Crossing rules compare with their own last evaluation, even if statistics were recomputed since."""

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
from tests.pipeline.harness import PipelineHarness


def rule_of(condition: dict[str, Any], quantity: str = "price", **changes: Any) -> AlertRule:
    given = {"name": "mine", "scope": ["kraken:*"], "quantity": quantity, "condition": condition, "cooldown_seconds": 0}
    return parse_rule(given | changes)


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", dict.fromkeys(("A/USD", "B/USD", "C/USD", "D/USD"), 100.0))


@pytest.fixture
def pipeline(engine: Engine, exchange: FakeExchange) -> PipelineHarness:
    """A pipeline that ranks A, B, C, D in this order."""
    pipeline = PipelineHarness(engine, [exchange], windows=Windows(main=3_600, rule=3_600))
    pipeline.discover()
    for _ in range(2):
        for place, base in enumerate("ABCD"):
            exchange.prices[f"{base}/USD"] += 8 - 2 * place
        pipeline.tick()
    assert [row.base for row in pipeline.reader.ranking().metrics] == list("ABCD")
    return pipeline


@pytest.fixture
def alert_service(pipeline: PipelineHarness) -> StoreAlertService:
    return StoreAlertService(pipeline.engine, ())


def fired(pipeline: PipelineHarness) -> list[tuple[str, float | None]]:
    return [(alert.base, alert.value) for alert in pipeline.reader.alerts()[::-1] if alert.rule_id]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_metric_that_reaches_the_top_because_another_is_halted_fires(
    pipeline: PipelineHarness, exchange: FakeExchange, alert_service: StoreAlertService, restarts: bool
) -> None:
    alert_service.add_rule(rule_of({"kind": "top", "places": 2}, "rank"))
    pipeline.tick()
    exchange.listed = dict.fromkeys(exchange.prices, True) | {"A/USD": False}
    pipeline.discover("kraken:A/USD,kraken:*/USD")
    assert pipeline.row("kraken:C-USD").rank == 2
    if restarts:
        pipeline.restart()
    pipeline.tick()
    pipeline.tick()
    assert fired(pipeline) == [("C", 2.0)]


def test_a_metric_that_returns_to_its_earlier_rank_does_not_fire(
    pipeline: PipelineHarness, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    alert_service.add_rule(rule_of({"kind": "top", "places": 2}, "rank"))
    pipeline.tick()
    listed = dict.fromkeys(exchange.prices, True)
    for exchange.listed in (listed | {"A/USD": False}, listed):
        pipeline.discover("kraken:A/USD,kraken:*/USD")
    pipeline.tick()
    assert fired(pipeline) == []


def test_a_value_that_a_backfill_lifts_over_a_level_fires_at_the_next_evaluation(
    engine: Engine, exchange: FakeExchange
) -> None:
    exchange.prices = {"A/USD": 100.0}
    exchange.close_at = lambda _pair, second: 90.0 if second // 60 % 2 else 110.0
    pipeline = PipelineHarness(engine, [exchange], windows=Windows(main=3_600, rule=3_600))
    pipeline.discover()
    StoreAlertService(engine, ()).add_rule(rule_of({"kind": "level", "direction": "up", "level": 8.0}, "stdev"))
    pipeline.tick()
    pipeline.tick()
    assert pipeline.row("kraken:A-USD").stdev == 0.0

    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    pipeline.tick()
    pipeline.tick()
    ((base, stdev),) = fired(pipeline)
    assert (base, stdev) == ("A", pytest.approx(9.67, abs=0.1))


def test_a_changed_rule_compares_its_last_value_with_the_new_level(
    pipeline: PipelineHarness, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    rule = alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 200.0}))
    exchange.prices["B/USD"] = 150.0
    pipeline.tick()
    # The price is beyond that level already.
    alert_service.change_rule(parse_rule_like(rule, level=140.0), pipeline.now)
    pipeline.tick()
    assert fired(pipeline) == []
    alert_service.change_rule(parse_rule_like(rule, level=160.0), pipeline.now)
    exchange.prices["B/USD"] = 170.0
    pipeline.tick()
    assert fired(pipeline) == [("B", 170.0)]


def test_a_crossing_while_a_rule_is_disabled_does_not_fire_after_enabling_it(
    pipeline: PipelineHarness, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    rule = alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 140.0}))
    pipeline.tick()
    alert_service.change_rule(parse_rule_like(rule, level=140.0, enabled=False), pipeline.now)
    exchange.prices["B/USD"] = 150.0
    pipeline.tick()
    alert_service.change_rule(parse_rule_like(rule, level=140.0), pipeline.now)
    pipeline.tick()
    assert fired(pipeline) == []


def test_a_metric_that_returns_from_an_absence_beyond_the_level_fires(
    pipeline: PipelineHarness, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 140.0}))
    pipeline.tick()
    del exchange.prices["B/USD"]
    for _ in range(30):
        pipeline.tick()
    assert fired(pipeline) == []
    exchange.prices["B/USD"] = 150.0
    pipeline.tick()
    assert fired(pipeline) == [("B", 150.0)]


def test_a_metric_that_was_not_tracked_in_the_meantime_starts_without_a_last_value(
    pipeline: PipelineHarness, exchange: FakeExchange, alert_service: StoreAlertService
) -> None:
    alert_service.add_rule(rule_of({"kind": "level", "direction": "up", "level": 140.0}))
    pipeline.tick()
    pipeline.discover("kraken:A/USD")
    pipeline.tick()
    exchange.prices["B/USD"] = 150.0
    pipeline.discover()
    pipeline.tick()
    pipeline.tick()
    assert fired(pipeline) == []


def parse_rule_like(rule: AlertRule, level: float, *, enabled: bool = True) -> AlertRule:
    condition = {"kind": "level", "direction": "up", "level": level}
    return parse_rule(
        {"name": rule.name, "scope": ["kraken:*"], "condition": condition, "cooldown_seconds": 0, "enabled": enabled},
        rule.id,
    )
