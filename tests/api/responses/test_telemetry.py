from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import builders
from tests.builders import NOON

Reading = dict[tuple[str, ...], float]


def scrape(client) -> Reading:
    """Values of the samples by name and label values."""
    answer = client.get("/telemetry")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_exported_values_equal_the_status(reader, client):
    reader.state = builders.status(
        trading=9,
        priced=7,
        ticks=(builders.tick_state(missed=2, rejected=3), builders.tick_state(missed=5, stored=1)),
        exchanges=(
            builders.exchange_state("kraken"),
            builders.exchange_state("binance", failing_since=NOON - timedelta(minutes=3), latency_ms=None),
        ),
        backfills=(builders.backfill_state("kraken", done=5, failed=2, total=20),),
    )
    assert scrape(client) == {
        ("data_tracker_info", "false", "1.0.0"): 1.0,
        ("data_tracker_database_up",): 1.0,
        ("data_tracker_revision",): 7.0,
        ("data_tracker_metrics_tracked",): 10.0,
        ("data_tracker_metrics_live",): 7.0,
        ("data_tracker_metrics_stale",): 2.0,
        ("data_tracker_stale",): 0.0,
        ("data_tracker_last_tick_timestamp_seconds",): NOON.timestamp(),
        ("data_tracker_tick_late_seconds",): pytest.approx(0.012),
        ("data_tracker_tick_fetch_seconds",): pytest.approx(0.34),
        ("data_tracker_tick_commit_seconds",): pytest.approx(0.021),
        ("data_tracker_tick_prices",): 10.0,
        ("data_tracker_tick_rejected",): 3.0,
        ("data_tracker_ticks_missed",): 7.0,
        ("data_tracker_exchange_up", "kraken"): 1.0,
        ("data_tracker_exchange_up", "binance"): 0.0,
        ("data_tracker_exchange_latency_seconds", "kraken"): pytest.approx(0.34),
        ("data_tracker_backfill_requests", "kraken", "done"): 5.0,
        ("data_tracker_backfill_requests", "kraken", "failed"): 2.0,
        ("data_tracker_backfill_requests", "kraken", "waiting"): 13.0,
    }


SIZE, GROWTH, SEALED = (
    (f"data_tracker_{name}",)
    for name in ("database_size_bytes", "database_growth_bytes", "sealed_until_timestamp_seconds")
)


def test_the_database_size_is_exported_if_it_is_known(reader, client):
    reader.state = builders.status(storage=builders.storage())
    figures = scrape(client)
    assert [figures[name] for name in (SIZE, GROWTH, SEALED)] == [
        123_400_000.0,
        4_560_000.0,
        (NOON - timedelta(days=2)).timestamp(),
    ]

    reader.state = builders.status(storage=builders.storage(growth_bytes=None, sealed_until=None))
    assert {SIZE, GROWTH, SEALED} & scrape(client).keys() == {SIZE}

    reader.state = builders.status(storage=None)
    assert not {SIZE, GROWTH, SEALED} & scrape(client).keys()


@pytest.mark.parametrize(("up", "value"), [(True, 1.0), (False, 0.0), (None, None)])
def test_the_shared_cache_is_exported_if_there_is_one(reader, client, up, value):
    reader.state = builders.status(shared_cache=up)
    assert scrape(client).get(("data_tracker_shared_cache_up",)) == value


def test_before_the_first_tick_there_is_no_last_one(reader, client):
    reader.state = builders.status(minute=None, ticks=(), exchanges=(), revision=0, tracked=0, trading=0, priced=0)
    figures = scrape(client)
    assert figures[("data_tracker_database_up",)] == 1.0
    assert figures[("data_tracker_metrics_tracked",)] == 0.0
    assert ("data_tracker_last_tick_timestamp_seconds",) not in figures
    assert ("data_tracker_tick_late_seconds",) not in figures


def test_a_database_outage_is_exported_as_a_value_and_not_an_error(reader, client):
    reader.down = True
    assert scrape(client) == {("data_tracker_info", "false", "1.0.0"): 1.0, ("data_tracker_database_up",): 0.0}


def test_figures_that_no_longer_change_are_left_out(reader, client):
    reader.state = builders.status(away_since=NOON)
    assert scrape(client) == {("data_tracker_info", "false", "1.0.0"): 1.0, ("data_tracker_database_up",): 0.0}


def test_market_labels_escape_quotes_and_line_ends(reader, client):
    reader.state = builders.status(exchanges=(builders.exchange_state('a"b\\c\nd'),))
    assert scrape(client)[("data_tracker_exchange_up", 'a"b\\c\nd')] == 1.0
