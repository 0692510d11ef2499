"""Fetch: ask every exchange once, side by side, and wait no longer than is good for the others."""

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime

from services.market.errors import ExchangeError, Unavailable
from services.market.ports import Exchange
from services.market.types import Quotes
from services.pipeline.outages import Outages, Question

MIN_TIMEOUT_SECONDS = 2.0
"""Seconds that an exchange gets at the very least, also when it failed the last time."""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What one exchange gave: `quotes`, or the `error` that kept it from giving any."""

    market: str
    latency_ms: float
    quotes: Quotes | None = None
    error: ExchangeError | None = None


@dataclass
class _Line:
    """One exchange, the thread that speaks with it, and how it did so far."""

    exchange: Exchange
    thread: ThreadPoolExecutor
    running: Future[FetchResult] | None = None
    failing: bool = False
    usual_seconds: float = 0.0


class Fetcher:
    """Keeps a line to each exchange. An exchange that failed last time is waited for twice its usual
    time at most, so that it delays the others' prices no more than once."""

    def __init__(
        self,
        exchanges: Iterable[Exchange],
        patience_seconds: float,
        timer: Callable[[], float] = time.monotonic,
        outages: Outages | None = None,
    ) -> None:
        self._patience = patience_seconds
        self._timer = timer
        self._lines = {
            exchange.name: _Line(exchange, ThreadPoolExecutor(1, thread_name_prefix=f"fetch-{exchange.name}"))
            for exchange in exchanges
        }
        self._outages = outages or Outages(self._lines)

    def fetch(self, markets: Collection[str], minute: datetime) -> list[FetchResult]:
        """One answer from each of these markets that there is a line to, in their order."""
        lines = {market: self._lines[market] for market in markets if market in self._lines}
        started = self._timer()
        asked: dict[str, Future[FetchResult]] = {}
        for market, line in lines.items():
            if line.running is None or line.running.done():
                asked[market] = line.running = line.thread.submit(self._ask, line, minute, self._allowance(line))
        longest = max((self._allowance(lines[market]) for market in asked), default=0.0)
        # The exchange ends by itself when its time is up; the margin is for telling so.
        wait(asked.values(), timeout=longest + 0.5)
        waited_ms = (self._timer() - started) * 1e3
        answers = []
        for market, line in lines.items():
            if market not in asked:
                answer = _late(market, 0.0, "still busy with the request of an earlier period")
            elif not asked[market].done():
                answer = _late(market, waited_ms, f"no answer within {longest:.0f} s")
            else:
                answer = asked[market].result()
            self._remember(line, answer)
            answers.append(answer)
        return answers

    def close(self) -> None:
        """Let the threads go, after what they are at."""
        for line in self._lines.values():
            line.thread.shutdown(wait=False, cancel_futures=True)

    def _allowance(self, line: _Line) -> float:
        if not line.failing:
            return self._patience
        return min(self._patience, max(MIN_TIMEOUT_SECONDS, 2 * line.usual_seconds))

    def _ask(self, line: _Line, minute: datetime, seconds: float) -> FetchResult:
        started = self._timer()
        try:
            quotes = line.exchange.quotes(minute, seconds)
        except ExchangeError as error:
            return FetchResult(line.exchange.name, (self._timer() - started) * 1e3, error=error)
        return FetchResult(line.exchange.name, (self._timer() - started) * 1e3, quotes)

    def _remember(self, line: _Line, answer: FetchResult) -> None:
        if answer.error is None:
            self._outages.answered(answer.market, Question.PRICES)
            line.failing, line.usual_seconds = False, answer.latency_ms / 1e3
        else:
            self._outages.failed(answer.market, Question.PRICES, answer.error)
            line.failing = True


def _late(market: str, latency_ms: float, detail: str) -> FetchResult:
    return FetchResult(market, latency_ms, error=Unavailable(market, detail, "timeout"))
