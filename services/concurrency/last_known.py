"""A value that somebody else keeps, and what was last heard of it: nobody waits long for one who does not answer."""

import math
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Generic, ParamSpec, TypeVar

from services.market.errors import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

RETRY_SECONDS = 0.25
"""Between two readings while they fail."""


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    value: T
    version: Hashable
    read_at: float


class LastKnown(Generic[P, T]):
    """Reads a value anew, once for all who ask, when it is older than `fresh_seconds` or of another version. For
    several threads.

    The reading has a thread of its own, of which there is one at a time. Where it raises StoreUnavailable or takes
    longer than `patience_seconds`, the value is what was last read, and from then on nobody waits until a reading
    succeeds: one after the other goes on in the background for as long as somebody asks.
    """

    def __init__(self, read: Callable[P, T], patience_seconds: float, fresh_seconds: float = math.inf) -> None:
        self._read, self._patience_seconds, self._fresh_seconds = read, patience_seconds, fresh_seconds
        self._lock = Lock()
        self._known: _Known[T] | None = None
        self._away_since: float | None = None
        self._reading: Future[T] | None = None
        self._tried_at = -math.inf

    @property
    def away_since(self) -> float | None:
        """Since when the value cannot be read anew, in seconds as `get` was told them; None where it can."""
        return self._away_since

    def get(self, now: float, version: Hashable, *arguments: P.args, **named: P.kwargs) -> T:
        """The value of `version` as of `now`, in seconds of whatever clock, read with these arguments; where that
        cannot be had, the last one. Raises what the reading raised where there is none, and what is no
        StoreUnavailable in any case."""
        with self._lock:
            known, is_away = self._known, self._away_since is not None
            if known is not None and known.version == version and 0 <= now - known.read_at < self._fresh_seconds:
                return known.value
            if self._reading is None and not (is_away and 0 <= now - self._tried_at < RETRY_SECONDS):
                self._begin(now, version, lambda: self._read(*arguments, **named))
            if known is not None and is_away:
                return known.value
            reading = self._reading
        assert reading is not None  # begun just now, if not before
        if known is None:
            return reading.result()
        if not wait([reading], self._patience_seconds).done:
            with self._lock:
                if self._reading is reading:
                    self._away_since = now
            return known.value
        return known.value if isinstance(reading.exception(), StoreUnavailable) else reading.result()

    @property
    def known(self) -> T | None:
        """The value that was last read; None where there is none."""
        return None if self._known is None else self._known.value

    def age(self, now: float) -> float:
        """Seconds since the value was read."""
        return math.inf if self._known is None else now - self._known.read_at

    def forget(self) -> None:
        """The value has changed: whoever asks next waits until it is read."""
        with self._lock:
            self._known = self._reading = self._away_since = None

    def _begin(self, now: float, version: Hashable, read: Callable[[], T]) -> None:
        reading: Future[T] = Future()
        self._reading, self._tried_at = reading, now

        def carry_out() -> None:
            try:
                value = read()
            except Exception as error:  # noqa: BLE001 - raised again where it is waited for
                self._failed(reading, error, now)
                reading.set_exception(error)
            else:
                self._succeeded(reading, _Known(value, version, now))
                reading.set_result(value)

        Thread(target=carry_out, name="read anew", daemon=True).start()

    def _failed(self, reading: Future[T], error: Exception, began: float) -> None:
        with self._lock:
            if self._reading is not reading:  # it is of before the value changed
                return
            self._reading = None
            if not isinstance(error, StoreUnavailable):
                self._known = self._away_since = None
            elif self._known is not None and self._away_since is None:
                self._away_since = began

    def _succeeded(self, reading: Future[T], known: _Known[T]) -> None:
        with self._lock:
            if self._reading is reading:
                self._known, self._reading, self._away_since = known, None, None
