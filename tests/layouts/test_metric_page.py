from datetime import timedelta

import pytest

from layouts import csv_export, ids, metric, notation
from layouts.metric_markets import elsewhere
from layouts.spans import SPANS, span_of
from tests import builders
from tests.layouts.reading import by_id, links_in, rows_of, text_of

MINUS, DASH = notation.MINUS, notation.UNKNOWN
HERE = builders.ranked_metric(1, price=100.0)


def test_the_same_pair_on_other_markets_is_listed_by_price_with_its_spread():
    okx = builders.ranked_metric(3, market="okx", price=100.25)
    bitstamp = builders.ranked_metric(4, market="bitstamp", price=99.5)
    euro = builders.ranked_metric(2, quote="EUR", price=90.0)

    markets = elsewhere(HERE, (HERE, euro, okx, bitstamp, builders.ranked_metric(5, base="ETH")), builders.NOON)

    assert rows_of(markets)[1:] == [
        "okx|Highest|100.25|+0.250 %",
        f"kraken|This|100.00|{DASH}",
        f"bitstamp|Lowest|99.5000|{MINUS}0.500 %",
    ]
    assert links_in(markets) == ["/metric/3", "/metric/4", "/compare?ids=1,3,4", "/metric/2"]
    assert "BTC/EUR" in text_of(markets)
    assert "ETH" not in text_of(markets)


def test_a_market_that_does_not_trade_is_neither_highest_nor_lowest():
    halted = builders.ranked_metric(3, market="okx", price=300.0, active=False, reason="halted", rank=None)
    other = builders.ranked_metric(4, market="bitstamp", price=99.0)

    rows = rows_of(elsewhere(HERE, (HERE, halted, other), builders.NOON))[1:]

    assert rows[0].startswith("okx|Halted|300.00")
    assert "Highest" in rows[1]
    assert "Lowest" in rows[2]


def test_a_market_with_a_stale_price_shows_that_and_is_neither_highest_nor_lowest():
    old = builders.ranked_metric(
        3, market="okx", price=300.0, stale=True, updated_at=builders.NOON - timedelta(hours=3)
    )
    other = builders.ranked_metric(4, market="bitstamp", price=99.0)

    rows = rows_of(elsewhere(HERE, (HERE, old, other), builders.NOON))[1:]

    assert rows[0].startswith("okx|3 h old|300.00")
    assert ["Highest" in row for row in rows] == [False, True, False]


def test_a_market_without_a_price_has_no_spread():
    silent = builders.ranked_metric(3, market="okx", price=None)

    assert rows_of(elsewhere(HERE, (HERE, silent), builders.NOON))[-1] == f"okx|{DASH}|{DASH}"


def test_a_pair_without_other_markets_shows_that():
    assert "no other market and against no other quote" in text_of(elsewhere(HERE, (HERE,), builders.NOON))
    euro = builders.ranked_metric(2, quote="EUR")
    assert "This pair is tracked on no other market" in text_of(elsewhere(HERE, (HERE, euro), builders.NOON))


def test_the_neighbours_in_rank_are_linked():
    rows = [builders.ranked_metric(number, base=f"C{number}") for number in (1, 2, 3)]

    assert links_in(metric.rank_links(rows[1], rows)) == ["/metric/1", "/metric/3"]
    assert links_in(metric.rank_links(rows[0], rows)) == ["/metric/2"]
    assert links_in(metric.rank_links(rows[2], rows)) == ["/metric/2"]
    assert (
        by_id(metric.rank_links(rows[1], rows), ids.METRIC_NEXT).title == "Next in rank: C3/USD on kraken (arrow right)"
    )


def test_a_metric_that_is_no_longer_tracked_has_no_neighbours_in_rank():
    assert links_in(metric.rank_links(HERE, [builders.ranked_metric(2)])) == []


def test_the_file_has_one_line_per_sample():
    sheet = csv_export.sheet(builders.series([60_000.5, 0.00002345]))

    assert sheet.splitlines() == [
        "time,price,width_seconds",
        "2026-03-01T11:59:00Z,60000.5,60",
        "2026-03-01T12:00:00Z,2.345e-05,60",
    ]


def test_the_file_of_hours_has_all_their_statistics():
    hours = builders.hours([(10.0, 14.0, 9.0, 12.0)])
    hours.volume[0] = float("nan")

    assert csv_export.sheet(hours).splitlines() == [
        "time,open,high,low,close,mean,count,volume_24h",
        "2026-03-01T11:00:00Z,10.0,14.0,9.0,12.0,11.0,60,",
    ]


def test_a_file_is_named_after_its_content_without_unsafe_characters():
    hostile = builders.ranked_metric(1, base='../B"T', quote="U/S")

    assert csv_export.file_name(builders.ranked_metric(), SPANS["24"]) == "kraken-BTC-USD-24h.csv"
    assert csv_export.file_name(hostile, SPANS["168"]) == "kraken-..-B-T-U-S-7d.csv"


@pytest.mark.parametrize("asked", ["9999", None, 24, ["1"], {}])
def test_an_unknown_span_becomes_the_first_one(asked):
    assert span_of(asked) is SPANS["24"]
