"""A value read from elsewhere, and its last known state: callers do not wait long for a source that hangs."""

import math
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

from services.concurrency.deadline import DeadlineExceeded, ThreadPerCall, result_within
from services.market.errors import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

RETRY_SECONDS = 0.25
"""Seconds between two attempts to read while they fail."""

_THREADS = ThreadPerCall("read again")


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    value: T
    version: Hashable
    read_at: float


class LastKnown(Generic[P, T]):
    """Reads a value again, once for all callers, when it is older than `fresh_seconds` or of another version. For
    several threads.

    Each read has a thread of its own, one at a time. When it raises StoreUnavailable or takes longer than
    `timeout_seconds`, callers get the value that was read last. From then on they do not wait until a read succeeds:
    reads go on in the background, one after the other, for as long as the value is asked for.
    """

    def __init__(self, read: Callable[P, T], timeout_seconds: float, fresh_seconds: float = math.inf) -> None:
        self._read, self._timeout_seconds, self._fresh_seconds = read, timeout_seconds, fresh_seconds
        self._lock = Lock()
        self._known: _Known[T] | None = None
        self._away_since: float | None = None
        self._reading: Future[T] | None = None
        self._reading_number = 0
        self._tried_at = -math.inf

    @property
    def away_since(self) -> float | None:
        """The time since which the value cannot be read, in the seconds given to `get`; None if it can."""
        return self._away_since

    def get(self, now: float, version: Hashable, *arguments: P.args, **named: P.kwargs) -> T:
        """The value of `version` as of `now` (seconds of any clock), read with these arguments, or else the last one.

        Raises the read's error when no value is known, and always when it is not StoreUnavailable.
        """
        with self._lock:
            known, is_away = self._known, self._away_since is not None
            if known is not None and known.version == version and 0 <= now - known.read_at < self._fresh_seconds:
                return known.value
            if self._reading is None and not (is_away and 0 <= now - self._tried_at < RETRY_SECONDS):
                self._begin(now, version, lambda: self._read(*arguments, **named))
            if known is not None and is_away:
                return known.value
            reading = self._reading
        assert reading is not None  # it has just begun, or had before
        if known is None:
            return reading.result()
        try:
            return result_within(self._timeout_seconds, reading)
        except StoreUnavailable:
            return known.value
        except DeadlineExceeded:
            with self._lock:
                if self._reading is reading:
                    self._away_since = now
            return known.value

    @property
    def known(self) -> T | None:
        """The value that was read last; None when there is none."""
        return None if self._known is None else self._known.value

    def age(self, now: float) -> float:
        """Seconds since the value was read."""
        return math.inf if self._known is None else now - self._known.read_at

    def forget(self) -> None:
        """Drop the value, because it has changed: the next caller waits until it is read."""
        with self._lock:
            self._known = self._reading = self._away_since = None
            self._reading_number += 1

    def _begin(self, now: float, version: Hashable, read: Callable[[], T]) -> None:
        self._tried_at = now
        self._reading_number += 1
        number = self._reading_number

        def read_again() -> T:
            try:
                value = read()
            except Exception as error:
                self._failed(number, error, now)
                raise
            self._succeeded(number, _Known(value, version, now))
            return value

        self._reading = _THREADS.submit(read_again)

    def _failed(self, number: int, error: Exception, began: float) -> None:
        with self._lock:
            if self._reading_number != number:  # it began before the value changed
                return
            self._reading = None
            if not isinstance(error, StoreUnavailable):
                self._known = self._away_since = None
            elif self._known is not None and self._away_since is None:
                self._away_since = began

    def _succeeded(self, number: int, known: _Known[T]) -> None:
        with self._lock:
            if self._reading_number == number:
                self._known, self._reading, self._away_since = known, None, None
