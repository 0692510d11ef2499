"""The simulated exchange: reproducible, and lively enough for a demonstration."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.exchanges.demo_exchange import DemoExchange
from services.market.errors import BadPayload
from services.market.types import CandlePage, Pair

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DEMO = DemoExchange()
PAIRS = tuple(listing.pair for listing in DEMO.listings())
minutes = st.integers(0, 4_000_000_000 // 60).map(lambda minute: datetime.fromtimestamp(minute * 60, UTC))


def prices(minute, exchange=DEMO):
    quotes = exchange.quotes(minute, 1)
    return dict(zip(quotes.pairs, quotes.prices.tolist(), strict=True))


def closes(pair, since, until):
    return DEMO.candles(pair, CandlePage(since, until, 60))


def days_of(pair, days):
    return closes(pair, NOON - timedelta(days=days), NOON).closes


def firings(series, factor=3.0, window=60, cooldown=60):
    """The places where a price exceeds `factor` x the mean of the `window` before it, by the definition of the rule."""
    fired = []
    for place in range(window, len(series)):
        mean = sum(series[place - window : place]) / window
        if series[place] > factor * mean and (not fired or place - fired[-1] >= cooldown):
            fired.append(place)
    return fired


def test_some_forty_pairs_are_listed_once_each_and_all_trade():
    assert 35 <= len(PAIRS) <= 45
    assert len(set(PAIRS)) == len(PAIRS)
    assert all(listing.active for listing in DEMO.listings())


def test_well_known_coins_have_prices_near_their_levels():
    quotes = prices(NOON)

    assert 40_000 < quotes[Pair("BTC", "USD")] < 90_000
    assert 1e-5 < quotes[Pair("SHIB", "USD")] < 5e-5


def test_the_same_coin_costs_the_same_in_every_currency():
    quotes = prices(NOON)

    assert quotes[Pair("ETH", "BTC")] * quotes[Pair("BTC", "USD")] == pytest.approx(
        quotes[Pair("ETH", "USD")], rel=2e-5
    )
    assert quotes[Pair("BTC", "EUR")] * quotes[Pair("EUR", "USD")] == pytest.approx(
        quotes[Pair("BTC", "USD")], rel=2e-5
    )


@pytest.mark.parametrize(
    ("pair", "decimals"),
    [
        ("BTC/USD", 1),
        ("XRP/USD", 6),
        ("SHIB/USD", 10),
        ("DEMO00001/USD", 8),
        ("ETH/BTC", 7),
        ("XRP/BTC", 10),
        ("DOGE/USDT", 6),
        ("BTC/EUR", 1),
    ],
)
def test_prices_are_decimals_of_six_digits_at_the_pairs_level_live_and_in_the_history(pair, decimals):
    exchange, wanted = DemoExchange(41), Pair(*pair.split("/"))
    history = exchange.candles(wanted, CandlePage(NOON - timedelta(days=1), NOON, 60)).closes.tolist()
    live = [prices(NOON - ago * MINUTE, exchange)[wanted] for ago in range(60)]

    assert [round(price, decimals) for price in history + live] == history + live
    assert [round(price, decimals - 1) for price in history] != history


@given(minutes)
def test_every_price_has_a_short_decimal_form(minute):
    for price in prices(minute, DemoExchange(100)).values():
        digits = f"{price:.10f}".replace(".", "").strip("0")
        assert float(f"{price:.10f}") == price
        assert len(digits) <= 7


@given(minutes)
def test_every_price_and_volume_is_finite_and_above_zero_at_any_time(minute):
    quotes = DEMO.quotes(minute, 1)

    assert quotes.pairs == PAIRS
    assert np.isfinite(quotes.prices).all()
    assert (quotes.prices > 0).all()
    assert np.isfinite(quotes.volumes).all()
    assert (quotes.volumes > 0).all()
    assert not quotes.rejected


@given(minutes)
def test_another_instance_returns_the_same_quotes(minute):
    one, another = DEMO.quotes(minute, 1), DemoExchange().quotes(minute, 1)

    assert one.prices.tolist() == another.prices.tolist()
    assert one.volumes.tolist() == another.volumes.tolist()


@given(minutes)
def test_additional_invented_pairs_change_no_price(minute):
    larger = prices(minute, DemoExchange(100))

    assert {pair: larger[pair] for pair in PAIRS} == prices(minute)


@given(minutes, st.sampled_from(PAIRS), st.integers(0, 5))
def test_a_candle_closes_at_the_price_quoted_at_that_time(minute, pair, ago):
    candles = closes(pair, minute - 5 * MINUTE, minute + MINUTE)
    at = minute - ago * MINUTE + MINUTE
    found = candles.closes[candles.times == int(at.timestamp())]

    assert found.tolist() == ([prices(at)[pair]] if ago < 6 else [])


def test_candles_of_an_unknown_pair_raise_bad_payload():
    for pair in (Pair("BTC", "JPY"), Pair("DEMO00001", "USD")):
        with pytest.raises(BadPayload, match=f"has no pair {pair}"):
            closes(pair, NOON - MINUTE, NOON)


@given(minutes, st.integers(0, 400), st.integers(0, 400))
def test_candles_exclude_the_beginning_of_the_page_and_include_its_end(minute, before, after):
    since, until = minute - timedelta(seconds=before), minute + timedelta(seconds=after)
    times = closes(PAIRS[0], since, until).times
    expected = [at for at in range(int(since.timestamp()) + 1, int(until.timestamp()) + 1) if at % 60 == 0]

    assert times.tolist() == expected


@given(minutes, st.integers(0, 10 * 86_400))
def test_pages_cover_the_whole_requested_history_newest_first(until, length):
    since = until - timedelta(seconds=length)
    pages = DEMO.pages(since, until, until)

    edges = [until, *(page.since for page in pages)]
    assert edges[-1] == since
    assert [page.until for page in pages] == edges[:-1]


def test_the_flat_pair_never_moves():
    assert set(days_of(Pair("USDC", "USD"), 7).tolist()) == {1.0}


def test_the_stablecoin_hardly_moves_and_the_others_do():
    calm, wild = days_of(Pair("USDT", "USD"), 1), days_of(Pair("WIF", "USD"), 1)

    assert 0 < calm.std() / calm.mean() < 0.002
    assert wild.std() / wild.mean() > 0.01


def test_one_pair_fires_the_built_in_rule_every_few_hours_at_irregular_times():
    fired = firings(days_of(Pair("PEPE", "USD"), 10).tolist())
    gaps = np.diff(fired)

    assert 8 * 10 <= len(fired) <= 14 * 10
    assert gaps.max() <= 240
    assert gaps.min() >= 60
    assert len(set(gaps.tolist())) > 20


def test_a_spike_is_short():
    series = days_of(Pair("PEPE", "USD"), 3)
    usual = np.median(series)

    for place in firings(series.tolist()):
        assert series[place + 4] < 2 * usual


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.base != "PEPE"], ids=str)
def test_no_other_pair_fires_the_built_in_rule(pair):
    assert firings(days_of(pair, 4).tolist()) == []


def test_invented_pairs_never_fire_the_built_in_rule():
    exchange = DemoExchange(400)
    wild = [listing.pair for listing in exchange.listings()][-30:]

    for pair in wild:
        candles = exchange.candles(pair, CandlePage(NOON - timedelta(days=2), NOON, 60))
        assert firings(candles.closes.tolist()) == []


@pytest.mark.parametrize("count", [1, 40, 1000])
def test_it_has_the_requested_number_of_pairs(count):
    exchange = DemoExchange(count)

    assert len(exchange.listings()) == len(exchange.quotes(NOON, 1).pairs) == count


def test_invented_pairs_are_numbered():
    assert {str(listing.pair) for listing in DemoExchange(100).listings()} >= {"DEMO00001/USD", "DEMO00060/USD"}


def test_a_hundred_thousand_pairs_are_quoted_within_a_second():
    exchange = DemoExchange(100_000)
    started = time.process_time()
    quotes = exchange.quotes(NOON, 1)

    assert len(quotes.prices) == 100_000
    assert time.process_time() - started < 1.0
