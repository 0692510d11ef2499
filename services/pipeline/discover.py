"""Discover: which of the pairs that TRACK asks for does each exchange have?"""

import difflib
import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from services.market.errors import ExchangeError
from services.market.ports import Exchange
from services.market.track import TrackPattern, choose
from services.market.types import Listing, Pair
from services.pipeline.outages import PATIENCE_SECONDS, Outages, Question
from services.pipeline.rank import rank_again
from services.store import metrics, snapshots, ticks
from services.store.engine import Engine, writing
from services.store.metrics import Catalogues

RENEWAL = timedelta(hours=1)

log = logging.getLogger(__name__)


def discover(
    engine: Engine,
    exchanges: Mapping[str, Exchange],
    patterns: Sequence[TrackPattern],
    now: datetime,
    outages: Outages | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> dict[str, ExchangeError | None]:
    """Ask these exchanges for their pairs, side by side, and track those that match.

    A pair is new when its exchange did not list it the last time, asked for the same by TRACK. Who has not answered
    after `patience_seconds` is noted in `outages`, and waited for all the same.
    Answers for each exchange the error that kept its metrics as they were, or None. Raises
    StoreUnavailable.
    """
    if not exchanges:
        return {}
    outages = outages or Outages(exchanges)
    with ThreadPoolExecutor(len(exchanges), thread_name_prefix="discover") as threads:
        answers = {market: threads.submit(_listings, exchange) for market, exchange in exchanges.items()}
        for late in wait(answers.values(), timeout=patience_seconds).not_done:
            outages.silent(next(market for market, answer in answers.items() if answer is late), patience_seconds)
        lists = {market: answer.result() for market, answer in answers.items()}
    outcome: dict[str, ExchangeError | None] = {}
    catalogues = Catalogues()
    with writing(engine) as connection:
        snapshots.raise_revision(connection)
        tracked = catalogues.current(connection).rows
        for market, listings in lists.items():
            ticks.note_permitted(connection, market, exchanges[market].requests_a_second)
            if isinstance(listings, ExchangeError):
                outcome[market] = listings
                outages.failed(market, Question.PAIRS, listings)
                ticks.exchange_failed(connection, market, int(now.timestamp()), listings.explanation)
                continue
            wanted = [pattern for pattern in patterns if pattern.market == market]
            by_pair = {listing.pair: listing for listing in listings}
            chosen, warnings = _choose(wanted, by_pair, tracked.get(market, {}))
            asked = ",".join(sorted(map(str, wanted)))
            seen_before = ticks.patterns(connection, market) == asked
            added = metrics.track(
                connection,
                market,
                chosen,
                lambda pair: _any_matches(wanted, pair),  # noqa: B023 - called at once
                now,
                mark_new=seen_before,
            )
            ticks.note_patterns(connection, market, asked)
            metrics.warn(connection, market, warnings)
            outcome[market] = None
            outages.answered(market, Question.PAIRS)
            log.info("%s: %d pairs tracked, %d of them added", market, len(chosen), added)
            for text in warnings:
                log.warning("%s", text)
        rank_again(connection, catalogues.current(connection))
    return outcome


def settle(engine: Engine, markets: Collection[str], unknown: Mapping[str, str]) -> None:
    """Let go of what TRACK no longer names, and put the exchanges that do not exist on record."""
    with writing(engine) as connection:
        snapshots.raise_revision(connection)
        metrics.keep_markets(connection, markets)
        ticks.keep_exchanges(connection, markets)
        for market, text in unknown.items():
            log.warning("%s", text)
            metrics.warn(connection, market, [text])
        rank_again(connection, Catalogues().current(connection))


def _listings(exchange: Exchange) -> tuple[Listing, ...] | ExchangeError:
    try:
        return exchange.listings()
    except ExchangeError as error:
        return error


def _choose(
    patterns: Sequence[TrackPattern], listed: Mapping[Pair, Listing], tracked: Collection[Pair]
) -> tuple[list[Listing], list[str]]:
    """The listings to track, and what to tell of patterns that find none."""
    named = {Pair(pattern.base, pattern.quote) for pattern in patterns if pattern.literal}
    # A family takes in what trades, and lets go of nothing that is still listed; who names a pair outright
    # wants to see it even while it does not trade.
    candidates = [pair for pair, listing in listed.items() if listing.active or pair in named or pair in tracked]
    chosen, idle = choose(patterns, candidates)
    warnings = []
    for pattern in idle:
        close = difflib.get_close_matches(f"{pattern.base}/{pattern.quote}", map(str, listed), n=3)
        hint = f" (did you mean {', '.join(close)}?)" if close and pattern.literal else ""
        warnings.append(f"TRACK: {pattern.market} has no pair {pattern.base}/{pattern.quote}{hint}")
    return [listed[pair] for pair in chosen], warnings


def _any_matches(patterns: Sequence[TrackPattern], pair: Pair) -> bool:
    return any(pattern.matches(pair) for pattern in patterns)


class Discovery:
    """Looks at each exchange's list when the program starts, every hour, and sooner where it failed."""

    def __init__(
        self,
        engine: Engine,
        exchanges: Mapping[str, Exchange],
        unknown: Mapping[str, str],
        patterns: Sequence[TrackPattern],
        outages: Outages | None = None,
    ) -> None:
        self._engine = engine
        self._exchanges = exchanges
        self._unknown = unknown
        self._patterns = patterns
        self._outages = outages or Outages(exchanges)
        self._settled = False
        self._listed: dict[str, datetime] = {}

    def run(self, now: datetime) -> bool:
        """Ask the exchanges whose list is due; whether any of them told its pairs. Raises StoreUnavailable."""
        if not self._settled:
            settle(self._engine, list(self._exchanges), self._unknown)
            self._settled = True
        due = {
            market: exchange
            for market, exchange in self._exchanges.items()
            if market not in self._listed or now - self._listed[market] >= RENEWAL
        }
        outcome = discover(self._engine, due, self._patterns, now, self._outages)
        told = [market for market, error in outcome.items() if error is None]
        self._listed.update(dict.fromkeys(told, now))
        return bool(told)
