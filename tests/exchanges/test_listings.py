"""Market lists: believed when plausible, and then by all."""

import json
import logging
from datetime import UTC, datetime

import pytest

from services.exchanges.ccxt_exchange import CcxtExchange
from services.market.errors import BadPayload, Unavailable
from services.market.types import Listing, Pair
from tests import hostile
from tests.exchanges import wire as say
from tests.exchanges.wire import BINANCE, KRAKEN, serve

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def named(listings):
    return {str(listing.pair) for listing in listings}


def test_spot_pairs_come_under_their_common_names(kraken):
    assert named(kraken.listings()) == {"BTC/USD", "DOGE/USD", "ETH/USD", "SOL/EUR"}


def test_pairs_that_do_not_trade_are_listed_as_such(binance):
    assert set(binance.listings()) == {
        Listing(Pair("BTC", "USDT"), True),
        Listing(Pair("ETH", "BTC"), True),
        Listing(Pair("LUNA", "USDT"), False),
    }


ODD = ("A/B", "<b>", 'a"b', "a b", "币安人生", "A:B", "x" * 31, "'", "-", "..")


@pytest.mark.parametrize("name", [*ODD, *(name for name in hostile.NAMES if name)])
def test_pairs_with_odd_names_are_left_out_and_told_of(binance, wire, name, caplog):
    caplog.set_level(logging.INFO, "services.exchanges")
    symbols = [("BTC", "USDT", "TRADING"), (name, "USDT", "TRADING"), ("BTC", name, "TRADING")]
    serve(wire, f"{BINANCE}/exchangeInfo", say.binance_info(symbols))

    assert named(binance.listings()) == {"BTC/USDT"}
    (told,) = caplog.messages
    assert told.startswith("binance: left out 2 pairs with odd names, as ")
    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 200


@pytest.mark.parametrize("name", ["1INCH", "BTC.b", "A$AP", "1000SATS", "x_y"])
def test_unusual_but_harmless_names_stay(binance, wire, name):
    serve(wire, f"{BINANCE}/exchangeInfo", say.binance_info([(name, "USDT", "TRADING")]))

    assert len(binance.listings()) == 1


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
def test_a_list_that_makes_no_sense_is_refused_and_the_one_before_stays_in_use(kraken, wire, body):
    kraken.listings()
    serve(wire, f"{KRAKEN}/AssetPairs", body)

    with pytest.raises(BadPayload):
        kraken.listings()

    assert len(kraken.quotes(NOON, 10).pairs) == 4
    serve(wire, f"{KRAKEN}/AssetPairs", say.kraken_pairs())
    assert len(kraken.listings()) == 4


def test_a_list_shrunk_by_more_than_half_is_refused_and_the_one_before_stays_in_use(kraken, wire):
    kraken.listings()
    serve(wire, f"{KRAKEN}/AssetPairs", say.kraken_pairs({"XXBTZUSD": ("XXBT", "ZUSD")}))

    with pytest.raises(BadPayload, match="shrank from 4 to 1"):
        kraken.listings()

    assert len(kraken.quotes(NOON, 10).pairs) == 4


def test_a_list_shrunk_by_half_is_believed_and_counts_for_the_prices(kraken, wire):
    kraken.listings()
    kraken.quotes(NOON, 10)
    half = {"XXBTZUSD": ("XXBT", "ZUSD"), "XDGUSD": ("XXDG", "ZUSD")}
    serve(wire, f"{KRAKEN}/AssetPairs", say.kraken_pairs(half))

    assert named(kraken.listings()) == {"BTC/USD", "DOGE/USD"}
    assert [str(pair) for pair in kraken.quotes(NOON, 10).pairs] == ["BTC/USD", "DOGE/USD"]


def test_a_new_pair_has_its_price_from_the_next_tick_after_its_listing(kraken, wire):
    kraken.quotes(NOON, 10)
    serve(wire, f"{KRAKEN}/AssetPairs", say.kraken_pairs({**say.KRAKEN_PAIRS, "SOLUSD": ("SOL", "ZUSD")}))
    tickers = {**say.KRAKEN_TICKERS, "SOLUSD": say.kraken_ticker("170.0")}
    serve(wire, f"{KRAKEN}/Ticker", say.kraken_answer(tickers))
    assert Pair("SOL", "USD") not in kraken.quotes(NOON, 10).pairs

    kraken.listings()

    assert Pair("SOL", "USD") in kraken.quotes(NOON, 10).pairs


def test_an_exchange_that_is_down_is_unavailable_for_its_list_too(kraken, wire):
    serve(wire, f"{KRAKEN}/Assets", "down", 503)

    with pytest.raises(Unavailable, match="503"):
        kraken.listings()


def test_the_list_of_gemini_does_not_come_from_its_web_page(wire, timer):
    serve(wire, "https://api.gemini.com/v1/symbols", json.dumps(["btcusd", "ethbtc"]))

    assert named(CcxtExchange("gemini", None, timer).listings()) == {"BTC/USD", "ETH/BTC"}
