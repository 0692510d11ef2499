"""Cached responses, sent without Flask: its routing takes twice as long as sending them."""

from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING

from api.environ import CACHEABLE
from api.responses.cached_response import CachedResponse, reply
from api.responses.freshness import Freshness, Present
from services.market.errors import StoreUnavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BYTES = 48_000_000
"""The limit for all responses together: a day's prices by the minute of 400 metrics."""
OVERHEAD_BYTES = 1_000
"""The memory that a response takes in addition to its texts."""

CacheKey = tuple[str, str, str]
"""Path, query and `Accept` header: everything in a request that its response depends on, compression aside."""


class ResponseCache:
    """The responses sent in one state of the market. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._responses: tuple[Present | None, dict[CacheKey, CachedResponse]] = (None, {})
        self._bytes = 0
        self._lock = Lock()

    def __contains__(self, key: CacheKey) -> bool:
        """True if a response to `key` is cached, of whatever state."""
        return key in self._responses[1]

    def get(self, key: CacheKey, present: Present) -> CachedResponse | None:
        """The response to `key` in the state `present`."""
        state, responses = self._responses
        return responses.get(key) if state == present else None

    def put(self, key: CacheKey, present: Present, response: CachedResponse) -> None:
        """Cache a response of the state `present`. Those of another state are dropped, and all if too large."""
        size = _size(key, response)
        with self._lock:
            state, responses = self._responses
            if size > self._max_bytes or (state == present and key in responses):
                return
            if state != present or self._bytes + size > self._max_bytes:
                responses, self._bytes = {}, 0
                self._responses = present, responses
            responses[key] = response
            self._bytes += size


def _size(key: CacheKey, response: CachedResponse) -> int:
    """The bytes that a cached response may take, with the compressed copies that are made on demand."""
    headers = sum(len(name) + len(value) for name, value in response.headers.items())
    return len(response.body) * 3 // 2 + headers + sum(map(len, key)) + OVERHEAD_BYTES


def caching_responses(application: "WSGIApplication", freshness: Freshness) -> "WSGIApplication":
    """`application` behind a cache of the responses that it marks as CACHEABLE, each for one state of the market.

    The cache does not check who sends the request: it belongs behind the guard.
    """
    cache = ResponseCache()

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return application(environ, start_response)
        key = (environ["PATH_INFO"], environ.get("QUERY_STRING", ""), environ.get("HTTP_ACCEPT", ""))
        if key in cache:
            try:
                present = freshness.present()
            except StoreUnavailable:
                return application(environ, start_response)  # which reports it
            found = cache.get(key, present)
            if found is not None:
                status, headers, body = reply(environ, found, present.max_age)
                start_response(status, headers)
                return (body,)
        answered = application(environ, start_response)
        cacheable = environ.get(CACHEABLE)
        if cacheable is not None:
            cache.put(key, *cacheable)
        return answered

    return answer
