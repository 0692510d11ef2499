"""Warms the caches of a process, so that it answers while the database is away even if it had no request before."""

from contextlib import suppress
from threading import Event, Thread

from services.market.errors import StoreUnavailable
from services.market.ports import Clock, MarketReader


def keep_warm(reader: MarketReader, clock: Clock, stopping: Event, seconds: float) -> Thread:
    """Start a thread that reads the state that all pages show, now and every `seconds` until `stopping`, through the
    caching `reader`."""
    thread = Thread(target=_read, args=(reader, clock, stopping, seconds), name="cache warming", daemon=True)
    thread.start()
    return thread


def _read(reader: MarketReader, clock: Clock, stopping: Event, seconds: float) -> None:
    while True:
        with suppress(StoreUnavailable):  # a request meets the same outage, and reports it
            reader.ranking()
            now = clock()
            reader.status(now)
            reader.day(now)
            reader.open_alerts()
        if stopping.wait(seconds):
            return
