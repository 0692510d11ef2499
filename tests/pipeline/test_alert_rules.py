"""User rules, from the price to the stored alert."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.actions.alerts import StoreAlertService
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.messages import LISTED
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import AlertRule, built_in_rule
from services.market.errors import Unavailable
from services.market.track import parse_track
from services.store.alerting import mutes, outbox, rules
from services.store.database.engine import Engine, writing
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness

LEVEL = {"kind": "level", "direction": "up", "level": 110.0}


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0, "SOL/USD": 1.0})


@pytest.fixture
def pipeline(engine: Engine, exchange: FakeExchange) -> PipelineHarness:
    pipeline = PipelineHarness(engine, [exchange], channels=["mail"])
    pipeline.discover()
    pipeline.tick()
    return pipeline


def add(pipeline: PipelineHarness, condition: dict[str, Any] = LEVEL, **changes: Any) -> AlertRule:
    given = {"name": "mine", "scope": ["kraken:*/USD"], "condition": condition, "cooldown_seconds": 600}
    with writing(pipeline.engine) as connection:
        return rules.add(connection, parse_rule(given | changes))


def ticks(pipeline: PipelineHarness, exchange: FakeExchange, *prices: float, pair: str = "BTC/USD") -> None:
    for price in prices:
        exchange.prices[pair] = price
        pipeline.tick()


def fired(pipeline: PipelineHarness) -> list[tuple[str, float]]:
    """Alerts of user rules (base and value), oldest first."""
    return [(alert.base, alert.price) for alert in pipeline.reader.alerts()[::-1] if alert.rule_id]


def test_a_crossing_fires_once_and_its_resolution_is_stored_with_figures(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    rule = add(pipeline)
    ticks(pipeline, exchange, 105, 111, 112)
    assert fired(pipeline) == [("BTC", 111.0)]

    (alert,) = pipeline.reader.alerts()
    assert (alert.rule_id, alert.rule, alert.condition) == (rule.id, "mine", "price rises through 110")
    assert (alert.value, alert.threshold, alert.average, alert.resolved_at) == (111.0, 110.0, None, None)
    ticks(pipeline, exchange, 109)
    (alert,) = pipeline.reader.alerts()
    assert alert.resolved_at == pipeline.now


def test_a_new_rule_does_not_fire_for_a_price_already_beyond_its_level(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    ticks(pipeline, exchange, 120)
    add(pipeline)
    ticks(pipeline, exchange, 125, 130)
    assert fired(pipeline) == []


def test_a_crossing_during_an_outage_fires_after_it(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline)
    exchange.error = Unavailable("kraken", "gone")
    ticks(pipeline, exchange, 120, 120)
    assert fired(pipeline) == []

    exchange.error = None
    pipeline.restart()
    ticks(pipeline, exchange, 120)
    assert fired(pipeline) == [("BTC", 120.0)]


def test_a_volume_crossing_is_detected_across_a_tick_without_volume(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    add(pipeline, quantity="volume")
    for volume in ({"BTC/USD": 100.0}, {}, {"BTC/USD": 120.0}):
        exchange.volumes = volume
        pipeline.tick()
    assert fired(pipeline) == [("BTC", 100.0)]
    assert pipeline.reader.alerts()[0].value == 120.0


def test_a_stalled_exchange_fires_nothing_until_its_prices_move(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(5)})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    for cent in range(6):  # as many as the built-in rule needs
        exchange.prices["C1/USD"] = 100 + cent / 100
        pipeline.tick()
    add(pipeline, pending_seconds=300)
    exchange.prices |= dict.fromkeys(("C0/USD", "C2/USD"), 400.0)
    exchange.prices["C2/USD"] = 120.0
    ticks(pipeline, exchange, *[100.0] * 8, pair="C1/USD")
    # Fired by the last price that moved.
    assert [(alert.base, alert.rule_id) for alert in pipeline.reader.alerts()] == [("C0", 0)]

    ticks(pipeline, exchange, 101.0, 102.0, 101.0, 102.0, 101.0, pair="C1/USD")
    assert fired(pipeline) == []  # repeated prices do not count towards the pending time
    ticks(pipeline, exchange, 102.0, pair="C1/USD")
    assert sorted(fired(pipeline)) == [("C0", 400.0), ("C2", 120.0)]


def test_the_built_in_rule_ignores_repeated_prices_of_a_stalled_exchange(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(5)})
    pipeline = PipelineHarness(engine, [exchange], rule=built_in_rule(1.5, 3_600, 3_600, 5))
    pipeline.discover()
    ticks(pipeline, exchange, 100, 100, pair="C0/USD")
    ticks(pipeline, exchange, *[10_000] * 4, pair="C0/USD")  # the fifth earlier price makes the average complete
    assert pipeline.reader.alerts() == ()

    ticks(pipeline, exchange, 20_000, pair="C0/USD")
    assert [alert.price for alert in pipeline.reader.alerts()] == [20_000]


def test_a_volume_alert_is_without_data_when_the_exchange_stops_reporting_volumes(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    add(pipeline, quantity="volume")
    for volume in (100.0, 120.0):
        exchange.volumes = {"BTC/USD": volume, "ETH/USD": volume}
        pipeline.tick()
    exchange.volumes = {"ETH/USD": 120.0}
    ticks(pipeline, exchange, 100, 100)
    assert [alert.state for alert in pipeline.reader.alerts()] == ["firing", "firing"]
    ticks(pipeline, exchange, 100)
    assert {alert.base: alert.no_data_since for alert in pipeline.reader.alerts()} == {"BTC": pipeline.now, "ETH": None}


@pytest.mark.parametrize("restarts", [False, True])
def test_the_average_excludes_the_latest_price(
    pipeline: PipelineHarness, exchange: FakeExchange, restarts: bool
) -> None:
    add(pipeline, {"kind": "average", "factor": 1.5, "window_seconds": 300, "min_samples": 5})
    ticks(pipeline, exchange, 1000, 100, 100, 100, 100, 100)  # the first has left the window when the last is evaluated
    if restarts:
        pipeline.restart()
    ticks(pipeline, exchange, 151)

    (alert,) = [alert for alert in pipeline.reader.alerts() if alert.price == 151]
    assert (alert.average, alert.factor, alert.samples) == (pytest.approx(100.0), 1.5, 5)
    assert alert.threshold == pytest.approx(150.0)


def test_a_change_is_measured_from_the_price_at_the_start_of_the_window(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    add(pipeline, {"kind": "change", "direction": "down", "percent": 10, "window_seconds": 300})
    ticks(pipeline, exchange, 100, 101, 102, 103, 104, 105, 91)
    assert fired(pipeline) == []
    ticks(pipeline, exchange, 91)  # five minutes ago it was 102
    assert fired(pipeline) == [("BTC", 91.0)]
    assert pipeline.reader.alerts()[0].reference == 102.0


@pytest.mark.parametrize("away", [6, 9, 14])
def test_a_change_after_an_outage_is_unknown_until_the_window_start_has_a_price(
    pipeline: PipelineHarness, exchange: FakeExchange, away: int
) -> None:
    add(pipeline, {"kind": "change", "direction": "up", "percent": 20, "window_seconds": 300})
    ticks(pipeline, exchange, *[100.0] * 6)
    pipeline.now += timedelta(minutes=away)
    ticks(pipeline, exchange, *[130.0] * 5)
    assert fired(pipeline) == []

    ticks(pipeline, exchange, 130.0, 160.0)  # five minutes earlier the price was 130
    assert fired(pipeline) == [("BTC", 160.0)]


def test_a_pair_that_was_missing_is_not_compared_with_its_price_from_before(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    add(pipeline, {"kind": "change", "direction": "up", "percent": 20, "window_seconds": 300})
    ticks(pipeline, exchange, *[100.0] * 6)
    del exchange.prices["BTC/USD"]
    ticks(pipeline, exchange, *[10.0] * 8, pair="ETH/USD")
    ticks(pipeline, exchange, *[130.0] * 5)
    assert fired(pipeline) == []


def test_a_change_bridges_one_missed_tick(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline, {"kind": "change", "direction": "up", "percent": 20, "window_seconds": 300})
    ticks(pipeline, exchange, *[100.0] * 6)
    pipeline.now += timedelta(minutes=1)
    ticks(pipeline, exchange, *[100.0] * 4, 130.0)  # the window of the last one begins in the missed minute
    assert fired(pipeline) == [("BTC", 130.0)]


def test_rules_can_watch_volume_and_rank(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline, {"kind": "top", "places": 1}, quantity="rank", name="first")
    add(pipeline, {"kind": "level", "direction": "up", "level": 5.0}, quantity="stdev", name="restless")
    ticks(pipeline, exchange, 20, 40, pair="ETH/USD")

    assert {(alert.rule, alert.base, alert.quantity) for alert in pipeline.reader.alerts()} == {
        ("first", "ETH", "rank"),
        ("restless", "ETH", "stdev"),
    }


def test_a_no_data_rule_fires_for_a_metric_without_a_price(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline, {"kind": "no_data", "periods": 4}, pending_seconds=0)
    del exchange.prices["SOL/USD"]
    ticks(pipeline, exchange, 100, 100, 100)
    assert fired(pipeline) == []
    ticks(pipeline, exchange, 100)
    assert fired(pipeline) == [("SOL", 1.0)]
    exchange.prices["SOL/USD"] = 1.1
    ticks(pipeline, exchange, 100)
    assert pipeline.reader.alerts()[0].resolved_at == pipeline.now


def test_a_rule_fires_only_for_metrics_in_its_scope(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline, scope=["kraken:E*/USD", "binance:*"])
    ticks(pipeline, exchange, 120)
    ticks(pipeline, exchange, 120, pair="ETH/USD")
    assert fired(pipeline) == [("ETH", 120.0)]


def test_the_cooldown_survives_restarts_and_changes_of_the_rule(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    rule = add(pipeline)
    ticks(pipeline, exchange, 120, 100)
    with writing(pipeline.engine) as connection:
        rules.replace(connection, parse_rule(rule_fields_named("renamed"), rule.id), int(pipeline.now.timestamp()))
    pipeline.restart()
    ticks(pipeline, exchange, *[120, 100] * 4)
    assert len(fired(pipeline)) == 1

    ticks(pipeline, exchange, 120)
    assert len(fired(pipeline)) == 2


def rule_fields_named(name: str) -> dict[str, Any]:
    return {"name": name, "scope": ["kraken:*/USD"], "condition": LEVEL, "cooldown_seconds": 600}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LEVEL, LEVEL | {"direction": "down"}),
        (LEVEL | {"direction": "down", "level": 130.0}, LEVEL | {"level": 200.0}),
    ],
)
@pytest.mark.parametrize("hysteresis", [0, 5])
def test_an_alert_ends_when_the_direction_of_its_rule_is_reversed(
    pipeline: PipelineHarness, exchange: FakeExchange, before: dict[str, Any], after: dict[str, Any], hysteresis: float
) -> None:
    rule = add(pipeline, before)
    ticks(pipeline, exchange, 150, 125)
    assert len(fired(pipeline)) == 1
    with writing(pipeline.engine) as connection:
        changed = rule_fields_named("turned") | {"condition": after, "hysteresis_percent": hysteresis}
        rules.replace(connection, parse_rule(changed, rule.id), int(pipeline.now.timestamp()))
    ticks(pipeline, exchange, 125)

    (alert,) = (alert for alert in pipeline.reader.alerts() if alert.rule_id)
    assert alert.resolved_at == pipeline.now


def test_disabling_or_removing_a_rule_ends_its_alerts(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    first, second = add(pipeline), add(pipeline)
    ticks(pipeline, exchange, 120)
    now = int((pipeline.now + timedelta(seconds=30)).timestamp())
    with writing(pipeline.engine) as connection:
        rules.replace(connection, parse_rule(rule_fields_named("off") | {"enabled": False}, first.id), now)
        rules.remove(connection, second.id, now)
    assert [alert.resolved_at is not None for alert in pipeline.reader.alerts()] == [True, True]

    ticks(pipeline, exchange, 100, 130)
    assert len(fired(pipeline)) == 2


def sent(pipeline: PipelineHarness, channel: str = "mail") -> list[tuple[str, str, int]]:
    """Entries sent to the channel as (kind, base, rule), oldest message first."""
    entries = []
    while True:
        with writing(pipeline.engine) as connection:
            found = outbox.claim(connection, channel, int(pipeline.now.timestamp()), "me")
            if found is None:
                return entries
            outbox.mark_sent(connection, found, int(pipeline.now.timestamp()))
        entries += [(entry.kind, entry.alert.base, entry.alert.rule_id) for entry in found.message.entries]


def test_a_rule_notifies_only_its_own_channels(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline, channels=["chat"])
    add(pipeline, channels=[])
    pipeline.channels = ("mail", "chat")
    pipeline.restart()
    ticks(pipeline, exchange, 120)

    assert len(fired(pipeline)) == 2
    assert sent(pipeline) == []
    assert sent(pipeline, "chat") == [("fired", "BTC", 1)]


def test_the_end_of_an_alert_is_sent_to_its_channels_if_the_rule_asks_for_it(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    silent, telling = add(pipeline), add(pipeline, tell_resolved=True, cooldown_seconds=0)
    muted = add(pipeline, tell_resolved=True)
    with writing(pipeline.engine) as connection:
        mutes.add(connection, muted.id, None, None, None, int(pipeline.now.timestamp()))
    ticks(pipeline, exchange, 120)
    pipeline.channels = ("chat",)  # this channel was not notified of the alert, so it is not notified of the end
    pipeline.restart()
    ticks(pipeline, exchange, 100)

    assert sent(pipeline) == [
        ("fired", "BTC", silent.id),
        ("fired", "BTC", telling.id),
        ("resolved", "BTC", telling.id),
    ]
    ticks(pipeline, exchange, 120)
    assert sent(pipeline) == []
    assert sent(pipeline, "chat") == [("fired", "BTC", telling.id)]


@pytest.mark.parametrize("how", ["off", "removed"])
def test_channels_are_notified_when_a_change_of_the_rule_ends_the_alert(
    pipeline: PipelineHarness, exchange: FakeExchange, how: str
) -> None:
    telling, silent = add(pipeline, tell_resolved=True), add(pipeline)
    muted = add(pipeline, tell_resolved=True, channels=["chat"])
    ticks(pipeline, exchange, 120)
    alert_service = StoreAlertService(pipeline.engine, ("mail", "chat"))
    alert_service.mute(muted.id, None, None, None, pipeline.now)
    for rule in (telling, silent, muted):
        if how == "off":
            alert_service.change_rule(replace(rule, enabled=False), pipeline.now)
        else:
            alert_service.remove_rule(rule.id, pipeline.now)

    ends = [("resolved", "BTC", telling.id)]
    assert sent(pipeline) == [("fired", "BTC", telling.id), ("fired", "BTC", silent.id), *ends]
    assert sent(pipeline, "chat") == [("fired", "BTC", muted.id)]
    ticks(pipeline, exchange, 100)
    assert sent(pipeline) == []


def test_a_message_lists_the_largest_deviation_first(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline)
    add(pipeline, condition={"kind": "level", "direction": "down", "level": 5})
    exchange.prices |= {"BTC/USD": 120.0, "ETH/USD": 1_000.0}
    ticks(pipeline, exchange, 0.01, pair="SOL/USD")
    ticks(pipeline, exchange, 0.5, pair="ETH/USD")

    assert sent(pipeline) == [("fired", "ETH", 1), ("fired", "BTC", 1), ("fired", "ETH", 2)]


def test_many_alerts_in_one_tick_are_one_message_per_channel(engine: Engine) -> None:
    count = 500
    exchange = FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(count)})
    pipeline = PipelineHarness(engine, [exchange], channels=["mail", "chat"])
    pipeline.discover()
    pipeline.tick()
    add(pipeline, tell_resolved=True)
    for price, kind in ((120.0, "fired"), (100.0, "resolved")):
        exchange.prices = dict.fromkeys(exchange.prices, price)
        pipeline.tick()

        for channel in ("mail", "chat"):
            now = int(pipeline.now.timestamp())
            with writing(engine) as connection:
                found = outbox.claim(connection, channel, now, "me")
                assert found is not None
                outbox.mark_sent(connection, found, now)
                assert outbox.claim(connection, channel, now, "me") is None
            assert getattr(found.message, kind) == count
            assert found.message.fired + found.message.resolved == count
            assert f"and {count - LISTED} more" in found.message.text
    assert len(fired(pipeline)) == count
    assert all(alert.resolved_at == pipeline.now for alert in pipeline.reader.alerts())


def test_a_muted_alert_is_stored_without_a_message(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    rule = add(pipeline, cooldown_seconds=0)
    now = int(pipeline.now.timestamp())
    with writing(pipeline.engine) as connection:
        mutes.add(connection, rule.id, pipeline.row("kraken:BTC-USD").id, None, None, now)
    ticks(pipeline, exchange, 120)
    ticks(pipeline, exchange, 120, pair="ETH/USD")
    assert {(alert.base, alert.muted) for alert in pipeline.reader.alerts() if alert.rule_id} == {
        ("BTC", True),
        ("ETH", False),
    }
    assert [(base, rule_id) for _, base, rule_id in sent(pipeline) if rule_id] == [("ETH", rule.id)]

    ticks(pipeline, exchange, 100, 120)  # the mute lasts until the alert resolves
    assert not pipeline.reader.alerts()[0].muted


def test_a_mute_made_shortly_before_a_tick_commits_ends_when_that_tick_resolves_the_alert(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    rule = add(pipeline, cooldown_seconds=0)
    ticks(pipeline, exchange, 120)
    with writing(pipeline.engine) as connection:
        mutes.add(connection, rule.id, None, None, None, int(pipeline.now.timestamp()) + pipeline.period + 3)
    ticks(pipeline, exchange, 100)
    with writing(pipeline.engine) as connection:
        assert mutes.current(connection, int(pipeline.now.timestamp())) == ()
        mutes.add(connection, rule.id, None, None, None, int(pipeline.now.timestamp()) + 3)
    ticks(pipeline, exchange, 100, 120)  # that alert was over before this mute was made
    assert pipeline.reader.alerts()[0].muted


def test_the_end_of_an_alert_is_sent_after_its_mute_has_expired(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    rule = add(pipeline, tell_resolved=True)
    ticks(pipeline, exchange, 120)
    now = int(pipeline.now.timestamp())
    with writing(pipeline.engine) as connection:
        mutes.add(connection, rule.id, None, now + pipeline.period, None, now)
    ticks(pipeline, exchange, 100)
    assert sent(pipeline) == [("fired", "BTC", rule.id), ("resolved", "BTC", rule.id)]


def test_a_built_in_alert_is_without_data_during_an_outage_and_continues_after_it(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    ticks(pipeline, exchange, *[100] * 6, 1000)
    exchange.error = Unavailable("kraken", "gone")
    ticks(pipeline, exchange, 1000, 1000)
    assert pipeline.reader.alerts()[0].state == "firing"
    ticks(pipeline, exchange, 1000)
    (alert,) = pipeline.reader.alerts()
    assert (alert.state, alert.no_data_since, alert.resolved_at) == ("no_data", pipeline.now, None)
    assert pipeline.reader.open_alerts().newest == (alert,)

    exchange.error = None
    ticks(pipeline, exchange, 1000)
    (alert,) = pipeline.reader.alerts()
    assert (alert.state, alert.no_data_since) == ("firing", None)


def test_an_alert_without_data_resolves_when_its_price_returns_and_only_that_is_sent(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    rule = add(pipeline, tell_resolved=True)
    ticks(pipeline, exchange, 120)
    exchange.error = Unavailable("kraken", "gone")
    ticks(pipeline, exchange, *[120] * 10)
    (alert,) = pipeline.reader.alerts()
    assert (alert.state, alert.no_data_since) == ("no_data", alert.fired_at + timedelta(minutes=3))
    assert sent(pipeline) == [("fired", "BTC", rule.id)]

    exchange.error = None
    pipeline.restart()
    ticks(pipeline, exchange, 100)
    (alert,) = pipeline.reader.alerts()
    assert (alert.state, alert.no_data_since, alert.reason) == ("resolved", None, None)
    assert sent(pipeline) == [("resolved", "BTC", rule.id)]


def test_alerts_can_be_filtered_by_the_state_without_data(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    add(pipeline)
    exchange.prices["ETH/USD"] = 120.0
    ticks(pipeline, exchange, 120)
    del exchange.prices["BTC/USD"]
    for _ in range(3):
        pipeline.tick()

    def bases(state: str) -> list[str]:
        return sorted(alert.base for alert in pipeline.reader.alerts(AlertQuery(state=state)))

    assert {state: bases(state) for state in ("firing", "no_data", "open", "resolved")} == {
        "firing": ["ETH"], "no_data": ["BTC"], "open": ["BTC", "ETH"], "resolved": [],
    }  # fmt: skip


def test_an_alert_that_ends_because_the_average_caught_up_states_that_reason(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    add(pipeline, {"kind": "average", "factor": 2.0, "window_seconds": 300, "min_samples": 3}, cooldown_seconds=0)
    ticks(pipeline, exchange, *[100] * 6, *[1000] * 30)
    assert {(alert.rule_id != 0, alert.state, alert.reason) for alert in pipeline.reader.alerts()} == {
        (True, "resolved", "average_caught_up"), (False, "resolved", "average_caught_up"),
    }  # fmt: skip


def test_an_alert_that_ends_because_the_window_moved_on_states_that_reason(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    add(pipeline, {"kind": "change", "direction": "up", "percent": 50, "window_seconds": 300})
    ticks(pipeline, exchange, *[100] * 6, *[160] * 7)
    (alert,) = pipeline.reader.alerts()
    assert (alert.state, alert.reason) == ("resolved", "window_moved_on")


def test_an_alert_that_ends_because_its_value_is_back_has_no_reason(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    add(pipeline, {"kind": "average", "factor": 2.0, "window_seconds": 300, "min_samples": 3})
    ticks(pipeline, exchange, *[100] * 6, 250, 100)
    (alert,) = pipeline.reader.alerts()
    assert (alert.state, alert.reason) == ("resolved", None)


def test_an_alert_ends_when_its_metric_leaves_the_scope(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    rule = add(pipeline)
    ticks(pipeline, exchange, 120)
    with writing(pipeline.engine) as connection:
        rules.replace(connection, replace(rule, scope=parse_track("kraken:ETH/USD")), int(pipeline.now.timestamp()))
    ticks(pipeline, exchange, 120)
    (alert,) = pipeline.reader.alerts()
    assert (alert.state, alert.reason) == ("resolved", None)


def test_a_built_in_alert_resolves_when_the_price_is_back(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    ticks(pipeline, exchange, *[100] * 6, 1000)
    (alert,) = pipeline.reader.alerts()
    assert (alert.rule_id, alert.rule, alert.condition, alert.resolved_at) == (0, None, None, None)
    ticks(pipeline, exchange, 100)
    assert pipeline.reader.alerts()[0].resolved_at == pipeline.now
