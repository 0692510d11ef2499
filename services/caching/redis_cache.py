"""A memory in Redis that many processes share: what one of them makes, the others find. It may go away at any time."""

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
"""A Redis that does not answer for so long is away."""

PAUSE_SECONDS = 5.0
"""How long one that is away is left alone before one caller tries it again."""

LOOK_SECONDS = 0.005
"""Between two looks for what another process is making."""

AWAY = (RedisError, OSError, UnicodeError)
"""What it raises that it cannot be used now: no answer, no memory left, no permission, a name that no host has."""

_NAME = "shared cache"

T = TypeVar("T")

log = logging.getLogger(__name__)


class BadRedisUrl(TrackerError):
    """The Redis URL cannot be used at all."""


@dataclass(frozen=True, slots=True)
class CacheEntry(Generic[T]):
    """Where values of one kind are kept, and for how many seconds.

    One who makes a value has `patience_seconds` until others make it for themselves. What is packed in more than
    `most_bytes` is not kept: the broker needs the memory too.
    """

    name: str
    kind: type[T]
    seconds: float
    patience_seconds: float = 2.0
    most_bytes: int | None = None


class RedisCache:
    """For several threads and processes. While Redis is away everybody makes their own values; nobody waits for it."""

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
        """Whether Redis answered when it was last asked."""
        return self._failures.count(_NAME) == 0

    def ready(self) -> bool:
        """Whether to ask Redis. Of those who come while it is away, one in PAUSE_SECONDS tries it."""
        if self.up:
            return True
        with self._trying:
            if self._timer() < self._try_at:
                return False
            self._try_at = self._timer() + PAUSE_SECONDS
        try:
            # Writing is what fails when its memory is full; what can be written to can be used.
            self._client.set("data-tracker:probe", b"", px=1000)
        except AWAY as error:
            self._lose(error)
            return False
        self._failures.ended(_NAME, "Redis is back")
        return True

    def once(self, shelf: CacheEntry[T], key: str, make: Callable[[], T]) -> T:
        """The value kept under `key`; where there is none, what `make` makes, for all who ask meanwhile.

        An error of `make` is raised to the one who called it, and the next one tries.
        """
        if not self.ready():
            return make()
        place = f"{self._named()}:{shelf.name}:{key}"
        try:
            answer = self._find_or_claim(shelf, place)
        except AWAY as error:
            self._lose(error)
            return make()
        found, claim = answer
        if found is not None:
            return found
        try:
            value = make()
            self._keep(shelf, place, value)
            return value
        finally:
            if claim is not None:
                self._let_go(claim)

    def _named(self) -> str:
        if self._name is None:
            self._name = self._make_name()
        return self._name

    def _find_or_claim(self, shelf: CacheEntry[T], place: str) -> tuple[T | None, Lock | None]:
        """The value, or the claim to make it; neither when its maker has been waited for in vain."""
        claim = self._client.lock(f"{place}:claim", shelf.patience_seconds, blocking=False, thread_local=False)
        until = self._timer() + shelf.patience_seconds
        while True:
            found = self._find(shelf, place)
            if found is not None:
                return found, None
            if claim.acquire():
                break
            if self._timer() >= until:
                return None, None
            time.sleep(LOOK_SECONDS)
        found = self._find(shelf, place)  # it may have come between the look and the claim
        if found is not None:
            self._let_go(claim)
            return found, None
        return None, claim

    def _find(self, shelf: CacheEntry[T], place: str) -> T | None:
        try:
            data = self._client.get(place)
            return unpack(data, shelf.kind) if isinstance(data, bytes) else None
        except (Unreadable, ResponseError) as error:  # the latter where a key is none of a value's
            log.warning("shared cache: cannot read %s: %s", place, error)
            return None

    def _keep(self, shelf: CacheEntry[T], place: str, value: T) -> None:
        data = pack(value)
        if shelf.most_bytes is not None and len(data) > shelf.most_bytes:
            return
        try:
            self._client.set(place, data, px=round(shelf.seconds * 1000))
        except AWAY as error:
            self._lose(error)

    def _let_go(self, claim: Lock) -> None:
        if not self.up:
            return
        try:
            claim.release()
        except LockError:  # it took too long, and the claim is another's by now
            pass
        except AWAY as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        with self._trying:
            self._try_at = self._timer() + PAUSE_SECONDS
        self._failures.failed(_NAME, f"reading the database until Redis is back: {error}", reason=_NAME)


def open_memory(url: str, name: Callable[[], str], timer: Callable[[], float] = time.monotonic) -> RedisCache:
    """The memory in the Redis at `url`, connected to when used; its keys begin with what `name` answers.

    Raises BadRedisUrl without repeating the text, which may hold a password.
    """
    try:
        client = Redis.from_url(
            url,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            # Once more at once where a connection was closed meanwhile; never where an answer is waited for.
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionFailed,)),
        )
        client.connection_pool.make_connection()  # sees to it that all of the URL's options exist
    except (ValueError, TypeError, RedisError):
        raise BadRedisUrl("REDIS_URL: not a URL of the form redis://host:port/number") from None
    return RedisCache(client, name, timer)
