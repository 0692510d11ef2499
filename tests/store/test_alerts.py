from datetime import timedelta

import pytest

from services.market.types import Listing, Pair
from services.store import alerts, metrics
from services.store.alerts import Firing
from services.store.engine import Engine, reading, writing
from tests.builders import NOON

T = int(NOON.timestamp())


@pytest.fixture(autouse=True)
def _two_metrics(engine: Engine) -> None:
    with writing(engine) as connection:
        listings = [Listing(Pair("BTC", "USD")), Listing(Pair("ETH", "USD"))]
        metrics.track(connection, "kraken", listings, lambda _pair: True, NOON)


def fire(engine: Engine, metric_id: int, at: int, channels: tuple[str, ...] = ()) -> None:
    with writing(engine) as connection:
        alerts.fire(connection, [Firing(metric_id, at, 400.0, 100.0, 3.0, 60)], channels)


def claim(engine: Engine, now: int, channel: str = "mail", limit: int = 10) -> list[alerts.Owed]:
    with writing(engine) as connection:
        return alerts.claim(connection, [channel], now, 120, limit)


def test_alerts_are_told_newest_first_with_their_figures(engine: Engine) -> None:
    fire(engine, 1, T - 60)
    fire(engine, 2, T)

    with reading(engine) as connection:
        newest, older = alerts.fired(connection, None, None, 10)
        assert alerts.fired(connection, NOON, None, 10) == (newest,)
        assert alerts.fired(connection, None, 1, 10) == (older,)
        assert alerts.fired(connection, None, None, 1) == (newest,)
    assert (newest.key, newest.fired_at, newest.price, newest.average) == ("kraken:ETH-USD", NOON, 400.0, 100.0)
    assert (newest.factor, newest.samples) == (3.0, 60)
    assert older.fired_at == NOON - timedelta(minutes=1)


def test_who_fired_within_a_time_is_known_its_start_left_out(engine: Engine) -> None:
    fire(engine, 1, T)
    with reading(engine) as connection:
        assert alerts.last_fired(connection, [1, 2], T - 1) == {1}
        assert alerts.last_fired(connection, [1, 2], T) == set()


def test_each_channel_is_owed_each_alert_once(engine: Engine) -> None:
    fire(engine, 1, T, ("mail", "chat"))

    owed = claim(engine, T)
    assert [(message.channel, message.attempts, message.alert.metric_id) for message in owed] == [("mail", 0, 1)]
    assert claim(engine, T) == []
    assert [message.channel for message in claim(engine, T, "chat")] == ["chat"]


def test_a_claim_that_was_never_settled_is_free_again_later(engine: Engine) -> None:
    fire(engine, 1, T, ("mail",))
    (first,) = claim(engine, T)

    assert claim(engine, T + 119) == []
    assert [message.id for message in claim(engine, T + 120)] == [first.id]


def test_a_sent_message_and_one_that_is_given_up_are_owed_no_more(engine: Engine) -> None:
    fire(engine, 1, T, ("mail",))
    fire(engine, 2, T, ("mail",))
    first, second = claim(engine, T)
    with writing(engine) as connection:
        alerts.mark_sent(connection, first.id, T)
        alerts.mark_failed(connection, second.id, T, "no such address")

    assert claim(engine, T + 100_000) == []


def test_a_postponed_message_comes_back_when_it_is_due(engine: Engine) -> None:
    fire(engine, 1, T, ("mail",))
    (first,) = claim(engine, T)
    with writing(engine) as connection:
        alerts.postpone(connection, first.id, T + 30, "busy")

    assert claim(engine, T + 29) == []
    (again,) = claim(engine, T + 30)
    assert (again.id, again.attempts) == (first.id, 1)


def test_no_more_than_the_limit_is_claimed_the_longest_due_first(engine: Engine) -> None:
    fire(engine, 2, T + 60, ("mail",))
    fire(engine, 1, T, ("mail",))

    assert [message.alert.metric_id for message in claim(engine, T + 60, limit=1)] == [1]


def test_however_many_break_the_rule_at_once_each_fires_once(engine: Engine) -> None:
    many = 40_000  # more than a statement holds values
    with writing(engine) as connection:
        listings = [Listing(Pair(f"C{number}", "USD")) for number in range(many)]
        metrics.track(connection, "okx", listings, lambda _pair: True, NOON)
        firings = [Firing(number, T, number * 2.0, 1.0, 3.0, 60) for number in range(3, many + 3)]
        alerts.fire(connection, firings[:600], ("mail", "chat"))
        assert alerts.last_fired(connection, range(1, many + 3), T - 1) == set(range(3, 603))

    with reading(engine) as connection:
        found = alerts.fired(connection, None, None, 1000)
    assert [(alert.metric_id, alert.price) for alert in found[::-1]] == [(n, n * 2.0) for n in range(3, 603)]
    assert len(claim(engine, T, "chat", limit=1000)) == 600
