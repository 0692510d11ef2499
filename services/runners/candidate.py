"""One process's part in who may tick: it takes the lease, holds on to it, or stands by."""

import logging
from collections.abc import Callable
from datetime import timedelta

from services.market.ports import Clock
from services.store import leases
from services.store.engine import Engine, writing

log = logging.getLogger(__name__)


class Candidate:
    """Tries for the lease of `seconds` for `owner`, by a `clock` that may be wrong and a `timer` that nobody sets.

    What the lease says of its end is by its holder's clock. Where the two differ, or one has just jumped, a lease in
    use may look as if it had run out; so one that is still renewed, look by look, is left alone whatever it says.
    """

    def __init__(self, owner: str, seconds: float, clock: Clock, timer: Callable[[], float]) -> None:
        self._owner, self._seconds, self._clock, self._timer = owner, seconds, clock, timer
        self._seen: leases.Standing | None = None
        self._seen_at = 0.0
        self._differs = False

    def try_for_it(self, engine: Engine) -> bool:
        """Whether the lease is this process's now. Raises StoreUnavailable."""
        with writing(engine) as connection:
            now = self._clock().timestamp()
            standing = leases.standing(connection)
            if standing is not None and standing.owner != self._owner and self._is_in_use(standing, now):
                return False
            return leases.take(connection, self._owner, now, self._seconds)

    def _is_in_use(self, standing: leases.Standing, now: float) -> bool:
        """Whether its holder has renewed it since as long ago as it lasts."""
        if standing != self._seen:
            if self._seen is not None and self._seen.owner == standing.owner:
                self._compare(standing.expires_at - self._seconds - now)
            self._seen, self._seen_at = standing, self._timer()
        return self._timer() - self._seen_at < self._seconds

    def _compare(self, seconds: float) -> None:
        differs = abs(seconds) > leases.TOLERANCE_SECONDS
        if differs and not self._differs:
            side = "ahead of" if seconds > 0 else "behind"
            by = timedelta(seconds=round(abs(seconds)))
            log.warning("the process that has the clock is by its own time %s %s this one", by, side)
        self._differs = differs
