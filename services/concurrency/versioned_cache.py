"""Values remembered for as long as their version holds, and made once however many ask at once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar, cast

T = TypeVar("T")


class VersionedCache:
    """A bounded memory, for several threads. A value is forgotten when another version of it is asked for,
    or when it is the one that nobody has asked for longest."""

    def __init__(self, most: int = 512) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Hashable, Future[Any]]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, version: Hashable, make: Callable[[], T]) -> T:
        """The value of `key` made for `version`. Who comes while it is being made waits for it; an error of
        `make` is raised to all who wait, and not remembered."""
        with self._lock:
            found = self._kept.get(key)
            mine: Future[Any] | None = None
            if found is None or found[0] != version:
                mine = Future()
                self._kept[key] = found = (version, mine)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
        if mine is None:
            return cast(T, found[1].result())
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                if self._kept.get(key) == found:
                    del self._kept[key]
            mine.set_exception(error)
            raise
        mine.set_result(value)
        return value
