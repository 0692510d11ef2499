"""Quotes of real exchanges, read from their responses."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event, Thread

import numpy as np
import pytest
import responses

from services.exchanges.ccxt_exchange import CcxtExchange
from services.market.errors import BadPayload, ExchangeError, Unavailable
from services.market.types import Pair
from tests import hostile
from tests.exchanges import wire as payloads
from tests.exchanges.wire import BINANCE, BITSTAMP, KRAKEN, SkippingTimer, kraken_ticker, serve

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def prices(exchange: CcxtExchange) -> dict[str, float]:
    quotes = exchange.quotes(NOON, 10)
    return {str(pair): price for pair, price in zip(quotes.pairs, quotes.prices.tolist(), strict=True)}


def paths(wire: responses.RequestsMock) -> list[str]:
    return [call.request.url.rpartition("/")[2] for call in wire.calls]


def test_all_pairs_of_kraken_have_their_common_names(kraken):
    assert prices(kraken) == {"BTC/USD": 60000.5, "DOGE/USD": 0.125, "ETH/USD": 3000.0, "SOL/EUR": 150.0}


def test_the_first_tick_also_requests_the_market_list_and_later_ones_send_one_request(kraken, wire):
    kraken.quotes(NOON, 10)
    assert sorted(paths(wire)) == ["AssetPairs", "Assets", "Ticker"]
    wire.calls.reset()

    kraken.quotes(NOON, 10)
    kraken.quotes(NOON, 10)

    assert paths(wire) == ["Ticker", "Ticker"]


def test_the_first_tick_after_a_listing_sends_one_request(binance, wire):
    binance.listings()
    wire.calls.reset()

    binance.quotes(NOON, 10)

    assert paths(wire) == ["24hr"]


def test_only_spot_markets_are_requested_from_binance(binance, wire):
    binance.listings()

    assert [call.request.url for call in wire.calls] == [f"{BINANCE}/exchangeInfo"]


def test_volumes_are_those_of_24_hours_in_base_units(kraken):
    assert kraken.quotes(NOON, 10).volumes.tolist() == [123.5] * 4


@pytest.mark.parametrize("volume", ["NaN", "-1", None, "much", "Infinity"])
def test_an_invalid_volume_that_ccxt_can_read_is_unknown_and_loses_no_price(binance, wire, volume):
    tickers = [payloads.binance_ticker("BTCUSDT", "100.0", volume=volume), payloads.binance_ticker("ETHBTC", "0.05")]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))

    quotes = binance.quotes(NOON, 10)

    assert quotes.prices.tolist() == [100.0, 0.05]
    assert math.isnan(quotes.volumes[0])
    assert quotes.volumes[1] == 7.5
    assert not quotes.rejected


def test_a_reported_volume_of_zero_is_zero(binance, wire):
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps([payloads.binance_ticker("BTCUSDT", "100.0", volume="0.0")]))

    assert binance.quotes(NOON, 10).volumes.tolist() == [0.0]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("NaN", "not finite"),
        ("Infinity", "not finite"),
        ("1e999", "not finite"),
        (float("nan"), "not finite"),
        (None, "missing"),
        ("0.0", "zero"),
        ("-1.5", "negative"),
        ("closed", "not a number"),
    ],
)
def test_an_invalid_price_is_counted_and_the_others_are_used(kraken, wire, last, reason):
    tickers = {**payloads.KRAKEN_TICKERS, "XDGUSD": kraken_ticker(last)}
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(tickers))

    quotes = kraken.quotes(NOON, 10)

    assert [str(pair) for pair in quotes.pairs] == ["BTC/USD", "ETH/USD", "SOL/EUR"]
    assert quotes.rejected == {reason: 1}


def test_a_missing_last_price_is_not_computed_from_the_open_and_the_change(binance, wire):
    tickers = [payloads.binance_ticker("BTCUSDT", None), payloads.binance_ticker("ETHBTC", "0.05")]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("ETH", "BTC"),)
    assert quotes.rejected == {"missing": 1}


def test_a_ticker_that_ccxt_cannot_parse_loses_only_its_own_pair(kraken, wire):
    tickers = {**payloads.KRAKEN_TICKERS, "XDGUSD": kraken_ticker("0.125", volume="much")}
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(tickers))

    quotes = kraken.quotes(NOON, 10)

    assert len(quotes.pairs) == 3
    assert quotes.rejected == {"unreadable": 1}


def test_an_unreadable_ticker_of_a_halted_pair_is_not_counted_as_rejected(kraken, wire):
    serve(wire, f"{KRAKEN}/AssetPairs", payloads.kraken_pairs(halted=["XDGUSD"]))
    tickers = {**payloads.KRAKEN_TICKERS, "XDGUSD": kraken_ticker("0.125", volume="much")}
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(tickers))

    assert kraken.quotes(NOON, 10).rejected == {}


def dead_ticker(price: str) -> str:
    return json.dumps([payloads.binance_ticker("BTCUSDT", "100.0"), payloads.binance_ticker("LUNAUSDT", price)])


def test_pairs_that_do_not_trade_are_idle_while_their_price_does_not_change(binance, wire):
    assert binance.quotes(NOON, 10).idle == {Pair("LUNA", "USDT")}
    assert binance.quotes(NOON, 10).idle == {Pair("LUNA", "USDT")}

    serve(wire, f"{BINANCE}/ticker/24hr", dead_ticker("0.0002"))
    quotes = binance.quotes(NOON, 10)
    assert not quotes.idle
    assert dict(zip(quotes.pairs, quotes.prices.tolist(), strict=True))[Pair("LUNA", "USDT")] == 0.0002
    assert binance.quotes(NOON, 10).idle == {Pair("LUNA", "USDT")}


@pytest.mark.parametrize("price", ["0.0", "NaN", "-1"])
def test_an_invalid_price_of_a_pair_that_does_not_trade_is_not_counted_as_rejected(binance, wire, price):
    serve(wire, f"{BINANCE}/ticker/24hr", dead_ticker(price))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("BTC", "USDT"),)
    assert not quotes.rejected


def test_an_exchange_without_trading_pairs_still_has_prices(binance, wire):
    symbols = [("BTC", "USDT", "BREAK"), ("ETH", "BTC", "BREAK"), ("LUNA", "USDT", "BREAK")]
    serve(wire, f"{BINANCE}/exchangeInfo", payloads.binance_info(symbols))

    assert len(binance.quotes(NOON, 10).pairs) == 3


def test_each_pair_without_a_price_is_reported_with_the_reason(kraken, wire):
    broken = {**payloads.KRAKEN_TICKERS, "XDGUSD": kraken_ticker("0.0"), "XETHZUSD": kraken_ticker("1", volume="much")}
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(broken))

    assert kraken.quotes(NOON, 10).refused == {Pair("DOGE", "USD"): "zero", Pair("ETH", "USD"): "unreadable"}


def test_a_ticker_that_ccxt_cannot_parse_is_counted_for_its_pair(binance, wire):
    broken = payloads.binance_ticker("ETHBTC", "0.05") | {"closeTime": {}, "lastPrice": ["x"]}
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps([payloads.binance_ticker("BTCUSDT", "100.0"), broken]))

    assert binance.quotes(NOON, 10).refused.keys() == {Pair("ETH", "BTC")}


def at(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def timed(ages: Mapping[str, timedelta]) -> str:
    return json.dumps([payloads.binance_ticker(name, "5.0", closeTime=at(NOON - age)) for name, age in ages.items()])


def test_a_ticker_that_is_hours_old_by_its_own_time_is_rejected_and_counted(binance, wire):
    ages = {"BTCUSDT": timedelta(seconds=2), "ETHBTC": timedelta(hours=3)}
    serve(wire, f"{BINANCE}/ticker/24hr", timed(ages))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("BTC", "USDT"),)
    assert quotes.rejected == {"out of date": 1}


def test_a_ticker_from_the_future_is_rejected_and_counted(binance, wire):
    ages = {"BTCUSDT": timedelta(seconds=2), "ETHBTC": -timedelta(hours=3)}
    serve(wire, f"{BINANCE}/ticker/24hr", timed(ages))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("BTC", "USDT"),)
    assert quotes.rejected == {"from the future": 1}


@pytest.mark.parametrize("skew", [timedelta(hours=-9), timedelta(minutes=40), timedelta(days=400)])
def test_an_exchange_whose_clock_is_wrong_loses_no_price(binance, wire, skew):
    serve(wire, f"{BINANCE}/ticker/24hr", timed({"BTCUSDT": skew, "ETHBTC": skew + timedelta(minutes=7)}))

    assert len(binance.quotes(NOON, 10).pairs) == 2


def test_a_pair_without_a_ticker_is_left_out(kraken, wire):
    tickers = {name: reported for name, reported in payloads.KRAKEN_TICKERS.items() if name != "XETHZUSD"}
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(tickers))

    assert "ETH/USD" not in prices(kraken)


def test_a_pair_that_is_not_in_the_market_list_is_left_out(kraken, wire):
    tickers = {**payloads.KRAKEN_TICKERS, "NEWUSD": kraken_ticker("7.0")}
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(tickers))

    assert len(prices(kraken)) == 4


def test_perpetuals_are_not_spot_pairs(wire, timer):
    def market(symbol, kind):
        return {
            "name": symbol.upper(),
            "market_symbol": symbol,
            "base_currency": "BTC",
            "base_decimals": 8,
            "counter_currency": "USD",
            "counter_decimals": 0,
            "minimum_order_value": "10",
            "description": "Bitcoin / U.S. dollar",
            "trading": "Enabled",
            "market_type": kind,
        }

    serve(wire, f"{BITSTAMP}/markets/", json.dumps([market("btcusd", "SPOT"), market("btcusd-perp", "PERPETUAL")]))
    reported = [{"pair": "BTC/USD", "last": "61000"}, {"pair": "BTC/USD-PERP", "last": "61999"}]
    serve(wire, f"{BITSTAMP}/ticker/", json.dumps(reported))
    bitstamp = CcxtExchange("bitstamp", None, timer)

    assert prices(bitstamp) == {"BTC/USD": 61000.0}
    assert np.isnan(bitstamp.quotes(NOON, 10).volumes).all()


@pytest.mark.parametrize("status", [500, 502, 503, 520, 404, 418, 429])
@pytest.mark.parametrize("name", ["kraken", "binance"])
def test_an_error_status_raises_unavailable_and_the_next_tick_succeeds(name, status, request, wire):
    exchange = request.getfixturevalue(name)
    before = prices(exchange)
    url = f"{KRAKEN}/Ticker" if name == "kraken" else f"{BINANCE}/ticker/24hr"
    good = next(found.body for found in wire.registered() if found.url == url)
    serve(wire, url, "<html>\n<body>Down</body></html>", status)

    with pytest.raises(Unavailable) as caught:
        exchange.quotes(NOON, 10)
    serve(wire, url, good)

    assert caught.value.market == name
    assert str(status) in caught.value.detail
    assert "<" not in caught.value.detail
    assert "\n" not in caught.value.detail
    assert prices(exchange) == before


@pytest.mark.parametrize("status", [403, 451])
def test_a_refusal_of_this_region_is_reported_as_such(kraken, wire, status):
    serve(wire, f"{KRAKEN}/Ticker", "<html>no</html>", status)

    with pytest.raises(Unavailable, match="may not serve your region"):
        kraken.quotes(NOON, 10)


def test_a_client_error_in_json_with_status_503_is_an_outage(binance, wire):
    serve(wire, f"{BINANCE}/ticker/24hr", '{"code":-1016,"msg":"This service is no longer available."}', 503)

    with pytest.raises(Unavailable, match="no longer available"):
        binance.quotes(NOON, 10)


def test_a_broken_body_does_not_hide_the_status_of_a_server_that_is_down(kraken, wire):
    serve(wire, f"{KRAKEN}/Ticker", "{down}", 503)

    with pytest.raises(Unavailable, match="503"):
        kraken.quotes(NOON, 10)


def test_json_of_an_unexpected_form_raises_bad_payload(kraken, wire):
    serve(wire, f"{KRAKEN}/AssetPairs", payloads.kraken_answer({"XXBTZUSD": {"base": "XXBT", "quote": "ZUSD"}}))

    with pytest.raises(BadPayload, match="an unexpected form"):
        kraken.quotes(NOON, 10)


@pytest.mark.parametrize(
    "complaint", ["EAPI:Rate limit exceeded", "EGeneral:Too many requests", "EService:Unavailable"]
)
def test_errors_of_an_outage_in_a_successful_response_raise_unavailable(kraken, wire, complaint):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": [complaint]}))

    with pytest.raises(Unavailable, match=complaint):
        kraken.quotes(NOON, 10)


def test_another_error_in_a_successful_response_raises_bad_payload(kraken, wire):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": ["EQuery:Unknown asset pair"]}))

    with pytest.raises(BadPayload, match="Unknown asset pair"):
        kraken.quotes(NOON, 10)


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("<html>hello</html>", "a web page"),
        ('{"error":[],"result":{"XXBTZUSD":{"a":["1"', "an incomplete response"),
        ("", "nothing"),
        ("{}", "no usable price"),
        ('{"error":[],"result":{}}', "no usable price"),
        ('{"error":[],"result":[]}', "no usable price"),
        ('{"error":[],"result":{"XXBTZUSD":null}}', "no usable price"),
        ("{not json}", "malformed JSON"),
    ],
)
def test_a_successful_response_without_prices_raises_bad_payload_and_the_next_tick_succeeds(
    kraken, wire, body, reported
):
    before = prices(kraken)
    serve(wire, f"{KRAKEN}/Ticker", body)

    with pytest.raises(BadPayload, match=reported):
        kraken.quotes(NOON, 10)
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(payloads.KRAKEN_TICKERS))

    assert prices(kraken) == before


@pytest.mark.parametrize("body", ["[]", "{}", "[null]", "[17]", '{"msg": "hello"}'])
def test_a_response_of_binance_without_prices_raises_bad_payload(binance, wire, body):
    serve(wire, f"{BINANCE}/ticker/24hr", body)

    with pytest.raises(BadPayload):
        binance.quotes(NOON, 10)


def test_a_response_with_only_invalid_prices_raises_bad_payload_with_the_reason(kraken, wire):
    serve(
        wire,
        f"{KRAKEN}/Ticker",
        payloads.kraken_answer({name: kraken_ticker("-1") for name in payloads.KRAKEN_TICKERS}),
    )

    with pytest.raises(BadPayload, match="4 negative"):
        kraken.quotes(NOON, 10)


def test_a_broken_connection_raises_unavailable(kraken, wire):
    kraken.listings()
    wire.upsert(responses.GET, f"{KRAKEN}/Ticker", body=ConnectionResetError("Connection reset by peer"))

    with pytest.raises(Unavailable):
        kraken.quotes(NOON, 10)


def test_a_long_error_text_is_cut_to_one_short_line(kraken, wire):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": ["EOdd:Thing\n" + "x " * 5000]}))

    with pytest.raises(BadPayload) as caught:
        kraken.quotes(NOON, 10)

    assert len(caught.value.detail) <= 200
    assert "\n" not in caught.value.detail


def test_without_a_market_list_a_tick_fails_and_the_next_one_requests_it(wire, kraken):
    serve(wire, f"{KRAKEN}/AssetPairs", "<html></html>")
    with pytest.raises(BadPayload):
        kraken.quotes(NOON, 10)
    assert "Ticker" not in paths(wire)

    serve(wire, f"{KRAKEN}/AssetPairs", payloads.kraken_pairs())

    assert len(prices(kraken)) == 4


def test_the_rate_limit_holds_between_ticks(kraken, timer):
    kraken.listings()
    timer.slept.clear()

    kraken.quotes(NOON, 10)
    kraken.quotes(NOON, 10)

    assert sum(timer.slept) == pytest.approx(1.1, abs=0.2)


def test_a_tick_without_enough_time_for_the_rate_limit_fails_at_once(kraken, wire):
    kraken.quotes(NOON, 10)
    wire.calls.reset()

    with pytest.raises(Unavailable, match="rate limit leaves no time"):
        kraken.quotes(NOON, 0.5)

    assert len(wire.calls) == 0


@contextmanager
def market_list_under_way(kraken: CcxtExchange, wire: responses.RequestsMock) -> Iterator[None]:
    """Another thread has requested the market list, and gets its response after the block."""
    requested, proceed = Event(), Event()

    def respond_later(_):
        requested.set()
        proceed.wait(20)
        return (200, {}, payloads.kraken_assets())

    wire.remove(responses.GET, f"{KRAKEN}/Assets")
    wire.add_callback(responses.GET, f"{KRAKEN}/Assets", respond_later)
    listing = Thread(target=kraken.listings)
    listing.start()
    try:
        assert requested.wait(10)
        yield
    finally:
        proceed.set()
        listing.join()


def test_a_running_request_for_the_market_list_does_not_delay_the_prices(kraken, wire):
    kraken.listings()
    with market_list_under_way(kraken, wire):
        assert len(prices(kraken)) == 4


def test_a_tick_waits_until_its_deadline_while_another_thread_requests_the_first_market_list(kraken, wire):
    with market_list_under_way(kraken, wire), pytest.raises(Unavailable, match="list of pairs"):
        kraken.quotes(NOON, 0.05)


def test_two_simultaneous_ticks_do_not_share_a_client(wire):
    payloads.serve_kraken(wire)
    kraken = CcxtExchange("kraken", None, SkippingTimer())
    kraken.listings()
    requested, proceed = Barrier(2), Event()

    def respond_later(_):
        requested.wait(10)
        proceed.wait(20)
        return (200, {}, payloads.kraken_answer(payloads.KRAKEN_TICKERS))

    wire.remove(responses.GET, f"{KRAKEN}/Ticker")
    wire.add_callback(responses.GET, f"{KRAKEN}/Ticker", respond_later)
    first = Thread(target=kraken.quotes, args=(NOON, 20))
    first.start()
    try:
        requested.wait(10)
        with pytest.raises(Unavailable, match="earlier request"):
            kraken.quotes(NOON, 0.05)
    finally:
        proceed.set()
        first.join()


@pytest.mark.parametrize("name", [name for name in hostile.NAMES if name.strip()])
def test_a_pair_with_an_unusable_name_is_not_counted_as_rejected(binance, wire, name):
    serve(
        wire, f"{BINANCE}/exchangeInfo", payloads.binance_info([("BTC", "USDT", "TRADING"), (name, "USDT", "TRADING")])
    )
    tickers = [payloads.binance_ticker("BTCUSDT", "100.0"), payloads.binance_ticker(f"{name}USDT", "5.0")]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("BTC", "USDT"),)
    assert not quotes.rejected


@pytest.mark.parametrize("text", hostile.NAMES)
def test_an_exchanges_error_text_is_reported_in_one_printable_line_without_markup(kraken, wire, text):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": [f"EGeneral:{text}"]}))

    with pytest.raises(ExchangeError) as failed:
        kraken.quotes(NOON, 10)

    assert failed.value.detail.isprintable()
    assert "<" not in failed.value.detail
    assert len(failed.value.detail) < 200
