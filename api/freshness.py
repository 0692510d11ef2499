"""What state answers tell of, and for how long it holds."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.market.memory import VersionedMemory
from services.market.moments import period_of
from services.market.ports import Clock, MarketReader


@dataclass(frozen=True, slots=True)
class Present:
    """The state of the market that everybody who asks now is told: two that are equal lead to the same answers."""

    revision: int
    period: datetime
    """The running period's beginning: within it, "the last 24 h" holds still."""
    max_age: int = field(compare=False)
    """Whole seconds until the next tick may land; 0 while the running period's own one is awaited. A backfill that
    changes the past meanwhile is seen by then."""


class Freshness:
    """Tells what is present: what the running period's tick has stored holds for the period's rest."""

    def __init__(self, reader: MarketReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._period = timedelta(seconds=reader.profile.period_seconds)
        self._minutes = VersionedMemory(1)

    def present(self) -> Present:
        """The present state. Raises StoreUnavailable."""
        revision = self._reader.revision()
        stored = self._minutes.get("minute", revision, lambda: self._minute(revision))
        now = self._clock()
        running = period_of(now, self._reader.profile.period_seconds)
        settled = stored is not None and running <= stored <= running + self._period
        return Present(revision, running, int((running + self._period - now).total_seconds()) if settled else 0)

    def _minute(self, revision: int) -> datetime | None:
        """Up to when `revision` tells; None where another one has come meanwhile, for which other answers hold."""
        ranking = self._reader.ranking()
        return ranking.minute if ranking.revision == revision else None
