"""Replays of rules fire the same alerts as the live evaluation."""

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
from tests.pipeline.harness import PERIOD, PipelineHarness
from tests.replays import firings_of

PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD")


@pytest.fixture
def pipeline(engine: Engine) -> PipelineHarness:
    """Hours of live ticks with spikes, gaps and crashes."""
    exchange = FakeExchange("kraken", dict.fromkeys(PAIRS, 100.0))
    rule = built_in_rule(factor=3.0, window_seconds=3600, cooldown_seconds=3600, min_samples=5)
    pipeline = PipelineHarness(engine, [exchange], rule=rule, windows=Windows(main=5_400, rule=3_600))
    pipeline.discover()
    return pipeline


def live(pipeline: PipelineHarness, minutes: int) -> None:
    chance = np.random.default_rng(7)
    exchange = pipeline.exchanges[0]
    for _ in range(minutes):
        for pair in PAIRS:
            spike = chance.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, 4.5, 0.2])
            exchange.prices[pair] = float(100 * spike * chance.uniform(0.95, 1.05))
        if chance.random() < 0.1:
            del exchange.prices[PAIRS[int(chance.integers(3))]]
        pipeline.tick()


def fired(pipeline: PipelineHarness, rule_id: int) -> list[tuple[int, datetime]]:
    found = pipeline.reader.alerts(AlertQuery(rule_id=rule_id, limit=10_000))
    return sorted((alert.metric_id, alert.fired_at) for alert in found)


def test_a_replay_fires_the_same_alerts_as_the_live_evaluation(pipeline: PipelineHarness) -> None:
    alert_service = StoreAlertService(pipeline.engine, ())
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
    start = pipeline.now
    live(pipeline, 200)

    for rule in (built_in(pipeline.reader.profile), *stored):
        replayed = firings_of(alert_service, rule, start, pipeline.now, PERIOD)
        assert sorted((firing.metric_id, firing.at) for firing in replayed) == fired(pipeline, rule.id)
        assert len(replayed) > 3


def test_a_replay_after_a_longer_period_uses_all_earlier_prices_for_standard_deviations(
    pipeline: PipelineHarness,
) -> None:
    alert_service = StoreAlertService(pipeline.engine, ())
    live(pipeline, 60)
    pipeline.period = 300
    pipeline.restart()
    given = {"name": "x", "scope": ["kraken:*"], "quantity": "stdev", "cooldown_seconds": 0}
    rule = alert_service.add_rule(
        parse_rule(given | {"condition": {"kind": "level", "direction": "either", "level": 100.0}})
    )
    start = pipeline.now
    chance = np.random.default_rng(3)
    for _ in range(30):
        pipeline.exchanges[0].prices = {pair: float(100 * chance.choice([1, 1, 4.5])) for pair in PAIRS}
        pipeline.tick(minutes=5)

    replayed = firings_of(alert_service, rule, start, pipeline.now, 300)
    assert sorted((firing.metric_id, firing.at) for firing in replayed) == fired(pipeline, rule.id)
    assert len(replayed) > 3


def test_a_replay_reports_only_its_span_and_fills_windows_from_earlier_samples(
    pipeline: PipelineHarness,
) -> None:
    alert_service = StoreAlertService(pipeline.engine, ())
    live(pipeline, 120)
    rule = built_in(pipeline.reader.profile)
    half = pipeline.now - timedelta(minutes=60)
    assert {firing.at > half for firing in firings_of(alert_service, rule, half, pipeline.now, PERIOD)} == {True}


def test_a_replay_that_is_too_large_or_lacks_history_is_refused_with_the_reason(
    pipeline: PipelineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert_service = StoreAlertService(pipeline.engine, ())
    rank = parse_rule({"name": "x", "scope": ["a:*"], "quantity": "rank", "condition": {"kind": "top", "places": 3}})
    with pytest.raises(
        BadRule, match="only price, volume, stdev, volatility can be replayed; the history of rank is not stored"
    ):
        firings_of(alert_service, rank, pipeline.now - timedelta(days=1), pipeline.now, PERIOD)
    monkeypatch.setattr(replay_store, "MAX_VALUES", 100)
    with pytest.raises(BadRule, match="scope: 3 metrics x 1,530 periods are more than 100 values"):
        firings_of(
            alert_service, built_in(pipeline.reader.profile), pipeline.now - timedelta(days=1), pipeline.now, PERIOD
        )
