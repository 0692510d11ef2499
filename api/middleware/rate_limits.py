"""Rate limits of requests, and of wrong passwords and tokens.

Flask-Limiter counts requests after routing, and only those that have a route. The guard stands before that, and clients
that guess passwords may use any path. So the guard uses the library beneath it, `limits`.
"""

import hashlib
import math
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import TypeVar

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from services.market.failures import Failures

T = TypeVar("T")

FAILURES_A_MINUTE = 10
MAX_KNOWN_CLIENTS = 10_000
MAX_CACHED_ADDRESSES = 1_000
REDIS_TIMEOUT = 0.5  # seconds
REDIS_PAUSE = 5.0  # seconds without a request to it, after it did not answer

_FAILURES = RateLimitItemPerMinute(FAILURES_A_MINUTE, namespace="failures")

_NAME = "limits"


class Counts(Storage):
    """Counts in this process's memory. The library's own storage starts a thread every ten milliseconds to drop expired
    counts, which costs a busy server more than all its responses."""

    MAX = 100_000

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now
        self._windows: dict[str, tuple[int, float]] = {}
        self._lock = Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the count of `key`, which expires `expiry` seconds after its start."""
        with self._lock:
            if len(self._windows) >= self.MAX:
                self._drop_expired()
            count, ends_at = self._running(key) or (0, self._now() + expiry)
            self._windows[key] = (count + amount, ends_at)
        return count + amount

    def get(self, key: str) -> int:
        """The count of `key`."""
        running = self._running(key)
        return 0 if running is None else running[0]

    def get_expiry(self, key: str) -> float:
        """The time at which the count of `key` expires, in epoch seconds."""
        running = self._running(key)
        return self._now() if running is None else running[1]

    def check(self) -> bool:
        """Memory is always available."""
        return True

    def reset(self) -> int:
        """Drop all counts; returns how many there were."""
        dropped = len(self._windows)
        self._windows.clear()
        return dropped

    def clear(self, key: str) -> None:
        """Drop the count of `key`."""
        self._windows.pop(key, None)

    def _running(self, key: str) -> tuple[int, float] | None:
        found = self._windows.get(key)
        return found if found is not None and found[1] > self._now() else None

    def _drop_expired(self) -> None:
        now = self._now()
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        if len(self._windows) >= self.MAX:
            # An attack from so many addresses within a minute: no count is worth its memory.
            self._windows.clear()


class Limits:
    """Counts a minute: requests of each visitor, wrong passwords and tokens from each address.

    With `redis_url` all processes share the counts; without it, or while Redis is away, each has its own. With 0
    requests a minute, requests are not limited.
    """

    def __init__(
        self, requests_a_minute: int, redis_url: str | None = None, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._requests = RateLimitItemPerMinute(requests_a_minute, namespace="requests") if requests_a_minute else None
        self._timer = timer
        self._failures = Failures(timer)
        self._own: RateLimiter = FixedWindowRateLimiter(Counts())
        self._shared: RateLimiter | None = None
        self._shared_from = 0.0
        if redis_url is not None:
            storage = RedisStorage(
                redis_url,
                wrap_exceptions=True,
                key_prefix="data-tracker:limits",
                socket_timeout=REDIS_TIMEOUT,
                socket_connect_timeout=REDIS_TIMEOUT,
            )
            self._shared = FixedWindowRateLimiter(storage)
        self._known: set[bytes] = set()
        self._lock = Lock()

    def wait_for_request(self, visitor: str) -> int:
        """Count a request of `visitor`; returns the seconds to wait, 0 if it is allowed."""
        limit = self._requests
        if limit is None or self._ask(lambda counts: counts.hit(limit, visitor)):
            return 0
        return self._rest_of(limit, visitor)

    def wait_for_login(self, address: str, credential: str) -> int:
        """The seconds that `address` has to wait before its `credential` is checked; 0 if it is checked now.

        A client that was let in with the same credential before never waits: others at its address cannot lock it out.
        """
        if _fingerprint(address, credential) in self._known or self._ask(
            lambda counts: counts.test(_FAILURES, address)
        ):
            return 0
        return self._rest_of(_FAILURES, address)

    def failed(self, address: str) -> None:
        """Count a wrong password or token from `address`."""
        self._ask(lambda counts: counts.hit(_FAILURES, address))

    def succeeded(self, address: str, credential: str) -> None:
        """Remember that `address` was let in with this credential."""
        seen = _fingerprint(address, credential)
        if seen not in self._known:
            with self._lock:
                if len(self._known) >= MAX_KNOWN_CLIENTS:
                    self._known.clear()
                self._known.add(seen)

    def _rest_of(self, limit: RateLimitItem, key: str) -> int:
        ends_at = self._ask(lambda counts: counts.get_window_stats(limit, key)).reset_time
        return max(1, math.ceil(ends_at - time.time()))

    def _may_try(self) -> bool:
        """True if Redis is to be used. While it is away, only one request in each REDIS_PAUSE tries it."""
        if self._failures.count(_NAME) == 0:
            return True
        with self._lock:
            if self._timer() < self._shared_from:
                return False
            self._shared_from = self._timer() + REDIS_PAUSE
            return True

    def _ask(self, question: Callable[[RateLimiter], T]) -> T:
        if self._shared is not None and self._may_try():
            try:
                answer = question(self._shared)
            except StorageError as error:
                self._shared_from = self._timer() + REDIS_PAUSE
                text = f"each process counts requests for itself until Redis is back: {error.storage_error}"
                self._failures.failed(_NAME, text, reason=_NAME)
            else:
                self._failures.ended(_NAME, "Redis is back")
                return answer
        return question(self._own)


@lru_cache(MAX_CACHED_ADDRESSES)
def place_of(address: str) -> str:
    """The key of an address's counts: with IPv6, a visitor has 64 bits of addresses."""
    try:
        found = ip_address(address)
    except ValueError:  # a socket in the file system
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)


@lru_cache(MAX_CACHED_ADDRESSES)
def is_this_machine(address: str) -> bool:
    """True if `address` is on loopback."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _fingerprint(address: str, credential: str) -> bytes:
    return hashlib.blake2b(f"{address} {credential}".encode(), digest_size=16).digest()
