"""Outages: which exchanges fail, logged when that changes rather than at each attempt."""

import logging
from collections.abc import Collection
from enum import Enum
from threading import Lock

from services.market.errors import ExchangeError, Unavailable
from services.market.failures import Failures

TIMEOUT_SECONDS = 7.0
"""After this long without any answer at the start of the program, that is logged."""

ADVICE = (
    "it is tried again by itself; check this machine's network, and HTTPS_PROXY where it takes a proxy."
    " Simulated data needs no network: python app.py --demo"
)

log = logging.getLogger(__name__)


class Request(Enum):
    """What an exchange is asked for; the value is the log's text for a failure."""

    PAIRS = "its pairs are not known yet"
    PRICES = "no prices"
    CANDLES = "no candles"


class Outages:
    """How each of `markets` answered its last requests. Several threads may use it."""

    def __init__(self, markets: Collection[str], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.timeout_seconds = timeout_seconds
        self._markets = tuple(markets)
        self._errors: dict[tuple[str, Request], ExchangeError | None] = {}
        self._failures = {request: Failures() for request in Request}
        self._all_fail = False
        self._lock = Lock()

    def failed(self, market: str, request: Request, error: ExchangeError) -> None:
        """Record a failure; it is logged where there was none before, or one of another kind."""
        with self._lock:
            self._errors[market, request] = error
            text = f"{request.value}: {error.detail}"
            self._failures[request].failed(market, text, reason=(type(error), error.kind))
            self._compare_all()

    def answered(self, market: str, request: Request) -> None:
        """Record an answer; it is logged where there was none before."""
        with self._lock:
            self._errors[market, request] = None
            self._failures[request].ended(market, "answers again")
            self._compare_all()

    def no_answer_yet(self, market: str) -> None:
        """Record that a request for its pairs has had no answer for `timeout_seconds`."""
        with self._lock:
            error = Unavailable(market, f"no answer within {self.timeout_seconds:g} s")
            self._errors.setdefault((market, Request.PAIRS), error)
            self._compare_all()

    def _compare_all(self) -> None:
        """Log once that every exchange fails, and once that one of them answers again."""
        errors = []
        for market in self._markets:
            # An exchange that gives prices can be reached, even where its list of pairs has failed.
            request = Request.PRICES if (market, Request.PRICES) in self._errors else Request.PAIRS
            if (market, request) not in self._errors:
                return  # its first request is under way
            error = self._errors[market, request]
            if error is None:
                if self._all_fail:
                    log.info("an exchange answers again: %s", market)
                self._all_fail = False
                return
            errors.append(error)
        if errors and not self._all_fail:
            self._all_fail = True
            markets_of: dict[str, list[str]] = {}
            for error in errors:
                markets_of.setdefault(error.detail, []).append(error.market)
            causes = "; ".join(f"{', '.join(markets)}: {detail}" for detail, markets in markets_of.items())
            log.error("NO PRICES FROM ANY EXCHANGE (%s): %s", causes, ADVICE)
