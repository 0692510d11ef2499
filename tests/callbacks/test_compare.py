from dataclasses import replace

import pytest

from layouts import ids
from services.market.types import Series
from tests import builders
from tests.callbacks.test_callbacks import VIEW, app_over, fire
from tests.fakes import FakeReader


@pytest.fixture
def reader() -> FakeReader:
    prices = [100.0 + (place * place) % 11 for place in range(1500)]
    return FakeReader(
        metrics=tuple(builders.ranked_metric(number, base=f"C{number}") for number in range(1, 11)),
        price_series={number: builders.series([number * price for price in prices]) for number in range(1, 11)},
    )


def page(reader: FakeReader, search: str) -> str:
    view = VIEW | {"path": "/compare", "search": search}
    return str(fire(app_over(reader), f"{ids.VIEW}.data", **{ids.VIEW: view}).json["response"][ids.PAGE])


def test_an_address_shows_its_comparison(reader):
    text = page(reader, "?ids=1,kraken:C2-USD,nope&span=1")

    assert "compare-chart" in text
    assert "nope" in text
    assert "1.00" in text


def test_metrics_beyond_eight_are_named_as_left_out(reader):
    text = page(reader, "?ids=" + ",".join(f"kraken:C{number}-USD" for number in range(1, 11)))

    assert "Only 8 metrics can be compared" in text
    assert "'kraken:C10-USD'" in text


def test_the_same_metric_under_two_names_is_compared_once(reader):
    assert page(reader, "?ids=1,kraken:C1-USD").count("Remove C1/USD") == 1


def test_an_empty_address_shows_instructions(reader):
    assert "No metrics chosen yet" in page(reader, "")


def test_a_new_revision_brings_the_newest_points_and_the_matrix(reader):
    drawn = {
        "view": "/compare?ids=1,2 UTC",
        "since": int(builders.NOON.timestamp()) - 86_400,
        "edge": int(builders.NOON.timestamp()) - 900,
        "samples": [1425, 1425],
        "revision": 7,
        "starts": [100.0, 200.0],
    }
    values = {ids.COMPARE_ASK: drawn, ids.TICK_STALE: False, ids.LOCATION: "?ids=1,2", ids.ZONE_NAME: "UTC"}

    response = fire(app_over(reader), f"{ids.COMPARE_ASK}.data", **values).json["response"]

    traces = response[ids.COMPARE_UPDATE]["data"]["traces"]
    assert [len(part["columns"]["y"]) for part in traces] == [1, 1]
    assert "1,439" in str(response[ids.COMPARE_MATRIX])
    assert "C2/USD" in str(response[ids.COMPARE_CHOSEN])


def test_metrics_with_equal_returns_have_a_correlation_of_one(reader):
    series = reader.price_series[2]
    reader.price_series[2] = Series(series.times, 1 / series.values, series.widths)

    assert "\N{MINUS SIGN}1.00" in page(reader, "?ids=1,2")


def test_a_search_offers_metrics_that_are_not_compared_yet(reader):
    values = {ids.COMPARE_SEARCH: "c1", ids.LOCATION: "?ids=1"}

    response = fire(app_over(reader), f"{ids.COMPARE_SEARCH}.value", **values).json["response"]

    text = str(response[ids.COMPARE_RESULTS])
    assert "/compare?ids=1,kraken:C10-USD" in text
    assert "kraken:C1-USD" not in text


def test_all_prices_of_an_open_comparison_become_stale_with_the_last_tick(reader):
    drawn = {"view": "/compare?ids=1,2 UTC"}
    values = {ids.COMPARE_ASK: drawn, ids.TICK_STALE: True, ids.LOCATION: "?ids=1,2", ids.ZONE_NAME: "UTC"}

    def chips():
        response = fire(app_over(reader), f"{ids.TICK_STALE}.data", **values).json["response"]
        return str(response[ids.COMPARE_CHOSEN])

    assert "Stale" not in chips()
    reader.state = replace(reader.state, stale=True)
    assert chips().count("Stale") == 2
