"""Responses of exchanges in their own formats, and a timer that does not wait."""

import json
import time
from collections.abc import Iterable, Mapping

import responses

KRAKEN = "https://api.kraken.com/0/public"
BINANCE = "https://api.binance.com/api/v3"
BITSTAMP = "https://www.bitstamp.net/api/v2"

KRAKEN_ASSETS = {"XXBT": "XBT", "XXDG": "XDG", "XETH": "ETH", "ZUSD": "USD", "ZEUR": "EUR", "SOL": "SOL"}
KRAKEN_PAIRS = {
    "XXBTZUSD": ("XXBT", "ZUSD"),
    "XDGUSD": ("XXDG", "ZUSD"),
    "XETHZUSD": ("XETH", "ZUSD"),
    "SOLEUR": ("SOL", "ZEUR"),
}


class SkippingTimer:
    """Records the requested sleeps without sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float, /) -> None:
        self._ahead += seconds
        self.slept.append(seconds)


def kraken_answer(result: object) -> str:
    return json.dumps({"error": [], "result": result})


def kraken_ticker(last: object, volume: object = "123.5") -> dict[str, object]:
    return {
        "a": ["3.1", "1", "1.000"],
        "b": ["2.9", "1", "1.000"],
        "c": [last, "0.1"],
        "v": ["60.0", volume],
        "p": ["3.0", "3.0"],
        "t": [1, 2],
        "l": ["2.0", "2.0"],
        "h": ["4.0", "4.0"],
        "o": "2.5",
    }


KRAKEN_TICKERS = {
    "XXBTZUSD": kraken_ticker("60000.5"),
    "XDGUSD": kraken_ticker("0.125"),
    "XETHZUSD": kraken_ticker("3000.0"),
    "SOLEUR": kraken_ticker("150.0"),
}


def kraken_assets() -> str:
    return kraken_answer(
        {
            code: {"aclass": "currency", "altname": name, "decimals": 10, "display_decimals": 5, "status": "enabled"}
            for code, name in KRAKEN_ASSETS.items()
        }
    )


def kraken_pairs(pairs: Mapping[str, tuple[str, str]] = KRAKEN_PAIRS, halted: Iterable[str] = ()) -> str:
    return kraken_answer(
        {
            name: {
                "altname": name,
                "wsname": f"{base}/{quote}",
                "base": base,
                "quote": quote,
                "pair_decimals": 2,
                "lot_decimals": 8,
                "ordermin": "0.1",
                "costmin": "0.5",
                "status": "cancel_only" if name in halted else "online",
            }
            for name, (base, quote) in pairs.items()
        }
    )


def kraken_candles(name: str, rows: Iterable[tuple[int, object]]) -> str:
    """Rows of (open time in epoch seconds, close)."""
    candles = [[opened, "1.0", "9.0", "0.5", close, "2.0", "3.5", 7] for opened, close in rows]
    return kraken_answer({name: candles, "last": 0})


def binance_info(symbols: Iterable[tuple[str, str, str]]) -> str:
    """Symbols of (base, quote, status)."""
    return json.dumps(
        {
            "timezone": "UTC",
            "serverTime": 1_700_000_000_000,
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [
                {
                    "symbol": base + quote,
                    "status": status,
                    "baseAsset": base,
                    "baseAssetPrecision": 8,
                    "quoteAsset": quote,
                    "quotePrecision": 8,
                    "quoteAssetPrecision": 8,
                    "isSpotTradingAllowed": True,
                    "isMarginTradingAllowed": False,
                    "filters": [],
                    "permissions": ["SPOT"],
                }
                for base, quote, status in symbols
            ],
        }
    )


def binance_ticker(symbol: str, last: object, **others: object) -> dict[str, object]:
    return {
        "symbol": symbol,
        "priceChange": "10.0",
        "priceChangePercent": "1.0",
        "weightedAvgPrice": "99.0",
        "prevClosePrice": "90.0",
        "lastPrice": last,
        "openPrice": "90.0",
        "highPrice": "120.0",
        "lowPrice": "80.0",
        "volume": "7.5",
        "quoteVolume": "742.5",
        "openTime": 1_700_000_000_000,
        "closeTime": 1_700_086_400_000,
        **others,
    }


def binance_candles(rows: Iterable[tuple[int, object]]) -> str:
    """Rows of (open time in epoch seconds, close)."""
    return json.dumps(
        [
            [opened * 1000, "1", "9", "0.5", close, "2", opened * 1000 + 59_999, "3", 4, "5", "6", "0"]
            for opened, close in rows
        ]
    )


def serve(wire: responses.RequestsMock, url: str, body: str, status: int = 200) -> None:
    """Make `url` respond with `body` from now on."""
    wire.upsert(responses.GET, url, body=body, status=status, content_type="application/json")


def serve_kraken(wire: responses.RequestsMock) -> None:
    serve(wire, f"{KRAKEN}/Assets", kraken_assets())
    serve(wire, f"{KRAKEN}/AssetPairs", kraken_pairs())
    serve(wire, f"{KRAKEN}/Ticker", kraken_answer(KRAKEN_TICKERS))


def serve_binance(wire: responses.RequestsMock) -> None:
    symbols = [("BTC", "USDT", "TRADING"), ("ETH", "BTC", "TRADING"), ("LUNA", "USDT", "BREAK")]
    serve(wire, f"{BINANCE}/exchangeInfo", binance_info(symbols))
    tickers = [
        binance_ticker("BTCUSDT", "100.0"),
        binance_ticker("ETHBTC", "0.05"),
        binance_ticker("LUNAUSDT", "0.0001"),
    ]
    serve(wire, f"{BINANCE}/ticker/24hr", json.dumps(tickers))
