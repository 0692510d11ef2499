"""A cache in Redis that many processes share. Redis may go away at any time."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock as ThreadLock
from typing import Generic, TypeVar

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import LockError, ResponseError
from redis.lock import Lock
from redis.retry import Retry

from services.caching.serialization import Unreadable, pack, unpack
from services.market.errors import TrackerError
from services.market.failures import Failures

SOCKET_SECONDS = 0.25
"""A Redis that has not answered for so long counts as away."""

PAUSE_SECONDS = 5.0
"""Seconds after which one caller tries again to use a Redis that is away."""

POLL_SECONDS = 0.005
"""Seconds between two checks for a value that another process is computing."""

AWAY = (RedisError, OSError, UnicodeError)
"""Errors of a Redis that cannot be used now: no answer, no memory left, no permission, an unknown host name."""

_NAME = "shared cache"

T = TypeVar("T")

log = logging.getLogger(__name__)


class BadRedisUrl(TrackerError):
    """The Redis URL cannot be used at all."""


@dataclass(frozen=True, slots=True)
class CacheEntry(Generic[T]):
    """Values of one kind: they are cached under `name` for `seconds`.

    A process that computes a value has `timeout_seconds` before others compute it for themselves. A value of more than
    `max_bytes` when packed is not cached: the broker needs the memory too.
    """

    name: str
    kind: type[T]
    seconds: float
    timeout_seconds: float = 2.0
    max_bytes: int | None = None


class RedisCache:
    """A cache for several threads and processes. While Redis is away, each caller computes its own values at once."""

    def __init__(
        self,
        client: Redis,
        name: Callable[[], str],
        timer: Callable[[], float],
    ) -> None:
        self._client = client
        self._make_name = name
        self._name: str | None = None
        self._timer = timer
        self._trying = ThreadLock()
        self._try_at = 0.0
        self._failures = Failures(timer)

    @property
    def up(self) -> bool:
        """True if Redis answered the last request."""
        return self._failures.count(_NAME) == 0

    def ready(self) -> bool:
        """True if Redis is to be used. While it is away, one caller in PAUSE_SECONDS tries it again."""
        if self.up:
            return True
        with self._trying:
            if self._timer() < self._try_at:
                return False
            self._try_at = self._timer() + PAUSE_SECONDS
        try:
            # A write, because only writes fail when its memory is full.
            self._client.set("data-tracker:probe", b"", px=1000)
        except AWAY as error:
            self._note_away(error)
            return False
        self._failures.ended(_NAME, "Redis is back")
        return True

    def get_or_compute(self, entry: CacheEntry[T], key: str, compute: Callable[[], T]) -> T:
        """The value cached under `key`, otherwise the result of `compute`, which all concurrent callers share.

        An error of `compute` is raised in the caller that computed; the next caller tries again.
        """
        if not self.ready():
            return compute()
        key_in_redis = f"{self._prefix()}:{entry.name}:{key}"
        try:
            answer = self._load_or_claim(entry, key_in_redis)
        except AWAY as error:
            self._note_away(error)
            return compute()
        found, claim = answer
        if found is not None:
            return found
        try:
            value = compute()
            self._store(entry, key_in_redis, value)
            return value
        finally:
            if claim is not None:
                self._release(claim)

    def _prefix(self) -> str:
        if self._name is None:
            self._name = self._make_name()
        return self._name

    def _load_or_claim(self, entry: CacheEntry[T], key_in_redis: str) -> tuple[T | None, Lock | None]:
        """The value, or the claim to compute it; neither when the process that has the claim takes too long."""
        claim = self._client.lock(f"{key_in_redis}:claim", entry.timeout_seconds, blocking=False, thread_local=False)
        until = self._timer() + entry.timeout_seconds
        while True:
            found = self._load(entry, key_in_redis)
            if found is not None:
                return found, None
            if claim.acquire():
                break
            if self._timer() >= until:
                return None, None
            time.sleep(POLL_SECONDS)
        found = self._load(entry, key_in_redis)  # it may have been cached just before the claim
        if found is not None:
            self._release(claim)
            return found, None
        return None, claim

    def _load(self, entry: CacheEntry[T], key_in_redis: str) -> T | None:
        try:
            data = self._client.get(key_in_redis)
            return unpack(data, entry.kind) if isinstance(data, bytes) else None
        except (Unreadable, ResponseError) as error:  # the latter where a key holds no string
            log.warning("shared cache: cannot read %s: %s", key_in_redis, error)
            return None

    def _store(self, entry: CacheEntry[T], key_in_redis: str, value: T) -> None:
        data = pack(value)
        if entry.max_bytes is not None and len(data) > entry.max_bytes:
            return
        try:
            self._client.set(key_in_redis, data, px=round(entry.seconds * 1000))
        except AWAY as error:
            self._note_away(error)

    def _release(self, claim: Lock) -> None:
        if not self.up:
            return
        try:
            claim.release()
        except LockError:  # it took too long, and another process has the claim by now
            pass
        except AWAY as error:
            self._note_away(error)

    def _note_away(self, error: Exception) -> None:
        with self._trying:
            self._try_at = self._timer() + PAUSE_SECONDS
        self._failures.failed(_NAME, f"reading the database until Redis is back: {error}", reason=_NAME)


def open_redis_cache(url: str, name: Callable[[], str], timer: Callable[[], float] = time.monotonic) -> RedisCache:
    """The cache in the Redis at `url`, which is connected to on first use; `name` returns the prefix of its keys.

    Raises BadRedisUrl, whose text leaves the URL out: it may hold a password.
    """
    try:
        client = Redis.from_url(
            url,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            # One immediate retry when the connection was closed meanwhile; none after a time-out.
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionFailed,)),
        )
        client.connection_pool.make_connection()  # checks the URL's options
    except (ValueError, TypeError, RedisError):
        raise BadRedisUrl("REDIS_URL: not a URL of the form redis://host:port/number") from None
    return RedisCache(client, name, timer)
