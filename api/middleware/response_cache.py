"""Answers given a second time without Flask, which takes twice as long to find a route as to send what it answers."""

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
"""Of all answers together: a day's prices by the minute of 400 metrics."""
BYTES_BESIDE = 1_000
"""What an answer takes beside its texts."""

Asked = tuple[str, str, str]
"""Path, query and `Accept` header: all of a request that an answer depends on before it is zipped."""


class ResponseCache:
    """The answers given in one state of the market, by what was asked. For several threads."""

    def __init__(self, most_bytes: int = MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self._shelf: tuple[Present | None, dict[Asked, CachedResponse]] = (None, {})
        self._bytes = 0
        self._lock = Lock()

    def __contains__(self, asked: Asked) -> bool:
        """Whether anything was answered to `asked`, in whatever state."""
        return asked in self._shelf[1]

    def get(self, asked: Asked, present: Present) -> CachedResponse | None:
        """What was answered to `asked` in the state `present`."""
        state, answers = self._shelf
        return answers.get(asked) if state == present else None

    def keep(self, asked: Asked, present: Present, answer: CachedResponse) -> None:
        """Keep `answer`, given in the state `present`; forget those of other states, and all when it is too much."""
        size = _size(asked, answer)
        with self._lock:
            state, answers = self._shelf
            if size > self._most_bytes or (state == present and asked in answers):
                return
            if state != present or self._bytes + size > self._most_bytes:
                answers, self._bytes = {}, 0
                self._shelf = present, answers
            answers[asked] = answer
            self._bytes += size


def _size(asked: Asked, answer: CachedResponse) -> int:
    """The bytes that it may take to keep `answer`, with copies of its body that are zipped when they are asked for."""
    headers = sum(len(name) + len(value) for name, value in answer.headers.items())
    return len(answer.body) * 3 // 2 + headers + sum(map(len, asked)) + BYTES_BESIDE


def caching_responses(application: "WSGIApplication", freshness: Freshness) -> "WSGIApplication":
    """`application`, asked once for each answer that it offers for as long as the market's state is the same.

    Whoever gets this far is answered: it belongs behind the guard.
    """
    kept = ResponseCache()

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return application(environ, start_response)
        asked = (environ["PATH_INFO"], environ.get("QUERY_STRING", ""), environ.get("HTTP_ACCEPT", ""))
        if asked in kept:
            try:
                present = freshness.present()
            except StoreUnavailable:
                return application(environ, start_response)  # says so, in its own way
            found = kept.get(asked, present)
            if found is not None:
                status, headers, body = reply(environ, found, present.max_age)
                start_response(status, headers)
                return (body,)
        told = application(environ, start_response)
        offered = environ.get(CACHEABLE)
        if offered is not None:
            kept.keep(asked, *offered)
        return told

    return answer
