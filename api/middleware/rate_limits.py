"""How often one may ask, and how often be wrong about a password.

Flask-Limiter counts what has a route, after it was routed; the guard stands before that, and who guesses passwords asks
for paths that do not exist. So the guard asks the library beneath it, `limits`.
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
ADDRESSES_AT_HAND = 1_000
REDIS_PATIENCE = 0.5  # seconds
REDIS_PAUSE = 5.0  # seconds that it is left alone after it did not answer

_FAILURES = RateLimitItemPerMinute(FAILURES_A_MINUTE, namespace="failures")

_NAME = "limits"


class Counts(Storage):
    """Counts in this process's memory. The library's own starts a thread every ten milliseconds in order to forget,
    which costs a busy server more than all that it answers."""

    MOST = 100_000

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now
        self._windows: dict[str, tuple[int, float]] = {}
        self._lock = Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        return Exception

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the count of `key`, which ends `expiry` seconds after it began."""
        with self._lock:
            if len(self._windows) >= self.MOST:
                self._forget()
            count, ends_at = self._running(key) or (0, self._now() + expiry)
            self._windows[key] = (count + amount, ends_at)
        return count + amount

    def get(self, key: str) -> int:
        """The count of `key`."""
        running = self._running(key)
        return 0 if running is None else running[0]

    def get_expiry(self, key: str) -> float:
        """When the count of `key` ends, in epoch seconds."""
        running = self._running(key)
        return self._now() if running is None else running[1]

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def reset(self) -> int:
        """Forget all; answers how many there were."""
        forgotten = len(self._windows)
        self._windows.clear()
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one."""
        self._windows.pop(key, None)

    def _running(self, key: str) -> tuple[int, float] | None:
        found = self._windows.get(key)
        return found if found is not None and found[1] > self._now() else None

    def _forget(self) -> None:
        now = self._now()
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        if len(self._windows) >= self.MOST:  # so many addresses within a minute: none of them is worth its memory
            self._windows.clear()


class Limits:
    """Counts by the minute: requests of one visitor, wrong passwords and tokens of one address.

    With `redis_url` all processes count together, without (or while Redis is away) each for itself. Of requests, 0 a
    minute means as many as they like.
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
                socket_timeout=REDIS_PATIENCE,
                socket_connect_timeout=REDIS_PATIENCE,
            )
            self._shared = FixedWindowRateLimiter(storage)
        self._known: set[bytes] = set()
        self._lock = Lock()

    def wait_for_request(self, visitor: str) -> int:
        """Count a request of `visitor`; the seconds it has to wait, or 0 where it need not."""
        limit = self._requests
        if limit is None or self._ask(lambda counts: counts.hit(limit, visitor)):
            return 0
        return self._rest_of(limit, visitor)

    def wait_for_login(self, address: str, shown: str) -> int:
        """How many seconds `address` has to wait before what it has shown is looked at; 0 where it need not.

        Who has been let in with the same before need never: others at that address cannot keep them out.
        """
        if _print_of(address, shown) in self._known or self._ask(lambda counts: counts.test(_FAILURES, address)):
            return 0
        return self._rest_of(_FAILURES, address)

    def failed(self, address: str) -> None:
        """Count something wrong that `address` has shown."""
        self._ask(lambda counts: counts.hit(_FAILURES, address))

    def succeeded(self, address: str, shown: str) -> None:
        """Remember that `address` was let in for this."""
        seen = _print_of(address, shown)
        if seen not in self._known:
            with self._lock:
                if len(self._known) >= MAX_KNOWN_CLIENTS:
                    self._known.clear()
                self._known.add(seen)

    def _rest_of(self, limit: RateLimitItem, key: str) -> int:
        ends_at = self._ask(lambda counts: counts.get_window_stats(limit, key)).reset_time
        return max(1, math.ceil(ends_at - time.time()))

    def _may_try(self) -> bool:
        """Whether to ask Redis; while it is away one in REDIS_PAUSE tries it, and all others do without."""
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


@lru_cache(ADDRESSES_AT_HAND)
def place_of(address: str) -> str:
    """Whom to count for an address: with IPv6 a visitor has 64 bits of them."""
    try:
        found = ip_address(address)
    except ValueError:  # a socket in the file system
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)


@lru_cache(ADDRESSES_AT_HAND)
def is_this_machine(address: str) -> bool:
    """Whether a request comes from here, and not by a proxy that tells from where."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _print_of(address: str, shown: str) -> bytes:
    return hashlib.blake2b(f"{address} {shown}".encode(), digest_size=16).digest()
