"""Market lists: which ones are accepted, and which of their pairs can be tracked."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from services.exchanges.ccxt_exchange import CcxtExchange
from services.market.errors import BadPayload, Unavailable
from services.market.types import CandlePage, Pair
from tests import hostile
from tests.exchanges import wire as payloads
from tests.exchanges.wire import BINANCE, KRAKEN, serve

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def trackable(listings):
    """The names of the pairs that can be tracked."""
    return {str(listing.pair) for listing in listings if listing.fault is None}


def faults(listings):
    return {str(listing.pair): listing.fault for listing in listings if listing.fault is not None}


def test_spot_pairs_have_their_common_names(kraken):
    assert trackable(kraken.listings()) == {"BTC/USD", "DOGE/USD", "ETH/USD", "SOL/EUR"}


def test_pairs_that_do_not_trade_are_listed_as_inactive(binance):
    assert {str(listing.pair): listing.active for listing in binance.listings()} == {
        "BTC/USDT": True,
        "ETH/BTC": True,
        "LUNA/USDT": False,
    }


ODD = ("A/B", "<b>", 'a"b', "a b", "A:B", "x" * 31, "'", "-", "..", "\uff22\uff34\uff23")


@pytest.mark.parametrize("name", [*ODD, *(name for name in hostile.NAMES if name)])
def test_pairs_with_unusable_names_are_listed_with_the_fault_and_logged_once(binance, wire, name, caplog):
    caplog.set_level(logging.INFO, "services.exchanges")
    symbols = [("BTC", "USDT", "TRADING"), (name, "USDT", "TRADING"), ("BTC", name, "TRADING")]
    serve(wire, f"{BINANCE}/exchangeInfo", payloads.binance_info(symbols))

    assert trackable(binance.listings()) == {"BTC/USDT"}
    assert all(fault.startswith("its name ") for fault in faults(binance.listings()).values())
    (message,) = caplog.messages
    assert message.startswith("binance: 2 pairs cannot be tracked, such as ")
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize("name", ["1INCH", "BTC.b", "A$AP", "1000SATS", "x_y", "@G", "A+B", "币安人生", "Я"])
def test_unusual_but_harmless_names_are_accepted(binance, wire, name):
    serve(wire, f"{BINANCE}/exchangeInfo", payloads.binance_info([(name, "USDT", "TRADING")]))
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps([payloads.binance_ticker(f"{name}USDT", "5.0")]))

    assert trackable(binance.listings()) == {f"{name.upper()}/USDT"}
    assert binance.quotes(NOON, 10).pairs == (Pair(name.upper(), "USDT"),)


def test_composed_and_decomposed_letters_are_the_same_name(binance, wire):
    serve(wire, f"{BINANCE}/exchangeInfo", payloads.binance_info([("E\u0301", "USDT", "TRADING")]))
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps([payloads.binance_ticker("E\u0301USDT", "5.0")]))
    serve(wire, f"{BINANCE}/klines", payloads.binance_candles([]))

    assert trackable(binance.listings()) == {"\u00c9/USDT"}
    (pair,) = binance.quotes(NOON, 10).pairs
    assert pair == Pair("\u00c9", "USDT")
    assert binance.candles(pair, CandlePage(NOON - timedelta(hours=1), NOON, 60)).times.tolist() == []


@pytest.mark.parametrize("other", ["kFOO", "foo"])
def test_two_markets_of_the_same_name_are_both_refused_with_the_reason(binance, wire, other):
    name = other.upper()
    symbols = [("BTC", "USDT", "TRADING"), (other, "USDT", "TRADING"), (name, "USDT", "TRADING")]
    serve(wire, f"{BINANCE}/exchangeInfo", payloads.binance_info(symbols))
    tickers = [
        payloads.binance_ticker(f"{base}USDT", price) for base, price in (("BTC", "9"), (other, "1"), (name, "2"))
    ]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))

    listings = binance.listings()

    assert trackable(listings) == {"BTC/USDT"}
    reason = f"the exchange has 2 markets of this name, {name}USDT and {other}USDT"
    assert faults(listings) == {f"{name}/USDT": reason}
    assert binance.quotes(NOON, 10).pairs == (Pair("BTC", "USDT"),)


def test_composed_and_decomposed_letters_make_two_markets_of_one_name(binance, wire):
    symbols = [("E\u0301", "USDT", "TRADING"), ("\u00c9", "USDT", "TRADING"), ("BTC", "USDT", "TRADING")]
    serve(wire, f"{BINANCE}/exchangeInfo", payloads.binance_info(symbols))

    listings = binance.listings()

    assert trackable(listings) == {"BTC/USDT"}
    assert "2 markets of this name" in faults(listings)["\u00c9/USDT"]


def test_krakens_own_names_of_a_pair_are_aliases(kraken):
    aliases = {str(listing.pair): set(map(str, listing.aliases)) for listing in kraken.listings()}

    assert aliases["BTC/USD"] >= {"XBT/USD", "XXBT/ZUSD", "XBT/ZUSD"}
    assert aliases["DOGE/USD"] >= {"XDG/USD", "XXDG/USD"}
    assert aliases["SOL/EUR"] == {"SOL/ZEUR"}
    assert all(alias not in aliases for message in aliases.values() for alias in message)


@pytest.mark.parametrize(
    "body",
    [
        "<html>hello</html>",
        "",
        "{}",
        '{"error":[],"result":{}}',
        '{"error":[],"result":{"X":',
        '{"error":["EQuery:Odd"]}',
    ],
)
def test_a_malformed_list_is_refused_and_the_previous_one_stays_in_use(kraken, wire, body):
    kraken.listings()
    serve(wire, f"{KRAKEN}/AssetPairs", body)

    with pytest.raises(BadPayload):
        kraken.listings()

    assert len(kraken.quotes(NOON, 10).pairs) == 4
    serve(wire, f"{KRAKEN}/AssetPairs", payloads.kraken_pairs())
    assert len(kraken.listings()) == 4


def test_a_list_that_lost_more_than_half_is_refused_and_the_previous_one_stays_in_use(kraken, wire):
    kraken.listings()
    serve(wire, f"{KRAKEN}/AssetPairs", payloads.kraken_pairs({"XXBTZUSD": ("XXBT", "ZUSD")}))

    with pytest.raises(BadPayload, match="shrank from 4 to 1"):
        kraken.listings()

    assert len(kraken.quotes(NOON, 10).pairs) == 4


def test_a_list_that_lost_half_is_accepted_and_decides_which_prices_are_used(kraken, wire):
    kraken.listings()
    kraken.quotes(NOON, 10)
    half = {"XXBTZUSD": ("XXBT", "ZUSD"), "XDGUSD": ("XXDG", "ZUSD")}
    serve(wire, f"{KRAKEN}/AssetPairs", payloads.kraken_pairs(half))

    assert trackable(kraken.listings()) == {"BTC/USD", "DOGE/USD"}
    assert [str(pair) for pair in kraken.quotes(NOON, 10).pairs] == ["BTC/USD", "DOGE/USD"]


def test_a_new_pair_has_a_price_in_the_next_tick_after_its_listing(kraken, wire):
    kraken.quotes(NOON, 10)
    serve(wire, f"{KRAKEN}/AssetPairs", payloads.kraken_pairs({**payloads.KRAKEN_PAIRS, "SOLUSD": ("SOL", "ZUSD")}))
    tickers = {**payloads.KRAKEN_TICKERS, "SOLUSD": payloads.kraken_ticker("170.0")}
    serve(wire, f"{KRAKEN}/Ticker", payloads.kraken_answer(tickers))
    assert Pair("SOL", "USD") not in kraken.quotes(NOON, 10).pairs

    kraken.listings()

    assert Pair("SOL", "USD") in kraken.quotes(NOON, 10).pairs


def test_a_list_from_an_exchange_that_is_down_raises_unavailable(kraken, wire):
    serve(wire, f"{KRAKEN}/Assets", "down", 503)

    with pytest.raises(Unavailable, match="503"):
        kraken.listings()


def test_the_list_of_gemini_is_not_read_from_its_web_page(wire, timer):
    serve(wire, "https://api.gemini.com/v1/symbols", json.dumps(["btcusd", "ethbtc"]))

    assert trackable(CcxtExchange("gemini", None, timer).listings()) == {"BTC/USD", "ETH/BTC"}
