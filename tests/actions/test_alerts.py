"""User actions on rules, alerts and mutes, over a real database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.actions.alerts import StoreAlertService
from services.market.alerting.alerts import Alert, AlertCounts, AlertQuery
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import MAX_RULES, AlertRule, BadRule, TooManyRules
from services.market.errors import UnknownRecord
from services.market.types import Listing, Pair
from services.store.alerting import alerts, mutes, rules
from services.store.alerting.alerts import NewAlert
from services.store.database.engine import Engine, reading, writing
from services.store.ranking import metrics, snapshots
from services.store.reader import StoreReader
from tests import builders
from tests.builders import NOON

T = int(NOON.timestamp())


@pytest.fixture
def alert_service(engine: Engine) -> StoreAlertService:
    with writing(engine) as connection:
        listings = [Listing(Pair("BTC", "USD")), Listing(Pair("ETH", "USD"))]
        metrics.track(connection, "kraken", listings, lambda _pair: True, NOON)
    return StoreAlertService(engine, ("mail",))


def stored_alerts(engine: Engine, query: AlertQuery) -> tuple[Alert, ...]:
    with reading(engine) as connection:
        return alerts.find(connection, query)


def rule(name: str = "mine", **changes: Any) -> AlertRule:
    condition = {"kind": "level", "direction": "up", "level": 5}
    return parse_rule({"name": name, "scope": ["kraken:*"], "condition": condition} | changes)


def fire(engine: Engine, *firings: tuple[int, int, int]) -> None:
    """Store alerts of (rule, metric, seconds after noon)."""
    with writing(engine) as connection:
        rows = [NewAlert(metric, T + at, 9.0, None, None, 0, rule_id=rule) for rule, metric, at in firings]
        alerts.insert_alerts(connection, rows)


def revision(engine: Engine) -> int:
    with reading(engine) as connection:
        return snapshots.revision(connection)


def test_rules_are_stored_changed_and_removed_and_readers_read_again(
    engine: Engine, alert_service: StoreAlertService
) -> None:
    before = revision(engine)
    first, second = alert_service.add_rule(rule("one")), alert_service.add_rule(rule("two", channels=["mail"]))
    alert_service.change_rule(
        parse_rule({"name": "uno", "scope": ["a:*"], "condition": {"kind": "no_data", "periods": 3}}, 1), NOON
    )

    assert [found.name for found in alert_service.rules()] == ["uno", "two"]
    assert alert_service.rule(second.id) == second
    assert revision(engine) == before + 3

    alert_service.remove_rule(first.id, NOON)
    with pytest.raises(UnknownRecord, match="no rule 1"):
        alert_service.rule(first.id)
    assert alert_service.add_rule(rule("three")).id == 3  # numbers are not reused


def test_a_rule_must_name_existing_channels_which_may_be_removed_later(
    engine: Engine, alert_service: StoreAlertService
) -> None:
    with pytest.raises(BadRule, match=r"^channels: unknown channel 'post'; available: mail$"):
        alert_service.add_rule(rule(channels=["mail", "post"]))
    stored = alert_service.add_rule(rule(channels=["mail"]))

    later = StoreAlertService(engine, ("chat",))
    assert later.rule(stored.id).channels == ("mail",)
    later.change_rule(replace(stored, name="other", channels=("mail", "chat")), NOON)
    later.change_rule(replace(stored, channels=("chat",)), NOON)
    with pytest.raises(BadRule, match=r"^channels: unknown channel 'mail'"):
        later.change_rule(stored, NOON)
    with pytest.raises(BadRule, match=r"NOTIFY_URLS sets no channel$"):
        StoreAlertService(engine, ()).add_rule(rule(channels=["chat"]))


def test_a_missing_record_cannot_be_changed(alert_service: StoreAlertService) -> None:
    for attempt in (
        lambda: alert_service.change_rule(rule(), NOON),
        lambda: alert_service.remove_rule(4, NOON),
        lambda: alert_service.acknowledge(4, None, NOON),
        lambda: alert_service.unmute(4, NOON),
        lambda: alert_service.mute(4, None, None, None, NOON),
        lambda: alert_service.mute(None, 4, None, None, NOON),
    ):
        with pytest.raises(UnknownRecord):
            attempt()


@pytest.mark.parametrize("number", [2**63, 10**20, -(10**20)])
def test_a_number_beyond_the_range_of_databases_is_unknown(alert_service: StoreAlertService, number: int) -> None:
    for attempt in (
        lambda: alert_service.rule(number),
        lambda: alert_service.change_rule(replace(rule(), id=number), NOON),
        lambda: alert_service.remove_rule(number, NOON),
        lambda: alert_service.acknowledge(number, None, NOON),
        lambda: alert_service.unmute(number, NOON),
        lambda: alert_service.mute(number, None, None, None, NOON),
        lambda: alert_service.mute(None, number, None, None, NOON),
    ):
        with pytest.raises(UnknownRecord, match=str(number)):
            attempt()


def test_the_number_of_rules_is_limited(alert_service: StoreAlertService) -> None:
    for _ in range(MAX_RULES):
        alert_service.add_rule(rule())
    with pytest.raises(TooManyRules):
        alert_service.add_rule(rule())


def test_only_the_first_acknowledgement_of_an_alert_is_stored(engine: Engine, alert_service: StoreAlertService) -> None:
    fire(engine, (0, 1, 0))
    alert_service.acknowledge(1, "mine", NOON, "ann")
    again = alert_service.acknowledge(1, "no, mine", NOON + timedelta(hours=1), "bob")
    assert (again.note, again.acknowledged_at, again.acknowledged_by) == ("mine", NOON, "ann")


def test_alerts_are_chosen_by_all_that_may_be_asked(engine: Engine, alert_service: StoreAlertService) -> None:
    fire(engine, (0, 1, 0), (1, 1, 60), (1, 2, 120), (2, 2, 180))
    with writing(engine) as connection:
        alerts.resolve(connection, {(1, 1): None}, T + 90)
    alert_service.acknowledge(4, None, NOON)

    def chosen(**wanted: Any) -> list[int]:
        return [alert.id for alert in stored_alerts(engine, AlertQuery(**wanted))]

    assert chosen() == [4, 3, 2, 1]
    assert chosen(rule_id=1) == [3, 2]
    assert chosen(metric_id=2) == [4, 3]
    assert chosen(state="resolved") == [2]
    assert chosen(state="firing", unacknowledged=True) == [3, 1]
    assert chosen(since=NOON + timedelta(minutes=1), until=NOON + timedelta(minutes=3)) == [3, 2]
    assert chosen(limit=1) == [4]
    assert chosen(limit=2, offset=1) == [3, 2]
    assert chosen(up_to=2) == [2, 1]
    assert chosen(search="kraken btc/usd") == chosen(search="KRAKEN:BTC-USD") == [2, 1]
    assert chosen(search="th") == [4, 3]
    assert chosen(search="_tc") == chosen(search="okx btc") == []
    alert_service.mute(0, None, None, None, NOON)
    assert (chosen(muted=True), chosen(muted=False)) == ([1], [4, 3, 2])


def test_the_count_of_alerts_does_not_depend_on_the_page(engine: Engine, alert_service: StoreAlertService) -> None:
    reader = StoreReader(engine, builders.profile())
    assert reader.count_alerts(AlertQuery()) == AlertCounts(0, 0)
    fire(engine, (0, 1, 0), (1, 1, 60), (1, 2, 120))
    alert_service.acknowledge(2, None, NOON)

    assert reader.count_alerts(AlertQuery(limit=1, offset=2)) == AlertCounts(3, 2)
    assert reader.count_alerts(AlertQuery(search="btc")) == AlertCounts(2, 1)
    assert reader.count_alerts(AlertQuery(rule_id=1, unacknowledged=True)) == AlertCounts(1, 1)


@pytest.mark.usefixtures("alert_service")
def test_rules_that_fired_are_known_by_their_last_name(engine: Engine) -> None:
    reader = StoreReader(engine, builders.profile())
    fire(engine, (0, 1, 0))
    with writing(engine) as connection:
        for at, name in ((60, "one"), (120, "uno")):
            text = rules.encode_rule(rule(name))
            alerts.insert_alerts(connection, [NewAlert(1, T + at, 9.0, None, None, 0, rule_id=5, rule=text)])

    assert reader.rules_that_fired() == {0: None, 5: "uno"}


def test_all_selected_alerts_are_acknowledged_at_once_and_earlier_acknowledgements_stay(
    engine: Engine, alert_service: StoreAlertService
) -> None:
    fire(engine, (0, 1, 0), (1, 1, 60), (1, 2, 120), (1, 1, 180))
    alert_service.acknowledge(1, "first", NOON, "ann")

    assert alert_service.acknowledge_all(AlertQuery(search="btc", up_to=3, limit=1), "then", NOON, "bob") == 1

    acknowledged = [(alert.note, alert.acknowledged_by) for alert in stored_alerts(engine, AlertQuery())[::-1]]
    assert acknowledged == [("first", "ann"), ("then", "bob"), (None, None), (None, None)]


def test_alerts_that_need_attention_are_firing_and_neither_muted_nor_acknowledged(
    engine: Engine, alert_service: StoreAlertService
) -> None:
    fire(engine, (1, 1, 0), (1, 2, 60), (0, 1, 120), (2, 2, 180), (3, 1, 240))
    with writing(engine) as connection:
        alerts.resolve(connection, {(1, 1): None}, T + 90)
    alert_service.acknowledge(2, None, NOON)
    alert_service.mute(0, 1, None, None, NOON)

    with reading(engine) as connection:
        found = alerts.open_unacknowledged(connection, 1)
    assert (found.total, [alert.id for alert in found.newest]) == (2, [5])


def test_a_mute_applies_to_open_alerts_from_its_start_to_its_end(
    engine: Engine, alert_service: StoreAlertService
) -> None:
    fire(engine, (0, 1, 0), (0, 2, 0))
    muted = alert_service.mute(None, 1, NOON + timedelta(hours=1), "known", NOON)
    alert_service.mute(0, 1, NOON + timedelta(minutes=5), None, NOON)

    def are_muted() -> list[bool]:
        return [alert.muted for alert in stored_alerts(engine, AlertQuery())[::-1]]

    assert are_muted() == [True, False]
    alert_service.unmute(muted.id, NOON + timedelta(minutes=1))
    assert are_muted() == [True, False]
    assert [mute.rule_id for mute in alert_service.mutes(NOON)] == [0]
    alert_service.unmute(2, NOON + timedelta(minutes=1))
    assert are_muted() == [False, False]


def test_mutes_end_at_their_time_or_when_all_their_alerts_have_resolved(
    engine: Engine, alert_service: StoreAlertService
) -> None:
    fire(engine, (0, 1, 0), (0, 2, 0))
    alert_service.mute(0, None, None, None, NOON)
    alert_service.mute(None, 2, NOON + timedelta(minutes=10), None, NOON)

    def left(minutes: float, *resolved: tuple[int, int]) -> list[int]:
        with writing(engine) as connection:
            alerts.resolve(connection, dict.fromkeys(resolved), T + int(minutes * 60))
            mutes.end_timed(connection, T, T + int(minutes * 60))
            mutes.end_resolved(connection, T + int(minutes * 60))
        return [mute.id for mute in alert_service.mutes(NOON + timedelta(minutes=minutes))]

    assert left(1) == [1, 2]
    assert left(2, (0, 1)) == [1, 2]
    assert left(3, (0, 2)) == [2]
    assert left(10) == []


def test_an_alert_that_is_open_after_its_mute_needs_attention_again(
    engine: Engine, alert_service: StoreAlertService
) -> None:
    fire(engine, (0, 1, 0), (0, 2, 0))
    alert_service.mute(None, 1, NOON + timedelta(minutes=10), None, NOON)
    alert_service.mute(0, 2, NOON + timedelta(minutes=10), None, NOON)
    alert_service.mute(None, 2, NOON + timedelta(minutes=20), None, NOON)

    with writing(engine) as connection:
        mutes.end_timed(connection, T, T + 600)

    assert [alert.muted for alert in stored_alerts(engine, AlertQuery())[::-1]] == [False, True]


@pytest.mark.usefixtures("alert_service")
def test_a_rule_fires_on_a_metric_once_at_one_time(engine: Engine) -> None:
    fire(engine, (1, 1, 0), (2, 1, 0))
    with pytest.raises(Exception, match=r"(?i)unique"):
        fire(engine, (1, 1, 0))
    assert len(stored_alerts(engine, AlertQuery())) == 2
