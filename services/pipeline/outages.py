"""Outages: which exchanges fail, told in the log when that changes, and not at each try."""

import logging
import socket
import ssl
from collections.abc import Collection, Iterator
from enum import Enum
from threading import Lock

from services.market.errors import ExchangeError, Unavailable

PATIENCE_SECONDS = 7.0
"""So long after the first question who has just started the program is told that nothing has answered yet."""

ADVICE = (
    "it is tried again by itself; check this machine's network, and HTTPS_PROXY where it takes a proxy."
    " Simulated data needs no network: python app.py --demo"
)

log = logging.getLogger(__name__)


class Question(Enum):
    """What an exchange is asked for, and how the log says that it did not tell."""

    PAIRS = "its pairs are not known yet"
    PRICES = "no prices"
    CANDLES = "its history is not told"


class Outages:
    """What each of `markets` answered last. Several threads may use it."""

    def __init__(self, markets: Collection[str]) -> None:
        self._markets = tuple(markets)
        self._errors: dict[tuple[str, Question], ExchangeError | None] = {}
        self._failures: dict[tuple[str, Question], int] = {}
        self._nobody = False
        self._lock = Lock()

    def failed(self, market: str, question: Question, error: ExchangeError) -> None:
        """Note a failure; told where there was none before, or one of another kind."""
        with self._lock:
            before = self._errors.get((market, question))
            self._errors[market, question] = error
            self._failures[market, question] = self._failures.get((market, question), 0) + 1
            if type(before) is not type(error):
                reason = plain_reason(error)
                detail = "" if reason == error.detail else f" ({error.detail})"
                log.warning("%s: %s: %s%s", market, question.value, reason, detail)
            self._look_at_all()

    def answered(self, market: str, question: Question) -> None:
        """Note an answer; told where there was none before."""
        with self._lock:
            self._errors[market, question] = None
            failures = self._failures.pop((market, question), 0)
            if failures:
                log.info("%s: answers again, after %d failures", market, failures)
            self._look_at_all()

    def silent(self, market: str, seconds: float) -> None:
        """Note that the question for its pairs has had no answer for so long."""
        with self._lock:
            self._errors.setdefault((market, Question.PAIRS), Unavailable(market, f"no answer within {seconds:g} s"))
            self._look_at_all()

    def _look_at_all(self) -> None:
        """Tell once that no exchange answers as it should, and once that one does again."""
        errors = []
        for market in self._markets:
            # Who gives prices can be reached, whatever became of its list of pairs.
            question = Question.PRICES if (market, Question.PRICES) in self._errors else Question.PAIRS
            if (market, question) not in self._errors:
                return  # it is being asked
            error = self._errors[market, question]
            if error is None:
                if self._nobody:
                    log.info("an exchange answers again: %s", market)
                self._nobody = False
                return
            errors.append(error)
        if errors and not self._nobody:
            self._nobody = True
            reasons: dict[str, list[str]] = {}
            for error in errors:
                reasons.setdefault(plain_reason(error), []).append(error.market)
            told = "; ".join(f"{', '.join(markets)}: {reason}" for reason, markets in reasons.items())
            log.error("NO PRICES FROM ANY EXCHANGE (%s): %s", told, ADVICE)


def plain_reason(error: ExchangeError) -> str:
    """What kept a request from being answered, by the first cause where the network was it."""
    causes = list(_causes(error))
    by_proxy = "the proxy: " if any(type(cause).__name__ == "ProxyError" for cause in causes) else ""
    for cause in causes:
        match cause:
            case socket.gaierror():
                return f"{by_proxy}cannot resolve its host name"
            case ssl.SSLCertVerificationError():
                return f"{by_proxy}its TLS certificate is not trusted: {cause.verify_message}"
            case ssl.SSLError():
                return f"{by_proxy}TLS failed: {cause.reason or cause}"
            case OSError(errno=int(), strerror=str(text)):
                return f"{by_proxy}{text.lower()}"
    if any("Timeout" in type(cause).__name__ for cause in causes):
        return f"{by_proxy}timed out"
    return f"{by_proxy}{error.detail}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it, however the libraries between wrapped it."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [one for one in inner if isinstance(one, BaseException)]
