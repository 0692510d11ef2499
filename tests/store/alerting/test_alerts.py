from datetime import timedelta

import pytest

from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rules import BUILT_IN
from services.market.types import Listing, Pair
from services.store.alerting import alerts
from services.store.alerting.alerts import NewAlert
from services.store.database.engine import Engine, reading, writing
from services.store.ranking import metrics
from tests.builders import NOON

T = int(NOON.timestamp())


@pytest.fixture(autouse=True)
def _two_metrics(engine: Engine) -> None:
    with writing(engine) as connection:
        listings = [Listing(Pair("BTC", "USD")), Listing(Pair("ETH", "USD"))]
        metrics.track(connection, "kraken", listings, lambda _pair: True, NOON)


def fire(engine: Engine, metric_id: int, at: int) -> None:
    with writing(engine) as connection:
        alerts.insert_alerts(connection, [NewAlert(metric_id, at, 400.0, 100.0, 3.0, 60)])


def test_alerts_are_listed_newest_first_with_their_figures(engine: Engine) -> None:
    fire(engine, 1, T - 60)
    fire(engine, 2, T)

    with reading(engine) as connection:
        newest, older = alerts.find(connection, AlertQuery(limit=10))
        assert alerts.find(connection, AlertQuery(since=NOON, limit=10)) == (newest,)
        assert alerts.find(connection, AlertQuery(metric_id=1, limit=10)) == (older,)
        assert alerts.find(connection, AlertQuery(limit=1)) == (newest,)
    assert (newest.key, newest.fired_at, newest.price, newest.average) == ("kraken:ETH-USD", NOON, 400.0, 100.0)
    assert (newest.factor, newest.samples) == (3.0, 60)
    assert older.fired_at == NOON - timedelta(minutes=1)


def test_the_rules_that_fired_in_a_span_exclude_its_start(engine: Engine) -> None:
    fire(engine, 1, T)
    with reading(engine) as connection:
        assert alerts.firing_times(connection, BUILT_IN, T - 1, [1, 2]) == {1: T}
        assert alerts.firing_times(connection, BUILT_IN, T, [1, 2]) == {}


def test_each_of_forty_thousand_simultaneous_alerts_is_stored_once(engine: Engine) -> None:
    many = 40_000  # more values than one statement can hold
    with writing(engine) as connection:
        listings = [Listing(Pair(f"C{number}", "USD")) for number in range(many)]
        metrics.track(connection, "okx", listings, lambda _pair: True, NOON)
        firings = [NewAlert(number, T, number * 2.0, 1.0, 3.0, 60) for number in range(3, many + 3)]
        assert alerts.insert_alerts(connection, firings[:600]) == list(range(1, 601))
        assert set(alerts.firing_times(connection, BUILT_IN, T - 1, range(1, many + 3))) == set(range(3, 603))

    with reading(engine) as connection:
        found = alerts.find(connection, AlertQuery())
    assert [(alert.metric_id, alert.price) for alert in found[::-1]] == [(n, n * 2.0) for n in range(3, 603)]
