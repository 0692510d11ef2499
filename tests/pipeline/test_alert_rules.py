"""Rules that people wrote, from the price to the alert on record."""

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
    assert (alert.rule_id, alert.rule, alert.condition) == (rule.id, "mine", "price rises through 110")
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


def test_a_volume_crosses_a_level_also_over_a_tick_without_one(world: World, exchange: FakeExchange) -> None:
    add(world, quantity="volume")
    for volume in ({"BTC/USD": 100.0}, {}, {"BTC/USD": 120.0}):
        exchange.volumes = volume
        world.tick()
    assert fired(world) == [("BTC", 100.0)]
    assert world.reader.alerts()[0].value == 120.0


def test_what_an_exchange_repeats_fires_nothing_until_it_moves(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(5)})
    world = World(engine, [exchange])
    world.discover()
    for cent in range(6):  # all that the built-in rule needs
        exchange.prices["C1/USD"] = 100 + cent / 100
        world.tick()
    add(world, pending_seconds=300)
    exchange.prices |= dict.fromkeys(("C0/USD", "C2/USD"), 400.0)
    exchange.prices["C2/USD"] = 120.0
    ticks(world, exchange, *[100.0] * 8, pair="C1/USD")
    assert [(alert.base, alert.rule_id) for alert in world.reader.alerts()] == [("C0", 0)]  # when it had just moved

    ticks(world, exchange, 101.0, 102.0, 101.0, 102.0, 101.0, pair="C1/USD")
    assert fired(world) == []  # what was repeated is no time for which it has held
    ticks(world, exchange, 102.0, pair="C1/USD")
    assert sorted(fired(world)) == [("C0", 400.0), ("C2", 120.0)]


def test_the_built_in_rule_fires_for_no_price_that_an_exchange_repeats(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(5)})
    world = World(engine, [exchange], rule=built_in_rule(1.5, 3_600, 3_600, 5))
    world.discover()
    ticks(world, exchange, 100, 100, pair="C0/USD")
    ticks(world, exchange, *[10_000] * 4, pair="C0/USD")  # with the last there are five prices to compare it with
    assert world.reader.alerts() == ()

    ticks(world, exchange, 20_000, pair="C0/USD")
    assert [alert.price for alert in world.reader.alerts()] == [20_000]


def test_an_alert_on_a_volume_is_without_data_when_the_exchange_tells_volumes_no_more(
    world: World, exchange: FakeExchange
) -> None:
    add(world, quantity="volume")
    for volume in (100.0, 120.0):
        exchange.volumes = {"BTC/USD": volume, "ETH/USD": volume}
        world.tick()
    exchange.volumes = {"ETH/USD": 120.0}
    ticks(world, exchange, 100, 100)
    assert [alert.state for alert in world.reader.alerts()] == ["firing", "firing"]
    ticks(world, exchange, 100)
    assert {alert.base: alert.no_data_since for alert in world.reader.alerts()} == {"BTC": world.now, "ETH": None}


@pytest.mark.parametrize("restarts", [False, True])
def test_the_average_is_of_the_window_without_the_latest_price(
    world: World, exchange: FakeExchange, restarts: bool
) -> None:
    add(world, {"kind": "average", "factor": 1.5, "window_seconds": 300, "min_samples": 5})
    ticks(world, exchange, 1000, 100, 100, 100, 100, 100)  # the first has left when the last is evaluated
    if restarts:
        world.restart()
    ticks(world, exchange, 151)

    (alert,) = [alert for alert in world.reader.alerts() if alert.price == 151]
    assert (alert.average, alert.factor, alert.samples) == (pytest.approx(100.0), 1.5, 5)
    assert alert.threshold == pytest.approx(150.0)


def test_a_change_is_measured_from_the_price_when_the_window_began(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "change", "direction": "down", "percent": 10, "window_seconds": 300})
    ticks(world, exchange, 100, 101, 102, 103, 104, 105, 91)
    assert fired(world) == []
    ticks(world, exchange, 91)  # five minutes ago it was 102
    assert fired(world) == [("BTC", 91.0)]
    assert world.reader.alerts()[0].reference == 102.0


@pytest.mark.parametrize("away", [6, 9, 14])
def test_a_change_after_an_outage_is_unknown_until_a_price_of_the_windows_start_is_known(
    world: World, exchange: FakeExchange, away: int
) -> None:
    add(world, {"kind": "change", "direction": "up", "percent": 20, "window_seconds": 300})
    ticks(world, exchange, *[100.0] * 6)
    world.now += timedelta(minutes=away)
    ticks(world, exchange, *[130.0] * 5)
    assert fired(world) == []

    ticks(world, exchange, 130.0, 160.0)  # five minutes before, it was 130 already
    assert fired(world) == [("BTC", 160.0)]


def test_a_pair_that_was_away_while_others_ticked_is_not_compared_with_its_price_of_before(
    world: World, exchange: FakeExchange
) -> None:
    add(world, {"kind": "change", "direction": "up", "percent": 20, "window_seconds": 300})
    ticks(world, exchange, *[100.0] * 6)
    del exchange.prices["BTC/USD"]
    ticks(world, exchange, *[10.0] * 8, pair="ETH/USD")
    ticks(world, exchange, *[130.0] * 5)
    assert fired(world) == []


def test_a_change_bridges_one_missed_tick(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "change", "direction": "up", "percent": 20, "window_seconds": 300})
    ticks(world, exchange, *[100.0] * 6)
    world.now += timedelta(minutes=1)
    ticks(world, exchange, *[100.0] * 4, 130.0)  # whose window began in the minute that was missed
    assert fired(world) == [("BTC", 130.0)]


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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LEVEL, LEVEL | {"direction": "down"}),
        (LEVEL | {"direction": "down", "level": 130.0}, LEVEL | {"level": 200.0}),
    ],
)
@pytest.mark.parametrize("hysteresis", [0, 5])
def test_what_fired_one_way_is_over_when_the_rule_looks_the_other_way(
    world: World, exchange: FakeExchange, before: dict[str, Any], after: dict[str, Any], hysteresis: float
) -> None:
    rule = add(world, before)
    ticks(world, exchange, 150, 125)
    assert len(fired(world)) == 1
    with writing(world.engine) as connection:
        changed = rules_given("turned") | {"condition": after, "hysteresis_percent": hysteresis}
        rules.replace(connection, parse_rule(changed, rule.id), int(world.now.timestamp()))
    ticks(world, exchange, 125)

    (alert,) = (alert for alert in world.reader.alerts() if alert.rule_id)
    assert alert.resolved_at == world.now


def test_a_rule_that_is_switched_off_or_removed_ends_its_alerts(world: World, exchange: FakeExchange) -> None:
    first, second = add(world), add(world)
    ticks(world, exchange, 120)
    now = int((world.now + timedelta(seconds=30)).timestamp())
    with writing(world.engine) as connection:
        rules.replace(connection, parse_rule(rules_given("off") | {"enabled": False}, first.id), now)
        rules.remove(connection, second.id, now)
    assert [alert.resolved_at is not None for alert in world.reader.alerts()] == [True, True]

    ticks(world, exchange, 100, 130)
    assert len(fired(world)) == 2


def sent(world: World, channel: str = "mail") -> list[tuple[str, str, int]]:
    """All entries sent to the channel: kind, base and rule, the oldest message first."""
    entries = []
    while True:
        with writing(world.engine) as connection:
            found = outbox.claim(connection, channel, int(world.now.timestamp()), "me")
            if found is None:
                return entries
            outbox.mark_sent(connection, found, int(world.now.timestamp()))
        entries += [(entry.kind, entry.alert.base, entry.alert.rule_id) for entry in found.message.entries]


def test_a_rules_own_channels_are_notified_and_others_are_not(world: World, exchange: FakeExchange) -> None:
    add(world, channels=["chat"])
    add(world, channels=[])
    world.channels = ("mail", "chat")
    world.restart()
    ticks(world, exchange, 120)

    assert len(fired(world)) == 2
    assert sent(world) == []
    assert sent(world, "chat") == [("fired", "BTC", 1)]


def test_channels_that_were_notified_of_an_alert_are_notified_of_its_end_where_the_rule_says_so(
    world: World, exchange: FakeExchange
) -> None:
    silent, telling = add(world), add(world, tell_resolved=True, cooldown_seconds=0)
    muted = add(world, tell_resolved=True)
    with writing(world.engine) as connection:
        mutes.add(connection, muted.id, None, None, None, int(world.now.timestamp()))
    ticks(world, exchange, 120)
    world.channels = ("chat",)  # it was not notified, and so is not notified of the end
    world.restart()
    ticks(world, exchange, 100)

    assert sent(world) == [
        ("fired", "BTC", silent.id),
        ("fired", "BTC", telling.id),
        ("resolved", "BTC", telling.id),
    ]
    ticks(world, exchange, 120)
    assert sent(world) == []
    assert sent(world, "chat") == [("fired", "BTC", telling.id)]


@pytest.mark.parametrize("how", ["off", "removed"])
def test_channels_that_were_notified_of_an_alert_are_notified_that_its_rule_has_ended_it(
    world: World, exchange: FakeExchange, how: str
) -> None:
    telling, silent = add(world, tell_resolved=True), add(world)
    muted = add(world, tell_resolved=True, channels=["chat"])
    ticks(world, exchange, 120)
    alert_service = StoreAlertService(world.engine, ("mail", "chat"))
    alert_service.mute(muted.id, None, None, None, world.now)
    for rule in (telling, silent, muted):
        if how == "off":
            alert_service.change_rule(replace(rule, enabled=False), world.now)
        else:
            alert_service.remove_rule(rule.id, world.now)

    ends = [("resolved", "BTC", telling.id)]
    assert sent(world) == [("fired", "BTC", telling.id), ("fired", "BTC", silent.id), *ends]
    assert sent(world, "chat") == [("fired", "BTC", muted.id)]
    ticks(world, exchange, 100)
    assert sent(world) == []


def test_what_stands_out_most_is_named_first(world: World, exchange: FakeExchange) -> None:
    add(world)
    add(world, condition={"kind": "level", "direction": "down", "level": 5})
    exchange.prices |= {"BTC/USD": 120.0, "ETH/USD": 1_000.0}
    ticks(world, exchange, 0.01, pair="SOL/USD")
    ticks(world, exchange, 0.5, pair="ETH/USD")

    assert sent(world) == [("fired", "ETH", 1), ("fired", "BTC", 1), ("fired", "ETH", 2)]


def test_a_storm_is_one_message_a_channel(engine: Engine) -> None:
    count = 500
    exchange = FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(count)})
    world = World(engine, [exchange], channels=["mail", "chat"])
    world.discover()
    world.tick()
    add(world, tell_resolved=True)
    for price, kind in ((120.0, "fired"), (100.0, "resolved")):
        exchange.prices = dict.fromkeys(exchange.prices, price)
        world.tick()

        for channel in ("mail", "chat"):
            now = int(world.now.timestamp())
            with writing(engine) as connection:
                found = outbox.claim(connection, channel, now, "me")
                assert found is not None
                outbox.mark_sent(connection, found, now)
                assert outbox.claim(connection, channel, now, "me") is None
            assert getattr(found.message, kind) == count
            assert found.message.fired + found.message.resolved == count
            assert f"and {count - LISTED} more" in found.message.text
    assert len(fired(world)) == count
    assert all(alert.resolved_at == world.now for alert in world.reader.alerts())


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
    assert [(base, rule_id) for _, base, rule_id in sent(world) if rule_id] == [("ETH", rule.id)]

    ticks(world, exchange, 100, 120)  # it was to last until the alert resolved
    assert not world.reader.alerts()[0].muted


def test_a_mute_of_the_seconds_before_a_ticks_commit_ends_with_what_that_tick_resolves(
    world: World, exchange: FakeExchange
) -> None:
    rule = add(world, cooldown_seconds=0)
    ticks(world, exchange, 120)
    with writing(world.engine) as connection:
        mutes.add(connection, rule.id, None, None, None, int(world.now.timestamp()) + world.period + 3)
    ticks(world, exchange, 100)
    with writing(world.engine) as connection:
        assert mutes.current(connection, int(world.now.timestamp())) == ()
        mutes.add(connection, rule.id, None, None, None, int(world.now.timestamp()) + 3)
    ticks(world, exchange, 100, 120)  # that was over before this one was made
    assert world.reader.alerts()[0].muted


def test_the_end_of_an_alert_is_sent_once_its_mutes_time_is_over(world: World, exchange: FakeExchange) -> None:
    rule = add(world, tell_resolved=True)
    ticks(world, exchange, 120)
    now = int(world.now.timestamp())
    with writing(world.engine) as connection:
        mutes.add(connection, rule.id, None, now + world.period, None, now)
    ticks(world, exchange, 100)
    assert sent(world) == [("fired", "BTC", rule.id), ("resolved", "BTC", rule.id)]


def test_a_built_in_alert_whose_exchange_falls_silent_is_without_data_and_goes_on_when_it_is_back(
    world: World, exchange: FakeExchange
) -> None:
    ticks(world, exchange, *[100] * 6, 1000)
    exchange.error = Unavailable("kraken", "gone")
    ticks(world, exchange, 1000, 1000)
    assert world.reader.alerts()[0].state == "firing"
    ticks(world, exchange, 1000)
    (alert,) = world.reader.alerts()
    assert (alert.state, alert.no_data_since, alert.resolved_at) == ("no_data", world.now, None)
    assert world.reader.open_alerts().newest == (alert,)

    exchange.error = None
    ticks(world, exchange, 1000)
    (alert,) = world.reader.alerts()
    assert (alert.state, alert.no_data_since) == ("firing", None)


def test_an_alert_without_data_resolves_when_the_price_is_known_to_be_back_and_only_that_is_sent(
    world: World, exchange: FakeExchange
) -> None:
    rule = add(world, tell_resolved=True)
    ticks(world, exchange, 120)
    exchange.error = Unavailable("kraken", "gone")
    ticks(world, exchange, *[120] * 10)
    (alert,) = world.reader.alerts()
    assert (alert.state, alert.no_data_since) == ("no_data", alert.fired_at + timedelta(minutes=3))
    assert sent(world) == [("fired", "BTC", rule.id)]

    exchange.error = None
    world.restart()
    ticks(world, exchange, 100)
    (alert,) = world.reader.alerts()
    assert (alert.state, alert.no_data_since, alert.reason) == ("resolved", None, None)
    assert sent(world) == [("resolved", "BTC", rule.id)]


def test_alerts_without_data_can_be_asked_for(world: World, exchange: FakeExchange) -> None:
    add(world)
    exchange.prices["ETH/USD"] = 120.0
    ticks(world, exchange, 120)
    del exchange.prices["BTC/USD"]
    for _ in range(3):
        world.tick()

    def bases(state: str) -> list[str]:
        return sorted(alert.base for alert in world.reader.alerts(AlertQuery(state=state)))

    assert {state: bases(state) for state in ("firing", "no_data", "open", "resolved")} == {
        "firing": ["ETH"], "no_data": ["BTC"], "open": ["BTC", "ETH"], "resolved": [],
    }  # fmt: skip


def test_an_alert_that_ends_because_its_average_caught_up_says_so(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "average", "factor": 2.0, "window_seconds": 300, "min_samples": 3}, cooldown_seconds=0)
    ticks(world, exchange, *[100] * 6, *[1000] * 30)
    assert {(alert.rule_id != 0, alert.state, alert.reason) for alert in world.reader.alerts()} == {
        (True, "resolved", "average_caught_up"), (False, "resolved", "average_caught_up"),
    }  # fmt: skip


def test_an_alert_that_ends_because_its_window_moved_on_says_so(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "change", "direction": "up", "percent": 50, "window_seconds": 300})
    ticks(world, exchange, *[100] * 6, *[160] * 7)
    (alert,) = world.reader.alerts()
    assert (alert.state, alert.reason) == ("resolved", "window_moved_on")


def test_an_alert_whose_value_is_back_needs_no_reason(world: World, exchange: FakeExchange) -> None:
    add(world, {"kind": "average", "factor": 2.0, "window_seconds": 300, "min_samples": 3})
    ticks(world, exchange, *[100] * 6, 250, 100)
    (alert,) = world.reader.alerts()
    assert (alert.state, alert.reason) == ("resolved", None)


def test_what_leaves_a_rules_scope_ends_and_is_not_without_data(world: World, exchange: FakeExchange) -> None:
    rule = add(world)
    ticks(world, exchange, 120)
    with writing(world.engine) as connection:
        rules.replace(connection, replace(rule, scope=parse_track("kraken:ETH/USD")), int(world.now.timestamp()))
    ticks(world, exchange, 120)
    (alert,) = world.reader.alerts()
    assert (alert.state, alert.reason) == ("resolved", None)


def test_a_built_in_alert_resolves_when_the_price_is_back(world: World, exchange: FakeExchange) -> None:
    ticks(world, exchange, *[100] * 6, 1000)
    (alert,) = world.reader.alerts()
    assert (alert.rule_id, alert.rule, alert.condition, alert.resolved_at) == (0, None, None, None)
    ticks(world, exchange, 100)
    assert world.reader.alerts()[0].resolved_at == world.now
