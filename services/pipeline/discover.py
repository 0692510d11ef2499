"""Discover: which of the pairs that TRACK asks for does each exchange have?"""

import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.market.errors import BadPayload, ExchangeError
from services.market.ports import Exchange
from services.market.times import to_epoch
from services.market.track import TrackPattern, any_matches
from services.market.types import Listing, Pair
from services.pipeline.choose_pairs import choose_pairs
from services.pipeline.outages import PATIENCE_SECONDS, Outages, Question
from services.pipeline.rank import rank_again
from services.store.database.engine import Connection, Engine, reading, writing
from services.store.ranking import discoveries, exchange_states, metrics, snapshots
from services.store.ranking.discoveries import DiscoveryRecord
from services.store.ranking.metrics import CatalogueCache

RENEWAL = timedelta(hours=1)

BELIEF_PERIODS = 2
"""A list that says what hardly can be is believed when it still says so after so many periods."""

FIRST_LOOK_PERIODS = 3
"""After so many periods an exchange is looked up again that has pairs of ours which do not trade; if nothing has
changed, after twice as many, and so on up to RENEWAL."""

MIN_DOUBTED = 5
"""Pairs: the end of fewer than so many is no wonder."""

log = logging.getLogger(__name__)


class Doubt(BadPayload):
    """A list that hardly can be."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one look-up went: the `error` that kept the metrics as they were, or how many are `tracked` now, how many of
    them trade (`active`) and how many were `added`, what the operator should know, and whether part of TRACK waits for
    pairs to trade."""

    error: ExchangeError | None = None
    tracked: int = 0
    active: int = 0
    added: int = 0
    warnings: tuple[str, ...] = ()
    dormant: bool = False


def discover(
    engine: Engine,
    exchanges: Mapping[str, Exchange],
    patterns: Sequence[TrackPattern],
    now: datetime,
    outages: Outages | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    period_seconds: float = 60.0,
) -> dict[str, Outcome]:
    """Ask these exchanges for their pairs, side by side, and track those that match.

    A pair is new when its exchange did not list it the last time, asked for the same by TRACK. A list by which less
    than half of the pairs trade that did, as in a maintenance, is kept back as an error until it has said so for
    BELIEF_PERIODS. Who has not answered after `patience_seconds` is noted in `outages`, and waited for all the same.
    Raises StoreUnavailable.
    """
    if not exchanges:
        return {}
    outages = outages or Outages(exchanges)
    with ThreadPoolExecutor(len(exchanges), thread_name_prefix="discover") as threads:
        answers = {market: threads.submit(_listings, exchange) for market, exchange in exchanges.items()}
        for late in wait(answers.values(), timeout=patience_seconds).not_done:
            outages.silent(next(market for market, answer in answers.items() if answer is late), patience_seconds)
        lists = {market: answer.result() for market, answer in answers.items()}
    outcomes: dict[str, Outcome] = {}
    catalogues = CatalogueCache()
    with writing(engine) as connection:
        snapshots.raise_revision(connection)
        before = discoveries.on_record(connection)
        tracked = catalogues.current(connection).rows
        for market, listings in lists.items():
            exchange_states.record_permitted_rate(connection, market, exchanges[market].requests_a_second)
            if isinstance(listings, ExchangeError):
                outages.failed(market, Question.PAIRS, listings)
                exchange_states.record_failure(connection, market, to_epoch(now), listings.explanation)
                outcomes[market] = Outcome(listings)
                continue
            outages.answered(market, Question.PAIRS)
            look_up = before.get(market, DiscoveryRecord())
            doubt = _doubt(market, listings, look_up)
            since = _doubted_since(look_up, now)
            if doubt is not None and now.timestamp() - since < BELIEF_PERIODS * period_seconds:
                discoveries.record_doubted(connection, market, since)
                metrics.warn(connection, market, [f"TRACK: {market} {doubt.detail}, and is looked up again soon"])
                outcomes[market] = Outcome(doubt)
                continue
            wanted = [pattern for pattern in patterns if pattern.market == market]
            outcomes[market] = _take_over(connection, market, listings, wanted, tracked.get(market, {}), look_up, now)
        rank_again(connection, catalogues.current(connection))
    return outcomes


def _doubt(market: str, listings: Sequence[Listing], look_up: DiscoveryRecord) -> Doubt | None:
    """Why this list is not to be believed at once; None where it is."""
    trading = sum(listing.active for listing in listings)
    usual = 1 if look_up.trading is None else look_up.trading
    if len(listings) < MIN_DOUBTED or trading * 2 >= usual:
        return None
    words = f"lists {trading:,} active pairs now" if trading else "lists no active pair now"
    return Doubt(market, words if look_up.trading is None else f"{words}, {look_up.trading:,} before")


def _doubted_since(look_up: DiscoveryRecord, now: datetime) -> int:
    second = to_epoch(now)
    return second if look_up.doubted_since is None else min(look_up.doubted_since, second)


def _take_over(
    connection: Connection,
    market: str,
    listings: Sequence[Listing],
    wanted: Sequence[TrackPattern],
    tracked: Collection[Pair],
    look_up: DiscoveryRecord,
    now: datetime,
) -> Outcome:
    """Have the metrics of `market` go by this list."""
    choice = choose_pairs(wanted, listings, tracked)
    asked = ",".join(sorted(map(str, wanted)))
    trading = sum(listing.active for listing in listings)
    # What trades again after a maintenance is not new.
    usual = trading if look_up.trading is None else look_up.trading
    recovers = usual * 2 < trading and trading - usual >= MIN_DOUBTED
    added = metrics.track(
        connection,
        market,
        choice.chosen,
        lambda pair: any_matches(choice.patterns, pair),
        now,
        mark_new=exchange_states.patterns(connection, market) == asked and not recovers,
    )
    exchange_states.record_patterns(connection, market, asked)
    discoveries.record_accepted(connection, market, trading)
    metrics.warn(connection, market, choice.warnings)
    active = sum(listing.active for listing in choice.chosen)
    return Outcome(None, len(choice.chosen), active, added, choice.warnings, choice.dormant)


def settle(engine: Engine, markets: Collection[str], unknown: Mapping[str, str]) -> None:
    """Let go of what TRACK no longer names, and put the exchanges that do not exist on record."""
    with writing(engine) as connection:
        snapshots.raise_revision(connection)
        metrics.untrack_other_markets(connection, markets)
        exchange_states.remove_other_exchanges(connection, markets)
        for market, text in unknown.items():
            log.warning("%s", text)
            metrics.warn(connection, market, [text])
        rank_again(connection, CatalogueCache().current(connection))


def _listings(exchange: Exchange) -> tuple[Listing, ...] | ExchangeError:
    try:
        return exchange.listings()
    except ExchangeError as error:
        return error


@dataclass
class _Schedule:
    """When an exchange was looked up, and after how long it is to be again, with what it was like then."""

    looked_at: datetime
    wait: timedelta
    halted: frozenset[int]
    stirring: int


class Discovery:
    """Looks at each exchange's list when the program starts, every hour, and sooner where it failed, was doubted, or
    has pairs of ours that do not trade."""

    def __init__(
        self,
        engine: Engine,
        exchanges: Mapping[str, Exchange],
        unknown: Mapping[str, str],
        patterns: Sequence[TrackPattern],
        outages: Outages | None = None,
        period_seconds: float = 60.0,
    ) -> None:
        self._engine = engine
        self._exchanges = exchanges
        self._unknown = unknown
        self._patterns = patterns
        self._period = timedelta(seconds=period_seconds)
        self._outages = outages or Outages(exchanges)
        self._settled = False
        self._schedules: dict[str, _Schedule] = {}
        self._told: dict[str, tuple[str, ...]] = {}
        """What the log says of each exchange's last look-up."""
        self._active: dict[str, int] = {}

    def run(self, now: datetime) -> bool:
        """Ask the exchanges whose list is due; whether any of them told pairs that are believed. Raises
        StoreUnavailable."""
        if not self._settled:
            settle(self._engine, list(self._exchanges), self._unknown)
            self._settled = True
        before = self._look_ups()
        due = {
            market: exchange
            for market, exchange in self._exchanges.items()
            if self._is_due(market, before.get(market, DiscoveryRecord()), now)
        }
        outcomes = discover(
            self._engine, due, self._patterns, now, self._outages, period_seconds=self._period.total_seconds()
        )
        if not outcomes:
            return False
        after = self._look_ups()
        for market, outcome in outcomes.items():
            self._schedule(market, outcome, after.get(market, DiscoveryRecord()), now)
            self._tell(market, outcome)
        return any(outcome.error is None for outcome in outcomes.values())

    def _is_due(self, market: str, look_up: DiscoveryRecord, now: datetime) -> bool:
        schedule = self._schedules.get(market)
        if schedule is None:
            return True
        waited = now - schedule.looked_at
        if not timedelta(0) <= waited < schedule.wait:  # the clock may have been set back meanwhile
            return True
        # Prices that move contradict the list: more of them than when it was looked up cannot wait.
        return look_up.moving_inactive > schedule.stirring and waited >= FIRST_LOOK_PERIODS * self._period

    def _schedule(self, market: str, outcome: Outcome, look_up: DiscoveryRecord, now: datetime) -> None:
        """Note when to look up `market` again, by how the look-up went and what is on record since."""
        before = self._schedules.get(market)
        stirring = look_up.moving_inactive
        if look_up.doubted_since is not None:
            doubted_for = timedelta(seconds=now.timestamp() - look_up.doubted_since)
            wait = max(BELIEF_PERIODS * self._period - doubted_for, self._period)
        elif outcome.error is not None:
            self._schedules.pop(market, None)  # with the next run of this job
            return
        elif not look_up.halted and not outcome.dormant:
            wait, stirring = RENEWAL, 0
        elif before is None or before.halted != look_up.halted:
            wait = FIRST_LOOK_PERIODS * self._period
        else:
            wait, stirring = 2 * before.wait, max(stirring, before.stirring)
        self._schedules[market] = _Schedule(now, min(wait, RENEWAL), look_up.halted, stirring)

    def _tell(self, market: str, outcome: Outcome) -> None:
        """Log what it brought, unless that is known; failures are told as outages."""
        texts = outcome.warnings
        if isinstance(outcome.error, Doubt):
            texts = (f"{outcome.error}: it is looked up again before that is believed",)
        elif outcome.error is not None:
            return
        elif outcome.added or self._active.get(market) != outcome.active:
            self._active[market] = outcome.active
            halted = f", {outcome.tracked - outcome.active} do not trade" if outcome.tracked > outcome.active else ""
            log.info("%s: %d pairs tracked, %d of them added%s", market, outcome.tracked, outcome.added, halted)
        for text in texts:
            if text not in self._told.get(market, ()):
                log.warning("%s", text)
        self._told[market] = texts

    def _look_ups(self) -> Mapping[str, DiscoveryRecord]:
        with reading(self._engine) as connection:
            return discoveries.on_record(connection)
