"""Quotes of real exchanges, from what comes over the wire."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event, Thread

import numpy as np
import pytest
import responses

from services.exchanges.ccxt_exchange import CcxtExchange
from services.market.errors import BadPayload, ExchangeError, Unavailable
from services.market.types import Pair
from tests import hostile
from tests.exchanges import wire as say
from tests.exchanges.wire import BINANCE, BITSTAMP, KRAKEN, SkippingTimer, kraken_ticker, serve

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def prices(exchange: CcxtExchange) -> dict[str, float]:
    quotes = exchange.quotes(NOON, 10)
    return {str(pair): price for pair, price in zip(quotes.pairs, quotes.prices.tolist(), strict=True)}


def paths(wire: responses.RequestsMock) -> list[str]:
    return [call.request.url.rpartition("/")[2] for call in wire.calls]


def test_all_pairs_of_kraken_come_under_their_common_names(kraken):
    assert prices(kraken) == {"BTC/USD": 60000.5, "DOGE/USD": 0.125, "ETH/USD": 3000.0, "SOL/EUR": 150.0}


def test_the_first_tick_asks_for_the_market_list_and_every_later_one_sends_one_request(kraken, wire):
    kraken.quotes(NOON, 10)
    assert sorted(paths(wire)) == ["AssetPairs", "Assets", "Ticker"]
    wire.calls.reset()

    kraken.quotes(NOON, 10)
    kraken.quotes(NOON, 10)

    assert paths(wire) == ["Ticker", "Ticker"]


def test_a_tick_after_the_listing_is_one_request_even_the_first_time(binance, wire):
    binance.listings()
    wire.calls.reset()

    binance.quotes(NOON, 10)

    assert paths(wire) == ["24hr"]


def test_binance_is_asked_for_spot_markets_alone(binance, wire):
    binance.listings()

    assert [call.request.url for call in wire.calls] == [f"{BINANCE}/exchangeInfo"]


def test_volumes_are_those_of_24_hours_in_base_units(kraken):
    assert kraken.quotes(NOON, 10).volumes.tolist() == [123.5] * 4


@pytest.mark.parametrize("volume", ["NaN", "-1", None, "much", "Infinity"])
def test_a_volume_that_makes_no_sense_is_unknown_and_costs_no_price_where_ccxt_reads_it(binance, wire, volume):
    tickers = [say.binance_ticker("BTCUSDT", "100.0", volume=volume), say.binance_ticker("ETHBTC", "0.05")]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))

    quotes = binance.quotes(NOON, 10)

    assert quotes.prices.tolist() == [100.0, 0.05]
    assert math.isnan(quotes.volumes[0])
    assert quotes.volumes[1] == 7.5
    assert not quotes.rejected


def test_no_volume_at_all_is_a_volume_of_zero_when_reported_so(binance, wire):
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps([say.binance_ticker("BTCUSDT", "100.0", volume="0.0")]))

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
def test_one_price_that_makes_no_sense_is_counted_and_costs_no_other(kraken, wire, last, reason):
    tickers = {**say.KRAKEN_TICKERS, "XDGUSD": kraken_ticker(last)}
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(tickers))

    quotes = kraken.quotes(NOON, 10)

    assert [str(pair) for pair in quotes.pairs] == ["BTC/USD", "ETH/USD", "SOL/EUR"]
    assert quotes.rejected == {reason: 1}


def test_a_missing_last_price_is_not_computed_from_the_open_and_the_change(binance, wire):
    tickers = [say.binance_ticker("BTCUSDT", None), say.binance_ticker("ETHBTC", "0.05")]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("ETH", "BTC"),)
    assert quotes.rejected == {"missing": 1}


def test_figures_that_ccxt_stumbles_over_cost_their_own_pair_alone(kraken, wire):
    tickers = {**say.KRAKEN_TICKERS, "XDGUSD": kraken_ticker("0.125", volume="much")}
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(tickers))

    quotes = kraken.quotes(NOON, 10)

    assert len(quotes.pairs) == 3
    assert quotes.rejected == {"unreadable": 1}


def test_a_halted_pair_whose_figures_make_no_sense_is_not_held_against_the_answer(kraken, wire):
    serve(wire, f"{KRAKEN}/AssetPairs", say.kraken_pairs(halted=["XDGUSD"]))
    tickers = {**say.KRAKEN_TICKERS, "XDGUSD": kraken_ticker("0.125", volume="much")}
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(tickers))

    assert kraken.quotes(NOON, 10).rejected == {}


def dead_ticker(price: str) -> str:
    return json.dumps([say.binance_ticker("BTCUSDT", "100.0"), say.binance_ticker("LUNAUSDT", price)])


def test_pairs_that_do_not_trade_are_idle_while_their_price_stands_still(binance, wire):
    assert binance.quotes(NOON, 10).idle == {Pair("LUNA", "USDT")}
    assert binance.quotes(NOON, 10).idle == {Pair("LUNA", "USDT")}

    serve(wire, f"{BINANCE}/ticker/24hr", dead_ticker("0.0002"))
    quotes = binance.quotes(NOON, 10)
    assert not quotes.idle
    assert dict(zip(quotes.pairs, quotes.prices.tolist(), strict=True))[Pair("LUNA", "USDT")] == 0.0002
    assert binance.quotes(NOON, 10).idle == {Pair("LUNA", "USDT")}


@pytest.mark.parametrize("price", ["0.0", "NaN", "-1"])
def test_what_a_pair_tells_that_does_not_trade_is_not_held_against_the_answer(binance, wire, price):
    serve(wire, f"{BINANCE}/ticker/24hr", dead_ticker(price))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("BTC", "USDT"),)
    assert not quotes.rejected


def test_an_exchange_none_of_whose_pairs_trade_still_tells_their_prices(binance, wire):
    symbols = [("BTC", "USDT", "BREAK"), ("ETH", "BTC", "BREAK"), ("LUNA", "USDT", "BREAK")]
    serve(wire, f"{BINANCE}/exchangeInfo", say.binance_info(symbols))

    assert len(binance.quotes(NOON, 10).pairs) == 3


def test_each_pair_without_a_price_is_reported_with_the_reason(kraken, wire):
    broken = {**say.KRAKEN_TICKERS, "XDGUSD": kraken_ticker("0.0"), "XETHZUSD": kraken_ticker("1", volume="much")}
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(broken))

    assert kraken.quotes(NOON, 10).refused == {Pair("DOGE", "USD"): "zero", Pair("ETH", "USD"): "unreadable"}


def test_what_ccxt_cannot_read_is_counted_for_the_pair_that_it_is(binance, wire):
    broken = say.binance_ticker("ETHBTC", "0.05") | {"closeTime": {}, "lastPrice": ["x"]}
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps([say.binance_ticker("BTCUSDT", "100.0"), broken]))

    assert binance.quotes(NOON, 10).refused.keys() == {Pair("ETH", "BTC")}


def at(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def timed(ages: Mapping[str, timedelta]) -> str:
    return json.dumps([say.binance_ticker(name, "5.0", closeTime=at(NOON - age)) for name, age in ages.items()])


def test_a_ticker_that_is_hours_old_by_its_own_time_is_no_price_and_counted(binance, wire):
    ages = {"BTCUSDT": timedelta(seconds=2), "ETHBTC": timedelta(hours=3)}
    serve(wire, f"{BINANCE}/ticker/24hr", timed(ages))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("BTC", "USDT"),)
    assert quotes.rejected == {"out of date": 1}


def test_a_ticker_from_the_future_is_no_price_and_counted(binance, wire):
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
    tickers = {name: reported for name, reported in say.KRAKEN_TICKERS.items() if name != "XETHZUSD"}
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(tickers))

    assert "ETH/USD" not in prices(kraken)


def test_a_pair_that_is_not_in_the_market_list_is_left_out_and_not_reported_under_a_raw_name(kraken, wire):
    tickers = {**say.KRAKEN_TICKERS, "NEWUSD": kraken_ticker("7.0")}
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(tickers))

    assert len(prices(kraken)) == 4


def test_perpetuals_are_no_spot_pairs(wire, timer):
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
def test_an_error_status_means_that_it_is_unavailable_and_the_next_tick_is_well(name, status, request, wire):
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
def test_being_refused_at_this_place_is_reported_as_such(kraken, wire, status):
    serve(wire, f"{KRAKEN}/Ticker", "<html>no</html>", status)

    with pytest.raises(Unavailable, match="may not serve this place"):
        kraken.quotes(NOON, 10)


def test_a_client_error_in_json_is_an_outage_when_the_status_says_so(binance, wire):
    serve(wire, f"{BINANCE}/ticker/24hr", '{"code":-1016,"msg":"This service is no longer available."}', 503)

    with pytest.raises(Unavailable, match="no longer available"):
        binance.quotes(NOON, 10)


def test_a_broken_body_does_not_hide_the_status_of_a_server_that_is_down(kraken, wire):
    serve(wire, f"{KRAKEN}/Ticker", "{down}", 503)

    with pytest.raises(Unavailable, match="503"):
        kraken.quotes(NOON, 10)


def test_json_of_another_shape_makes_no_sense(kraken, wire):
    serve(wire, f"{KRAKEN}/AssetPairs", say.kraken_answer({"XXBTZUSD": {"base": "XXBT", "quote": "ZUSD"}}))

    with pytest.raises(BadPayload, match="makes no sense"):
        kraken.quotes(NOON, 10)


@pytest.mark.parametrize(
    "complaint", ["EAPI:Rate limit exceeded", "EGeneral:Too many requests", "EService:Unavailable"]
)
def test_complaints_inside_a_success_mean_that_it_is_unavailable(kraken, wire, complaint):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": [complaint]}))

    with pytest.raises(Unavailable, match=complaint):
        kraken.quotes(NOON, 10)


def test_another_complaint_needs_a_person(kraken, wire):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": ["EQuery:Unknown asset pair"]}))

    with pytest.raises(BadPayload, match="Unknown asset pair"):
        kraken.quotes(NOON, 10)


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("<html>hello</html>", "a web page"),
        ('{"error":[],"result":{"XXBTZUSD":{"a":["1"', "a cut-off answer"),
        ("", "nothing"),
        ("{}", "no price"),
        ('{"error":[],"result":{}}', "no price"),
        ('{"error":[],"result":[]}', "no price"),
        ('{"error":[],"result":{"XXBTZUSD":null}}', "no price"),
        ("{not json}", "something broken"),
    ],
)
def test_a_success_without_prices_is_bad_and_the_next_tick_is_well(kraken, wire, body, reported):
    before = prices(kraken)
    serve(wire, f"{KRAKEN}/Ticker", body)

    with pytest.raises(BadPayload, match=reported):
        kraken.quotes(NOON, 10)
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(say.KRAKEN_TICKERS))

    assert prices(kraken) == before


@pytest.mark.parametrize("body", ["[]", "{}", "[null]", "[17]", '{"msg": "hello"}'])
def test_no_prices_from_binance_is_bad_too(binance, wire, body):
    serve(wire, f"{BINANCE}/ticker/24hr", body)

    with pytest.raises(BadPayload):
        binance.quotes(NOON, 10)


def test_an_answer_whose_every_price_is_wrong_is_bad_and_says_why(kraken, wire):
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer({name: kraken_ticker("-1") for name in say.KRAKEN_TICKERS}))

    with pytest.raises(BadPayload, match="4 negative"):
        kraken.quotes(NOON, 10)


def test_a_broken_connection_means_that_it_is_unavailable(kraken, wire):
    kraken.listings()
    wire.upsert(responses.GET, f"{KRAKEN}/Ticker", body=ConnectionResetError("Connection reset by peer"))

    with pytest.raises(Unavailable):
        kraken.quotes(NOON, 10)


def test_a_long_complaint_is_cut_to_one_short_line(kraken, wire):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": ["EOdd:Thing\n" + "x " * 5000]}))

    with pytest.raises(BadPayload) as caught:
        kraken.quotes(NOON, 10)

    assert len(caught.value.detail) <= 200
    assert "\n" not in caught.value.detail


def test_without_a_market_list_a_tick_fails_and_the_next_one_gets_it(wire, kraken):
    serve(wire, f"{KRAKEN}/AssetPairs", "<html></html>")
    with pytest.raises(BadPayload):
        kraken.quotes(NOON, 10)
    assert "Ticker" not in paths(wire)

    serve(wire, f"{KRAKEN}/AssetPairs", say.kraken_pairs())

    assert len(prices(kraken)) == 4


def test_the_permitted_pace_holds_between_ticks(kraken, timer):
    kraken.listings()
    timer.slept.clear()

    kraken.quotes(NOON, 10)
    kraken.quotes(NOON, 10)

    assert sum(timer.slept) == pytest.approx(1.1, abs=0.2)


def test_a_tick_without_the_time_that_the_pace_demands_is_given_up_at_once(kraken, wire):
    kraken.quotes(NOON, 10)
    wire.calls.reset()

    with pytest.raises(Unavailable, match="pace"):
        kraken.quotes(NOON, 0.5)

    assert len(wire.calls) == 0


def test_a_market_list_under_way_does_not_hold_up_the_prices(kraken, wire):
    kraken.listings()
    asked, go_on = Event(), Event()

    def wait_for_it(_):
        asked.set()
        go_on.wait(20)
        return (200, {}, say.kraken_assets())

    wire.remove(responses.GET, f"{KRAKEN}/Assets")
    wire.add_callback(responses.GET, f"{KRAKEN}/Assets", wait_for_it)
    listing = Thread(target=kraken.listings)
    listing.start()
    try:
        assert asked.wait(10)
        assert len(prices(kraken)) == 4
    finally:
        go_on.set()
        listing.join()


def test_while_another_thread_gets_the_first_market_list_a_tick_waits_no_longer_than_it_may(kraken, wire):
    asked, go_on = Event(), Event()

    def wait_for_it(_):
        asked.set()
        go_on.wait(20)
        return (200, {}, say.kraken_assets())

    wire.remove(responses.GET, f"{KRAKEN}/Assets")
    wire.add_callback(responses.GET, f"{KRAKEN}/Assets", wait_for_it)
    listing = Thread(target=kraken.listings)
    listing.start()
    try:
        assert asked.wait(10)
        with pytest.raises(Unavailable, match="list of pairs"):
            kraken.quotes(NOON, 0.05)
    finally:
        go_on.set()
        listing.join()


def test_two_ticks_at_once_do_not_share_a_client(wire):
    say.serve_kraken(wire)
    kraken = CcxtExchange("kraken", None, SkippingTimer())
    kraken.listings()
    asked, go_on = Barrier(2), Event()

    def wait_for_it(_):
        asked.wait(10)
        go_on.wait(20)
        return (200, {}, say.kraken_answer(say.KRAKEN_TICKERS))

    wire.remove(responses.GET, f"{KRAKEN}/Ticker")
    wire.add_callback(responses.GET, f"{KRAKEN}/Ticker", wait_for_it)
    first = Thread(target=kraken.quotes, args=(NOON, 20))
    first.start()
    try:
        asked.wait(10)
        with pytest.raises(Unavailable, match="earlier request"):
            kraken.quotes(NOON, 0.05)
    finally:
        go_on.set()
        first.join()


@pytest.mark.parametrize("name", [name for name in hostile.NAMES if name.strip()])
def test_a_pair_that_cannot_be_tracked_for_its_name_is_no_fault_of_the_answer(binance, wire, name):
    serve(wire, f"{BINANCE}/exchangeInfo", say.binance_info([("BTC", "USDT", "TRADING"), (name, "USDT", "TRADING")]))
    tickers = [say.binance_ticker("BTCUSDT", "100.0"), say.binance_ticker(f"{name}USDT", "5.0")]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))

    quotes = binance.quotes(NOON, 10)

    assert quotes.pairs == (Pair("BTC", "USDT"),)
    assert not quotes.rejected


@pytest.mark.parametrize("text", hostile.NAMES)
def test_what_an_exchange_complains_of_is_reported_in_one_visible_line_without_markup(kraken, wire, text):
    serve(wire, f"{KRAKEN}/Ticker", json.dumps({"error": [f"EGeneral:{text}"]}))

    with pytest.raises(ExchangeError) as failed:
        kraken.quotes(NOON, 10)

    assert failed.value.detail.isprintable()
    assert "<" not in failed.value.detail
    assert len(failed.value.detail) < 200
