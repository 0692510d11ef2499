"""Host name look-ups with a time-out: getaddrinfo has none, and no library in use adds one."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Lock
from typing import Any

from services.concurrency.deadline import DeadlineExceeded, ThreadPerCall, result_within

SECONDS = 8.0
"""The time-out of a look-up: longer than the system waits for the first of several name servers (five seconds)."""

MAX_UNDER_WAY = 16
"""The most unfinished look-ups, including those for which no caller waits any longer."""

Addresses = list[tuple[Any, ...]]

_THREADS = ThreadPerCall("look-up")


class Resolver:
    """Replaces socket.getaddrinfo, given as `getaddrinfo`: raises gaierror when that takes longer than `seconds`.

    Each look-up runs in a thread, which is abandoned after its time-out. Equal look-ups share one thread, and there are
    at most `max_under_way` threads.
    """

    def __init__(
        self, getaddrinfo: Callable[..., Any], seconds: float = SECONDS, max_under_way: int = MAX_UNDER_WAY
    ) -> None:
        self._getaddrinfo, self._seconds, self._max_under_way = getaddrinfo, seconds, max_under_way
        self.forget()
        if hasattr(os, "register_at_fork"):  # Windows does not fork
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Forget the unfinished look-ups: a forked process has none of its parent's threads."""
        self._lock = Lock()
        self._under_way: dict[tuple[Any, ...], Future[Addresses]] = {}

    def __call__(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Addresses:
        query = (host, port, family, type, proto, flags)
        if not host or _is_address(host):
            found: Addresses = self._getaddrinfo(*query)
            return found
        try:
            return result_within(self._seconds, self._look_up(query)).copy()
        except DeadlineExceeded:
            text = f"no name server has answered within {self._seconds:g} s"
            raise socket.gaierror(socket.EAI_AGAIN, text) from None

    def _look_up(self, query: tuple[Any, ...]) -> Future[Addresses]:
        with self._lock:
            running = self._under_way.get(query)
            if running is not None:
                return running
            if len(self._under_way) >= self._max_under_way:
                raise socket.gaierror(socket.EAI_AGAIN, "too many look-ups still wait for a name server")
            started = self._under_way[query] = _THREADS.submit(self._run, *query)
            return started

    def _run(self, *query: Any) -> Addresses:
        try:
            found: Addresses = self._getaddrinfo(*query)
            return found
        finally:
            with self._lock:
                self._under_way.pop(query, None)


def install_resolver() -> None:
    """Give every look-up of this process a time-out, whichever library makes it."""
    if not isinstance(socket.getaddrinfo, Resolver):
        socket.getaddrinfo = Resolver(socket.getaddrinfo)


def _is_address(host: Any) -> bool:
    try:
        ip_address(host.partition("%")[0] if isinstance(host, str) else host.decode("ascii", "replace"))
    except ValueError:
        return False
    return True
