"""The state of the market that responses are built from, and how long it holds."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.concurrency.versioned_cache import VersionedCache
from services.market.ports import Clock, MarketReader
from services.market.present import is_tick_stale
from services.market.ranking import RankedMetric, Ranking
from services.market.times import period_of, to_epoch


@dataclass(frozen=True, slots=True)
class Present:
    """The present state of the market: two that are equal lead to the same responses."""

    revision: int
    period: datetime
    """The start of the running period, within which "the last 24 h" does not move."""
    max_age: int = field(compare=False)
    """Whole seconds until the next tick may be stored; 0 while that of the running period is awaited. Clients see what
    a backfill changes meanwhile only after that."""
    is_stale: bool = False
    """True if the last tick is stale, and all prices with it. This changes without a new revision."""

    @property
    def version(self) -> tuple[int, bool]:
        """Changes with every change of the ranking."""
        return self.revision, self.is_stale


class Freshness:
    """Determines the present state: with the running period's tick stored, it holds for the rest of the period."""

    def __init__(self, reader: MarketReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._ticks = VersionedCache(1)
        self._stale = VersionedCache(1)

    def present(self) -> Present:
        """The state of the market now. Raises StoreUnavailable."""
        revision = self._reader.revision()
        ticked, minute = self._ticks.get("tick", revision, self._tick)
        now, period = self._clock(), self._reader.profile.period_seconds
        running = period_of(now, period)
        ends = running + timedelta(seconds=period)
        # If a newer revision was committed meanwhile, this state may change before the period ends.
        settled = ticked == revision and minute is not None and running <= minute <= ends
        second = to_epoch(minute)
        is_stale = is_tick_stale(second, now.timestamp(), period)
        return Present(revision, running, int((ends - now).total_seconds()) if settled else 0, is_stale)

    def ranking(self, present: Present) -> Ranking:
        """All metrics as they are in the state `present`."""
        found = self._reader.ranking()
        return self._stale.get("ranking", found.revision, found.gone_stale) if present.is_stale else found

    def metric(self, wanted: int | str, present: Present) -> RankedMetric:
        """The metric of this number or key as it is in the state `present`. Raises UnknownMetric."""
        found = self._reader.metric(wanted)
        return found.gone_stale() if present.is_stale else found

    def _tick(self) -> tuple[int, datetime | None]:
        """The newest revision, and the period of its last tick."""
        ranking = self._reader.ranking()
        return ranking.revision, ranking.minute
