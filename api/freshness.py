"""For how long an answer holds."""

from datetime import datetime, timedelta

from services.market.memory import VersionedMemory
from services.market.moments import period_of
from services.market.ports import Clock, MarketReader


class Freshness:
    """Tells until when nothing new can come: what the running period's tick has stored holds for its rest."""

    def __init__(self, reader: MarketReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._minutes = VersionedMemory(1)

    def period(self) -> datetime:
        """The running period's beginning: within it, "the last 24 h" holds still, so answers can be kept."""
        return period_of(self._clock(), self._reader.profile.period_seconds)

    def max_age(self) -> int:
        """Whole seconds until the next tick may land; 0 while the running period's own one is awaited. A backfill
        that changes the past meanwhile is seen by then. Raises StoreUnavailable."""
        stored = self._minutes.get("minute", self._reader.revision(), lambda: self._reader.ranking().minute)
        now = self._clock()
        period_seconds = self._reader.profile.period_seconds
        running = period_of(now, period_seconds)
        if stored is None or stored < running:
            return 0
        return int((running + timedelta(seconds=period_seconds) - now).total_seconds())
