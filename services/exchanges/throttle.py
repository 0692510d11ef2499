"""The pace at which an exchange permits to be asked."""

import time

import ccxt

from services.exchanges.transport import Timer, Transport


class Throttle:
    """Takes the place of a ccxt client's own throttle, which reads the clock on the wall.

    That one sleeps for an hour when the clock is set back by an hour, and knows of no deadline.
    """

    def __init__(
        self, milliseconds: float, transport: Transport, least_seconds: float = 0.0, timer: Timer = time
    ) -> None:
        """A request of cost 1 leaves a gap of `milliseconds` after itself, none leaves less than `least_seconds`."""
        self._seconds = milliseconds / 1e3
        self._least_seconds = least_seconds
        self._transport = transport
        self._timer = timer
        self._free_at = float("-inf")

    def wait(self, cost: float | None = None) -> None:
        """Return when a request may leave, and count one of this cost.

        Raises ccxt's RequestTimeout at once when that would be past the transport's time.
        """
        now = self._timer.monotonic()
        if max(self._free_at, now) > self._transport.ends_at:
            raise ccxt.RequestTimeout("its permitted pace leaves no time to ask")
        if self._free_at > now:
            self._timer.sleep(self._free_at - now)
        gap = max(self._seconds * (1.0 if cost is None else cost), self._least_seconds)
        self._free_at = max(self._free_at, now) + gap
