"""Discover: ask each exchange for its pairs, and track those that TRACK names."""

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
from services.pipeline.outages import Outages, Request
from services.pipeline.rank import rank_again
from services.store.database.engine import Connection, Engine, reading, writing
from services.store.ranking import discoveries, exchange_states, metrics, snapshots
from services.store.ranking.discoveries import DiscoveryRecord
from services.store.ranking.metrics import CatalogueCache

RENEWAL = timedelta(hours=1)

BELIEF_PERIODS = 2
"""An implausible list of pairs is accepted when the exchange still gives it after this many periods."""

FIRST_RECHECK_PERIODS = 3
"""An exchange with tracked pairs that do not trade is asked again after this many periods; while nothing has changed,
after twice as many each time, up to RENEWAL."""

MIN_DOUBTED = 5
"""Pairs: a list that loses fewer than these is plausible."""

log = logging.getLogger(__name__)


class Doubt(BadPayload):
    """An implausible list of pairs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of asking one exchange: the `error` that left its metrics unchanged; or how many pairs are `tracked`
    now, how many of them trade (`active`) and how many were `added`, the `warnings` for the operator, and whether some
    pattern of TRACK waits for pairs to trade (`dormant`)."""

    error: ExchangeError | None = None
    tracked: int = 0
    active: int = 0
    added: int = 0
    warnings: tuple[str, ...] = ()
    dormant: bool = False


@dataclass(frozen=True, slots=True)
class _Discovered:
    """The pairs that one exchange lists, the `patterns` of TRACK that name it, and the `record` of earlier lists."""

    market: str
    listings: Sequence[Listing]
    patterns: Sequence[TrackPattern]
    record: DiscoveryRecord

    @property
    def trading(self) -> int:
        return sum(listing.active for listing in self.listings)


def discover(
    engine: Engine,
    exchanges: Mapping[str, Exchange],
    patterns: Sequence[TrackPattern],
    now: datetime,
    outages: Outages | None = None,
    period_seconds: float = 60.0,
) -> dict[str, Outcome]:
    """Ask these exchanges for their pairs, in parallel, and track the pairs that match.

    A pair is new when its exchange did not list it the last time that TRACK asked the same of it. A list in which less
    than half of the earlier pairs trade, as during maintenance, counts as an error until the exchange has given it for
    BELIEF_PERIODS. An exchange that takes longer than `outages.timeout_seconds` is recorded there, and waited for all
    the same. Raises StoreUnavailable.
    """
    if not exchanges:
        return {}
    outages = outages or Outages(exchanges)
    lists = _request_listings(exchanges, outages)
    outcomes: dict[str, Outcome] = {}
    catalogues = CatalogueCache()
    with writing(engine) as connection:
        snapshots.raise_revision(connection)
        records = discoveries.load(connection)
        tracked = catalogues.current(connection).rows
        for market, listings in lists.items():
            exchange_states.record_permitted_rate(connection, market, exchanges[market].requests_a_second)
            if isinstance(listings, ExchangeError):
                outages.failed(market, Request.PAIRS, listings)
                exchange_states.record_failure(connection, market, to_epoch(now), listings.explanation)
                outcomes[market] = Outcome(listings)
                continue
            outages.answered(market, Request.PAIRS)
            wanted = [pattern for pattern in patterns if pattern.market == market]
            found = _Discovered(market, listings, wanted, records.get(market, DiscoveryRecord()))
            doubt = _doubt(found)
            since = _doubted_since(found.record, now)
            if doubt is not None and now.timestamp() - since < BELIEF_PERIODS * period_seconds:
                discoveries.record_doubted(connection, market, since)
                metrics.replace_warnings(
                    connection, market, [f"TRACK: {market} {doubt.detail}, and is looked up again soon"]
                )
                outcomes[market] = Outcome(doubt)
                continue
            outcomes[market] = _accept(connection, found, tracked.get(market, {}), now)
        rank_again(connection, catalogues.current(connection))
    return outcomes


def _request_listings(
    exchanges: Mapping[str, Exchange], outages: Outages
) -> dict[str, tuple[Listing, ...] | ExchangeError]:
    with ThreadPoolExecutor(len(exchanges), thread_name_prefix="discover") as threads:
        answers = {market: threads.submit(_listings, exchange) for market, exchange in exchanges.items()}
        late = wait(answers.values(), timeout=outages.timeout_seconds).not_done
        for market, answer in answers.items():
            if answer in late:
                outages.no_answer_yet(market)
        return {market: answer.result() for market, answer in answers.items()}


def _doubt(found: _Discovered) -> Doubt | None:
    """Why this list is implausible; None where it is plausible."""
    trading, before = found.trading, found.record.trading
    if len(found.listings) < MIN_DOUBTED or trading * 2 >= (1 if before is None else before):
        return None
    text = f"lists {trading:,} active pairs now" if trading else "lists no active pair now"
    return Doubt(found.market, text if before is None else f"{text}, {before:,} before")


def _doubted_since(record: DiscoveryRecord, now: datetime) -> int:
    second = to_epoch(now)
    return second if record.doubted_since is None else min(record.doubted_since, second)


def _accept(connection: Connection, found: _Discovered, tracked: Collection[Pair], now: datetime) -> Outcome:
    """Update the metrics of the exchange to its list."""
    market, trading = found.market, found.trading
    choice = choose_pairs(found.patterns, found.listings, tracked)
    patterns = ",".join(sorted(map(str, found.patterns)))
    # A pair that trades again after maintenance is not new.
    before = trading if found.record.trading is None else found.record.trading
    recovers = before * 2 < trading and trading - before >= MIN_DOUBTED
    added = metrics.track(
        connection,
        market,
        choice.chosen,
        lambda pair: any_matches(choice.patterns, pair),
        now,
        mark_new=exchange_states.patterns(connection, market) == patterns and not recovers,
    )
    exchange_states.record_patterns(connection, market, patterns)
    discoveries.record_accepted(connection, market, trading)
    metrics.replace_warnings(connection, market, choice.warnings)
    active = sum(listing.active for listing in choice.chosen)
    return Outcome(None, len(choice.chosen), active, added, choice.warnings, choice.dormant)


def settle(engine: Engine, markets: Collection[str], unknown: Mapping[str, str]) -> None:
    """Stop tracking what TRACK no longer names, and record a warning for each `unknown` exchange."""
    with writing(engine) as connection:
        snapshots.raise_revision(connection)
        metrics.untrack_other_markets(connection, markets)
        exchange_states.remove_other_exchanges(connection, markets)
        for market, text in unknown.items():
            log.warning("%s", text)
            metrics.replace_warnings(connection, market, [text])
        rank_again(connection, CatalogueCache().current(connection))


def _listings(exchange: Exchange) -> tuple[Listing, ...] | ExchangeError:
    try:
        return exchange.listings()
    except ExchangeError as error:
        return error


@dataclass
class _Schedule:
    """When an exchange was last asked for its pairs, how long to `wait` until it is asked again, and its state then."""

    checked_at: datetime
    wait: timedelta
    halted: frozenset[int]
    moving_inactive: int


class Discovery:
    """Asks each exchange for its pairs when the program starts and every hour; sooner where that failed, where the list
    was implausible, and where tracked pairs do not trade."""

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
        self._logged: dict[str, tuple[str, ...]] = {}
        """The warnings of each exchange's last list that are in the log."""
        self._active: dict[str, int] = {}

    def run(self, now: datetime) -> bool:
        """Ask the exchanges that are due; returns whether any list was accepted. Raises StoreUnavailable."""
        if not self._settled:
            settle(self._engine, list(self._exchanges), self._unknown)
            self._settled = True
        before = self._records()
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
        after = self._records()
        for market, outcome in outcomes.items():
            self._schedule(market, outcome, after.get(market, DiscoveryRecord()), now)
            self._log(market, outcome)
        return any(outcome.error is None for outcome in outcomes.values())

    def _is_due(self, market: str, record: DiscoveryRecord, now: datetime) -> bool:
        schedule = self._schedules.get(market)
        if schedule is None:
            return True
        waited = now - schedule.checked_at
        if not timedelta(0) <= waited < schedule.wait:  # the clock may have been set back meanwhile
            return True
        # Inactive pairs whose prices move contradict the list. More of them than at the last list cannot wait.
        return record.moving_inactive > schedule.moving_inactive and waited >= FIRST_RECHECK_PERIODS * self._period

    def _schedule(self, market: str, outcome: Outcome, record: DiscoveryRecord, now: datetime) -> None:
        """Set when to ask `market` again, by the outcome and its record since."""
        before = self._schedules.get(market)
        moving = record.moving_inactive
        if record.doubted_since is not None:
            doubted_for = timedelta(seconds=now.timestamp() - record.doubted_since)
            wait = max(BELIEF_PERIODS * self._period - doubted_for, self._period)
        elif outcome.error is not None:
            self._schedules.pop(market, None)  # with the next run of this job
            return
        elif not record.halted and not outcome.dormant:
            wait, moving = RENEWAL, 0
        elif before is None or before.halted != record.halted:
            wait = FIRST_RECHECK_PERIODS * self._period
        else:
            wait, moving = 2 * before.wait, max(moving, before.moving_inactive)
        self._schedules[market] = _Schedule(now, min(wait, RENEWAL), record.halted, moving)

    def _log(self, market: str, outcome: Outcome) -> None:
        """Log what has changed; failures are logged as outages."""
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
            if text not in self._logged.get(market, ()):
                log.warning("%s", text)
        self._logged[market] = texts

    def _records(self) -> Mapping[str, DiscoveryRecord]:
        with reading(self._engine) as connection:
            return discoveries.load(connection)
