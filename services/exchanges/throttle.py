"""Limits requests to the rate that an exchange permits."""

import time

import ccxt

from services.exchanges.transport import Timer, Transport


class Throttle:
    """Replaces ccxt's own throttle, which reads the system clock.

    ccxt's sleeps for an hour when the clock is set back by an hour, and has no deadline.
    """

    def __init__(self, gap_ms: float, transport: Transport, min_gap_seconds: float = 0.0, timer: Timer = time) -> None:
        """The gap after a request is `gap_ms` times its cost, but at least `min_gap_seconds`."""
        self._gap_seconds = gap_ms / 1e3
        self._min_gap_seconds = min_gap_seconds
        self._transport = transport
        self._timer = timer
        self._free_at = float("-inf")

    def wait(self, cost: float | None = None) -> None:
        """Wait until a request of this cost may be sent, and count it.

        Raises ccxt's RequestTimeout, without waiting, if that is after the transport's deadline.
        """
        now = self._timer.monotonic()
        if max(self._free_at, now) > self._transport.ends_at:
            raise ccxt.RequestTimeout("its rate limit leaves no time for this request")
        if self._free_at > now:
            self._timer.sleep(self._free_at - now)
        gap = max(self._gap_seconds * (1.0 if cost is None else cost), self._min_gap_seconds)
        self._free_at = max(self._free_at, now) + gap
