"""One process's part in a lease: it acquires the lease, renews it while it works, or waits for it."""

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
"""Renewals in the length of a lease. A process that waits for the lease checks it as often."""

log = logging.getLogger(__name__)


class LeaseHolder:
    """Acquires a lease of `seconds` for `owner`, by a `clock` that may be wrong and a monotonic `timer`.

    The end of a lease is by its holder's clock, which may differ from this one or may have jumped. So its end is not
    trusted: a lease that is still being renewed is in use, and one that was not renewed for its whole length, by this
    process's timer, is taken.
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
        """The name under which it takes the lease."""
        return self._owner

    @property
    def renewal_seconds(self) -> float:
        """The time between two renewals, or two checks."""
        return self._seconds / BEATS

    def try_acquire(self, engine: Engine) -> bool:
        """Whether this process has the lease now. Raises StoreUnavailable."""
        with writing(engine) as connection:
            found = leases.current(connection, self._name)
            if found is not None and found.owner != self._owner and self._is_in_use(found):
                return False
            return self._take(connection, found)

    def renew(self, connection: Connection) -> bool:
        """Renew the lease inside a commit, which no other process can then precede; False if another one has it."""
        return self._take(connection, None)

    def has_valid_lease(self) -> bool:
        """Whether no other process can have taken the lease since the last renewal."""
        return self._timer() - self._renewed_at < self._seconds

    def release(self, connection: Connection) -> None:
        """Free the lease for another process at once."""
        leases.release(connection, self._owner, self._name)

    @contextmanager
    def renewing(self, engine: Engine) -> Iterator[None]:
        """Renew the lease in a thread while the block runs, until it is released or lost."""
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
            except StoreUnavailable:  # the block itself meets and reports the same outage
                continue

    def _take(self, connection: Connection, instead_of: leases.LeaseState | None) -> bool:
        began = self._timer()
        is_taken = leases.take(connection, self._owner, self._now(), self._seconds, self._name, instead_of)
        if is_taken:
            self._renewed_at = began
        return is_taken

    def _is_in_use(self, found: leases.LeaseState) -> bool:
        """Whether its holder has renewed it within its length."""
        at = self._timer()
        if found != self._seen:
            if self._seen is not None and self._seen.owner == found.owner:
                self._compare(found.expires_at - self._seconds - self._now())
            self._seen, self._unchanged_for = found, 0.0
        else:
            # What prevented this process from checking, such as a database outage, may have prevented the renewal.
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
