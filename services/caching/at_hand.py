"""Keep the present at hand: a process answers while the database is away, even if nobody has asked it before."""

from contextlib import suppress
from threading import Event, Thread

from services.market.errors import StoreUnavailable
from services.market.ports import Clock, MarketReader


def keep_at_hand(reader: MarketReader, clock: Clock, stopping: Event, seconds: float) -> Thread:
    """Start a thread that reads what all pages show through the caching `reader`, now and every `seconds` until
    `stopping`."""
    thread = Thread(target=_keep, args=(reader, clock, stopping, seconds), name="keep at hand", daemon=True)
    thread.start()
    return thread


def _keep(reader: MarketReader, clock: Clock, stopping: Event, seconds: float) -> None:
    while True:
        with suppress(StoreUnavailable):  # requests meet and report the same outage
            reader.ranking()
            now = clock()
            reader.status(now)
            reader.day(now)
            reader.open_alerts()
        if stopping.wait(seconds):
            return
