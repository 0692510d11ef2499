"""Outages: which exchanges fail, told in the log when that changes, and not at each try."""

import logging
from collections.abc import Collection
from enum import Enum
from threading import Lock

from services.market.errors import ExchangeError, Unavailable
from services.market.failures import Failures

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
        self._failures = {question: Failures() for question in Question}
        self._nobody = False
        self._lock = Lock()

    def failed(self, market: str, question: Question, error: ExchangeError) -> None:
        """Note a failure; told where there was none before, or one of another kind."""
        with self._lock:
            self._errors[market, question] = error
            text = f"{question.value}: {error.detail}"
            self._failures[question].failed(market, text, reason=(type(error), error.kind))
            self._look_at_all()

    def answered(self, market: str, question: Question) -> None:
        """Note an answer; told where there was none before."""
        with self._lock:
            self._errors[market, question] = None
            self._failures[question].ended(market, "answers again")
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
                reasons.setdefault(error.detail, []).append(error.market)
            told = "; ".join(f"{', '.join(markets)}: {reason}" for reason, markets in reasons.items())
            log.error("NO PRICES FROM ANY EXCHANGE (%s): %s", told, ADVICE)
