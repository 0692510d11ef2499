from dataclasses import replace
from datetime import timedelta

import pytest

from services.market.errors import BadPayload, DeliveryFailed, TrackerError, UnknownMetric
from services.market.types import Catalogue, Metric, Pair
from tests import builders
from tests.builders import NOON


def test_a_pair_is_written_with_a_slash():
    assert str(Pair("BTC", "USD")) == "BTC/USD"


def test_a_metrics_key_names_market_base_and_quote():
    key = "kraken:BTC-USD"
    assert Metric(1, "kraken", "BTC", "USD").key == key
    assert builders.ranked_metric().key == key
    assert builders.alert().key == key


def test_metric_ranking_line_and_alert_have_the_same_pair():
    pair = Pair("BTC", "USD")
    assert Metric(1, "kraken", "BTC", "USD").pair == pair
    assert builders.ranked_metric().pair == pair
    assert builders.alert().pair == pair


def test_a_catalogue_has_the_place_of_each_pair_in_each_market():
    catalogue = Catalogue(
        1,
        (
            Metric(2, "kraken", "BTC", "USD"),
            Metric(5, "binance", "BTC", "USD", active=False),
            Metric(9, "kraken", "ETH", "USD"),
        ),
    )
    assert catalogue.rows == {
        "kraken": {Pair("BTC", "USD"): 0, Pair("ETH", "USD"): 2},
        "binance": {Pair("BTC", "USD"): 1},
    }
    assert {market: places.tolist() for market, places in catalogue.places.items()} == {
        "kraken": [0, 2],
        "binance": [1],
    }
    assert catalogue.ids.tolist() == [2, 5, 9]
    assert catalogue.active.tolist() == [True, False, True]


def test_a_backfill_runs_until_every_request_is_done_or_has_failed():
    assert builders.backfill_state(done=5, failed=1, total=7).running
    assert not builders.backfill_state(done=5, failed=2, total=7).running


@pytest.mark.parametrize(
    ("minute", "tracked", "seconds", "stale"),
    [(NOON, 10, 180, False), (NOON, 10, 181, True), (NOON, 0, 181, False), (None, 10, 0, True), (None, 0, 0, False)],
)
def test_a_ranking_state_can_be_evaluated_at_another_time(minute, tracked, seconds, stale):
    state = builders.status(minute=minute, tracked=tracked, stale=not stale)
    later = state.as_of(NOON + timedelta(seconds=seconds), period_seconds=60)
    assert later == replace(state, stale=stale)


def test_errors_have_their_subject():
    error = BadPayload("kraken", "half a JSON")
    assert (str(error), error.market, error.detail) == ("kraken: half a JSON", "kraken", "half a JSON")
    assert (str(UnknownMetric(7)), UnknownMetric(7).wanted) == ("no metric 7", 7)
    assert [DeliveryFailed("no").permanent, DeliveryFailed("no", permanent=True).permanent] == [False, True]
    assert isinstance(error, TrackerError)
