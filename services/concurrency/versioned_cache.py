"""Values cached until their version changes, and computed once for all concurrent callers."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar, cast

T = TypeVar("T")


class VersionedCache:
    """At most `max_entries` values, for several threads. A value is dropped when another version of it is asked for, or
    when it is the least recently used."""

    def __init__(self, max_entries: int = 512) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[Hashable, tuple[Hashable, Future[Any]]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, version: Hashable, compute: Callable[[], T]) -> T:
        """The value of `key` at `version`, computed by `compute` unless it is cached. Concurrent callers wait for the
        one that computes; an error of `compute` is raised in all of them, and not cached."""
        with self._lock:
            found = self._entries.get(key)
            computing: Future[Any] | None = None
            if found is None or found[0] != version:
                computing = Future()
                self._entries[key] = found = (version, computing)
                while len(self._entries) > self._max_entries:
                    self._entries.popitem(last=False)
            self._entries.move_to_end(key)
        if computing is None:
            return cast(T, found[1].result())
        try:
            value = compute()
        except BaseException as error:
            with self._lock:
                if self._entries.get(key) == found:
                    del self._entries[key]
            computing.set_exception(error)
            raise
        computing.set_result(value)
        return value
