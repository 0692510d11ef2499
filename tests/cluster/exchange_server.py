"""Two exchanges in binance's real format: `python -m tests.cluster.exchange_server PORT SPIKES`, a process of its own.

It stands where `EXCHANGE_BASE_URL` points to: the path of a request is the whole address that was meant.
"""

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.cluster.world import BASES, HOSTS, QUOTE, price, read_spikes
from tests.exchanges.wire import binance_candles, binance_info, binance_ticker

ANSWER_SECONDS = 0.1
"""How long an answer takes: so that what is killed in a tick's first tenth is killed while it asks."""

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
        """As many from the start on as were asked for, the unfinished one too, as the real one does."""
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
        """A line a request would drown what the programs tell."""


def main() -> None:
    port, spikes = sys.argv[1:]
    Handler.spikes = Path(spikes)
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
