"""Two exchanges in Binance's format, as a separate process: `python -m tests.cluster.exchange_server PORT SPIKES`.

`EXCHANGE_BASE_URL` points to it; the path of each request is the full URL of the real exchange.
"""

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.cluster.market_model import BASES, HOSTS, QUOTE, price, read_spikes
from tests.exchanges.wire import binance_candles, binance_info, binance_ticker

ANSWER_SECONDS = 0.1
"""The time of a response, long enough that a process killed early in its tick is killed during its request."""

CANDLE_SECONDS = 60


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    spikes: Path

    def do_GET(self) -> None:
        asked = urlsplit(self.path.removeprefix("/"))
        market, query = HOSTS[asked.netloc], {name: values[0] for name, values in parse_qs(asked.query).items()}
        now = time.time()
        match asked.path.removeprefix("/api/v3/"):
            case "exchangeInfo":
                self._answer(binance_info((base, QUOTE, "TRADING") for base in BASES))
            case "ticker/24hr":
                spikes = read_spikes(self.spikes)
                time.sleep(ANSWER_SECONDS)
                tickers = [
                    binance_ticker(base + QUOTE, repr(price(market, base, now, spikes)), closeTime=int(now * 1000))
                    for base in BASES
                ]
                self._answer(json.dumps(tickers))
            case "klines":
                self._answer(binance_candles(self._candles(market, query, now)))
            case _:
                self._answer("{}", status=404)

    def _candles(self, market: str, query: dict[str, str], now: float) -> list[tuple[int, str]]:
        """As many candles from the start on as requested, including the unfinished one, as Binance returns them."""
        base = re.sub(f"{QUOTE}$", "", query["symbol"])
        first = -(-int(query["startTime"]) // 1000 // CANDLE_SECONDS) * CANDLE_SECONDS
        opens = range(first, first + int(query["limit"]) * CANDLE_SECONDS, CANDLE_SECONDS)
        spikes = read_spikes(self.spikes)
        return [
            (opened, repr(price(market, base, min(opened + CANDLE_SECONDS, now), spikes)))
            for opened in opens
            if opened <= now
        ]

    def _answer(self, body: str, status: int = 200) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing: a line per request would hide the logs of the programs."""


def main() -> None:
    port, spikes = sys.argv[1:]
    Handler.spikes = Path(spikes)
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
