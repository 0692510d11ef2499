"""Candles: the requests for them, and which of the returned candles are used."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchanges.candle_pages import CandleLimits, split
from services.exchanges.ccxt_exchange import CcxtExchange
from services.market.errors import BadPayload, Unavailable
from services.market.types import CandlePage, Pair
from tests.exchanges import wire as payloads
from tests.exchanges.wire import BINANCE, KRAKEN, serve

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
AT = int(NOON.timestamp())
DAY = timedelta(days=1)
BTC_USD, BTC_USDT = Pair("BTC", "USD"), Pair("BTC", "USDT")


def page(minutes, width=60):
    return CandlePage(NOON - timedelta(minutes=minutes), NOON, width)


def query_of(wire):
    return {name: value[0] for name, value in parse_qs(urlparse(wire.calls[-1].request.url).query).items()}


def test_kraken_returns_its_newest_720_minutes_and_the_rest_of_the_day_in_five_minute_candles(kraken):
    fine, coarse = kraken.pages(NOON - DAY, NOON, NOON)

    assert (fine.width, fine.until) == (60, NOON)
    assert 700 <= (fine.until - fine.since) / timedelta(minutes=1) < 720
    assert (coarse.width, coarse.since, coarse.until) == (300, NOON - DAY, fine.since)
    assert int(fine.since.timestamp()) % 300 == 0


def test_kraken_gets_no_request_for_five_minute_candles_within_its_newest_720_minutes(kraken):
    assert [(found.width, found.since) for found in kraken.pages(NOON - timedelta(hours=3), NOON, NOON)] == [
        (60, NOON - timedelta(hours=3))
    ]


def test_an_older_gap_is_filled_with_five_minute_candles_only(kraken):
    pages = kraken.pages(NOON - timedelta(hours=20), NOON - timedelta(hours=18), NOON)

    assert [(found.width, found.since, found.until) for found in pages] == [
        (300, NOON - timedelta(hours=20), NOON - timedelta(hours=18))
    ]


def test_history_that_kraken_no_longer_has_is_not_requested(kraken):
    pages = kraken.pages(NOON - 30 * DAY, NOON, NOON)

    assert len(pages) == 2
    assert NOON - pages[-1].since <= timedelta(minutes=5 * 720)


def test_binance_returns_a_day_in_two_adjacent_pages(binance):
    newer, older = binance.pages(NOON - DAY, NOON, NOON)

    assert (newer.until, older.since) == (NOON, NOON - DAY)
    assert newer.since == older.until == NOON - timedelta(minutes=1000)


def test_pages_begin_and_end_on_candle_boundaries_and_not_in_the_future(binance):
    pages = binance.pages(NOON - timedelta(seconds=90), NOON + timedelta(hours=1), NOON + timedelta(seconds=59))

    assert [(found.since, found.until) for found in pages] == [(NOON - timedelta(minutes=2), NOON)]


@pytest.mark.parametrize(
    ("name", "page_size"), [("coinbase", 300), ("mexc", 500), ("kucoin", 1500), ("bitstamp", 1000)]
)
def test_pages_are_as_large_as_the_exchange_permits(name, page_size):
    newest = CcxtExchange(name, None).pages(NOON - 5 * DAY, NOON, NOON)[0]

    assert newest.until - newest.since == timedelta(minutes=page_size)


def test_only_the_newest_day_is_requested_from_gemini():
    pages = CcxtExchange("gemini", None).pages(NOON - 5 * DAY, NOON, NOON)

    assert len(pages) == 1
    assert NOON - pages[0].since <= DAY


def test_an_exchange_without_candles_has_no_history():
    assert CcxtExchange("coinmate", None).pages(NOON - DAY, NOON, NOON) == ()


@given(
    st.integers(0, 5 * 86_400),
    st.integers(0, 3 * 86_400),
    st.integers(0, 86_400),
    st.sampled_from(
        [CandleLimits(60, 300), CandleLimits(60, 720, True, 300), CandleLimits(60, 1440, True), CandleLimits(300, 100)]
    ),
)
def test_pages_never_overlap_never_exceed_their_size_and_lie_on_the_grid(length, age, ahead, limits):
    now = AT + 17
    until = now - age + ahead
    since = until - length
    pages = split(limits, *(datetime.fromtimestamp(at, UTC) for at in (since, until, now)))

    edges = [(int(found.since.timestamp()), int(found.until.timestamp()), found.width) for found in pages]
    for low, high, width in edges:
        assert low % width == 0
        assert high % width == 0
        assert low < high <= min(until, now)
        assert low > since - width
        assert (high - low) // width <= limits.page
    for (newer_low, _, _), (_, older_high, older_width) in pairwise(edges):
        assert newer_low - older_width < older_high <= newer_low


def test_closes_are_stamped_with_the_end_of_their_candle(kraken, wire):
    rows = [(AT - 180, "1.5"), (AT - 120, "2.5"), (AT - 60, "3.5")]
    serve(wire, f"{KRAKEN}/OHLC", payloads.kraken_candles("XXBTZUSD", rows))

    candles = kraken.candles(BTC_USD, page(3))

    assert candles.width == 60
    assert candles.times.tolist() == [AT - 120, AT - 60, AT]
    assert candles.closes.tolist() == [1.5, 2.5, 3.5]
    assert not candles.rejected


def test_five_minute_candles_are_requested_and_stamped_as_such(kraken, wire):
    serve(wire, f"{KRAKEN}/OHLC", payloads.kraken_candles("XXBTZUSD", [(AT - 600, "1.5"), (AT - 300, "2.5")]))

    candles = kraken.candles(BTC_USD, page(10, 300))

    assert query_of(wire)["interval"] == "5"
    assert (candles.width, candles.times.tolist()) == (300, [AT - 300, AT])


def test_the_unfinished_candle_and_those_before_the_page_are_dropped(kraken, wire):
    rows = [(AT - 60 * ago, str(ago + 1)) for ago in range(5, -1, -1)]
    serve(wire, f"{KRAKEN}/OHLC", payloads.kraken_candles("XXBTZUSD", rows))

    assert kraken.candles(BTC_USD, page(2)).times.tolist() == [AT - 60, AT]


def test_the_request_has_the_start_and_the_number_of_candles(binance, wire):
    serve(wire, f"{BINANCE}/klines", payloads.binance_candles([(AT - 600, "5")]))

    binance.candles(BTC_USDT, page(10))

    assert query_of(wire) == {"symbol": "BTCUSDT", "interval": "1m", "startTime": str((AT - 600) * 1000), "limit": "10"}


def test_invalid_closes_are_dropped_and_counted(binance, wire):
    quoted = ["1.5", "NaN", "Infinity", None, "0", "-2", "closed", "2.5"]
    rows = [(AT - 60 * (len(quoted) - place), close) for place, close in enumerate(quoted)]
    serve(wire, f"{BINANCE}/klines", payloads.binance_candles(rows))

    candles = binance.candles(BTC_USDT, page(10))

    assert candles.closes.tolist() == [1.5, 2.5]
    assert candles.times.tolist() == [AT - 7 * 60, AT]
    assert candles.rejected == {"not finite": 2, "missing": 2, "zero": 1, "negative": 1}


def test_a_candle_without_a_time_is_dropped_and_the_others_are_used(binance, wire):
    good = payloads.binance_candles([(AT - 60, "2.5")])
    bad = payloads.binance_candles([(0, "2.5")]).replace("[[0,", "[[null,")
    serve(wire, f"{BINANCE}/klines", f"{bad[:-1]},{good[1:]}")

    assert binance.candles(BTC_USDT, page(10)).times.tolist() == [AT]


def test_candles_are_sorted_and_duplicates_dropped(binance, wire):
    rows = [(AT - 60, "3"), (AT - 180, "1"), (AT - 120, "2"), (AT - 60, "3")]
    serve(wire, f"{BINANCE}/klines", payloads.binance_candles(rows))

    candles = binance.candles(BTC_USDT, page(10))

    assert candles.times.tolist() == [AT - 120, AT - 60, AT]
    assert candles.closes.tolist() == [1.0, 2.0, 3.0]


def test_a_response_without_candles_is_valid(binance, wire):
    serve(wire, f"{BINANCE}/klines", "[]")

    candles = binance.candles(BTC_USDT, page(10))

    assert (candles.times.tolist(), candles.closes.tolist()) == ([], [])


@pytest.mark.parametrize("body", ["<html></html>", "", "[[1,2", "{nothing}", '{"error":["EQuery:Odd"]}'])
def test_a_malformed_response_is_not_a_history_without_trades(kraken, wire, body):
    serve(wire, f"{KRAKEN}/OHLC", body)

    with pytest.raises(BadPayload):
        kraken.candles(BTC_USD, page(10))


@pytest.mark.parametrize(
    ("status", "body"), [(503, "down"), (429, "{}"), (200, '{"error":["EAPI:Rate limit exceeded"]}')]
)
def test_an_exchange_that_is_down_or_limits_requests_is_unavailable(kraken, wire, status, body):
    serve(wire, f"{KRAKEN}/OHLC", body, status)

    with pytest.raises(Unavailable):
        kraken.candles(BTC_USD, page(10))


def test_a_pair_that_is_not_listed_is_not_requested(kraken, wire):
    with pytest.raises(BadPayload, match="no longer has the pair OLD/USD"):
        kraken.candles(Pair("OLD", "USD"), page(10))

    assert not [call for call in wire.calls if "OHLC" in call.request.url]


@pytest.mark.parametrize(("name", "pair", "seconds"), [("kraken", BTC_USD, 1.32), ("binance", BTC_USDT, 0.1)])
def test_candle_requests_are_a_tenth_slower_than_permitted_and_at_least_100_ms_apart(
    name, pair, seconds, request, wire, timer
):
    exchange = request.getfixturevalue(name)
    serve(wire, f"{KRAKEN}/OHLC", payloads.kraken_candles("XXBTZUSD", []))
    serve(wire, f"{BINANCE}/klines", "[]")
    exchange.candles(pair, page(10))
    timer.slept.clear()

    for _ in range(3):
        exchange.candles(pair, page(10))

    assert sum(timer.slept) == pytest.approx(3 * seconds, abs=0.25)
    assert sum(timer.slept) <= 3 * seconds
