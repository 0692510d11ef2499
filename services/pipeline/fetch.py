"""Fetch: request prices from every exchange in parallel, without letting a slow one delay the others."""

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime

from services.market.errors import ExchangeError, Unavailable
from services.market.ports import Exchange
from services.market.types import Quotes
from services.pipeline.outages import Outages, Request

MIN_TIMEOUT_SECONDS = 2.0
"""The shortest time that an exchange gets, even after it has failed."""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The answer of one exchange: its `quotes`, or the `error` instead of them."""

    market: str
    latency_ms: float
    quotes: Quotes | None = None
    error: ExchangeError | None = None


@dataclass
class _Worker:
    """One exchange, its thread, and how it answered so far."""

    exchange: Exchange
    thread: ThreadPoolExecutor
    running: Future[FetchResult] | None = None
    failing: bool = False
    usual_seconds: float = 0.0


class Fetcher:
    """Fetches prices, with one thread per exchange. An exchange that failed the last time gets at most twice its usual
    time, so that it delays the others' prices only once."""

    def __init__(
        self,
        exchanges: Iterable[Exchange],
        timeout_seconds: float,
        timer: Callable[[], float] = time.monotonic,
        outages: Outages | None = None,
    ) -> None:
        self._timeout = timeout_seconds
        self._timer = timer
        self._workers = {
            exchange.name: _Worker(exchange, ThreadPoolExecutor(1, thread_name_prefix=f"fetch-{exchange.name}"))
            for exchange in exchanges
        }
        self._outages = outages or Outages(self._workers)

    def fetch(self, markets: Collection[str], minute: datetime) -> list[FetchResult]:
        """One answer from each of these markets that has an exchange, in their order."""
        workers = {market: self._workers[market] for market in markets if market in self._workers}
        started = self._timer()
        asked: dict[str, Future[FetchResult]] = {}
        for market, worker in workers.items():
            if worker.running is None or worker.running.done():
                asked[market] = worker.running = worker.thread.submit(
                    self._ask, worker, minute, self._allowance(worker)
                )
        longest = max((self._allowance(workers[market]) for market in asked), default=0.0)
        # The exchange raises by itself when its time is up; the margin is for that error to arrive.
        wait(asked.values(), timeout=longest + 0.5)
        waited_ms = (self._timer() - started) * 1e3
        answers = []
        for market, worker in workers.items():
            if market not in asked:
                answer = _late(market, 0.0, "still busy with the request of an earlier period")
            elif not asked[market].done():
                answer = _late(market, waited_ms, f"no answer within {longest:.0f} s")
            else:
                answer = asked[market].result()
            self._record(worker, answer)
            answers.append(answer)
        return answers

    def close(self) -> None:
        """End the threads after their current request."""
        for worker in self._workers.values():
            worker.thread.shutdown(wait=False, cancel_futures=True)

    def _allowance(self, worker: _Worker) -> float:
        if not worker.failing:
            return self._timeout
        return min(self._timeout, max(MIN_TIMEOUT_SECONDS, 2 * worker.usual_seconds))

    def _ask(self, worker: _Worker, minute: datetime, seconds: float) -> FetchResult:
        started = self._timer()
        try:
            quotes = worker.exchange.quotes(minute, seconds)
        except ExchangeError as error:
            return FetchResult(worker.exchange.name, (self._timer() - started) * 1e3, error=error)
        return FetchResult(worker.exchange.name, (self._timer() - started) * 1e3, quotes)

    def _record(self, worker: _Worker, answer: FetchResult) -> None:
        if answer.error is None:
            self._outages.answered(answer.market, Request.PRICES)
            worker.failing, worker.usual_seconds = False, answer.latency_ms / 1e3
        else:
            self._outages.failed(answer.market, Request.PRICES, answer.error)
            worker.failing = True


def _late(market: str, latency_ms: float, detail: str) -> FetchResult:
    return FetchResult(market, latency_ms, error=Unavailable(market, detail, "timeout"))
