"""One process's part in a lease: it tries for it, holds on to it while it works, or stands by."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

from sqlalchemy import Connection

from services.market.errors import StoreUnavailable
from services.market.ports import Clock
from services.store.database import leases
from services.store.database.engine import Engine, writing

BEATS = 5
"""Renewals in the length of a lease, by who holds it while it works; who stands by looks as often."""

log = logging.getLogger(__name__)


class LeaseHolder:
    """Tries for a lease of `seconds` for `owner`, by a `clock` that may be wrong and a `timer` that nobody sets.

    What the lease says of its end is by its holder's clock, which tells nothing: the two may differ, or one may have
    just jumped. So one that is still renewed, look by look, is left alone whatever it says, and one that was not
    renewed for as long as it lasts, by this process's timer, is taken whatever it says.
    """

    def __init__(
        self, owner: str, seconds: float, clock: Clock, timer: Callable[[], float], name: str = leases.CLOCK
    ) -> None:
        self._owner, self._seconds, self._clock, self._timer, self._name = owner, seconds, clock, timer, name
        self._seen: leases.LeaseState | None = None
        self._looked_at = 0.0
        self._unchanged_for = 0.0
        self._renewed_at = 0.0
        self._differs = False

    @property
    def owner(self) -> str:
        """Whom it tries for the lease for."""
        return self._owner

    @property
    def renewal_seconds(self) -> float:
        """Between two looks, or two renewals."""
        return self._seconds / BEATS

    def try_acquire(self, engine: Engine) -> bool:
        """Whether the lease is this process's now. Raises StoreUnavailable."""
        with writing(engine) as connection:
            standing = leases.current(connection, self._name)
            if standing is not None and standing.owner != self._owner and self._is_in_use(standing):
                return False
            return self._take(connection, standing)

    def renew(self, connection: Connection) -> bool:
        """Renew the lease, inside a commit that so nobody else's can come before; False where it is another's by
        now."""
        return self._take(connection, None)

    def is_certain(self) -> bool:
        """Whether nobody can have taken the lease since the last renewal."""
        return self._timer() - self._renewed_at < self._seconds

    def release(self, connection: Connection) -> None:
        """Let the next one in at once."""
        leases.release(connection, self._owner, self._name)

    @contextmanager
    def renewing(self, engine: Engine) -> Iterator[None]:
        """Renew the lease, in a thread of its own, for as long as the block takes: up to a release or a loss in it."""
        over = Event()
        Thread(target=self._renew, args=(engine, over), name=f"lease {self._name}", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _renew(self, engine: Engine, over: Event) -> None:
        while not over.wait(self.renewal_seconds):
            try:
                with writing(engine) as connection:
                    if not leases.renew(connection, self._owner, self._now(), self._seconds, self._name):
                        return
            except StoreUnavailable:  # whoever works meanwhile will find it away too, and say so
                continue

    def _take(self, connection: Connection, instead_of: leases.LeaseState | None) -> bool:
        began = self._timer()
        is_taken = leases.take(connection, self._owner, self._now(), self._seconds, self._name, instead_of)
        if is_taken:
            self._renewed_at = began
        return is_taken

    def _is_in_use(self, standing: leases.LeaseState) -> bool:
        """Whether its holder has renewed it since as long ago as it lasts."""
        at = self._timer()
        if standing != self._seen:
            if self._seen is not None and self._seen.owner == standing.owner:
                self._compare(standing.expires_at - self._seconds - self._now())
            self._seen, self._unchanged_for = standing, 0.0
        else:
            # What kept this process from looking, as a database that is away, may have kept the other from renewing.
            self._unchanged_for += min(at - self._looked_at, self._seconds / 2)
        self._looked_at = at
        return self._unchanged_for < self._seconds

    def _compare(self, seconds: float) -> None:
        differs = abs(seconds) > leases.TOLERANCE_SECONDS
        if differs and not self._differs:
            side = "ahead of" if seconds > 0 else "behind"
            by = timedelta(seconds=round(abs(seconds)))
            log.warning("the process that has the %s is by its own time %s %s this one", self._name, by, side)
        self._differs = differs

    def _now(self) -> float:
        return self._clock().timestamp()
