"""Host name look-ups with a time-out: the system's own has none, and no library in use adds one."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Lock
from typing import Any

from services.concurrency.deadline import DeadlineExceeded, ThreadPerCall, result_within

SECONDS = 8.0
"""How long to wait for a name server: longer than the system waits for the first of several (five)."""

MAX_UNDER_WAY = 16
"""Look-ups that have not ended, whether or not a caller still waits for them."""

Found = list[tuple[Any, ...]]

_THREADS = ThreadPerCall("look-up")


class Resolver:
    """Replaces socket.getaddrinfo: raises gaierror when `ask`, the system's own, has not answered in time.

    Each look-up has a thread, which is no longer waited for when its time is over. Equal look-ups share one thread, and
    there are at most `max_under_way` threads.
    """

    def __init__(self, ask: Callable[..., Any], seconds: float = SECONDS, max_under_way: int = MAX_UNDER_WAY) -> None:
        self._ask, self._seconds, self._max_under_way = ask, seconds, max_under_way
        self.forget()
        if hasattr(os, "register_at_fork"):  # Windows does not fork
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Drop the look-ups under way: a forked process has none of its parent's threads."""
        self._lock = Lock()
        self._under_way: dict[tuple[Any, ...], Future[Found]] = {}

    def __call__(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Found:
        asked = (host, port, family, type, proto, flags)
        if not host or _is_address(host):
            found: Found = self._ask(*asked)
            return found
        try:
            return result_within(self._seconds, self._look_up(asked)).copy()
        except DeadlineExceeded:
            text = f"no name server has answered within {self._seconds:g} s"
            raise socket.gaierror(socket.EAI_AGAIN, text) from None

    def _look_up(self, asked: tuple[Any, ...]) -> Future[Found]:
        with self._lock:
            running = self._under_way.get(asked)
            if running is not None:
                return running
            if len(self._under_way) >= self._max_under_way:
                raise socket.gaierror(socket.EAI_AGAIN, "no name server has answered the look-ups before this one")
            answer = self._under_way[asked] = _THREADS.submit(self._ask_system, *asked)
            return answer

    def _ask_system(self, *asked: Any) -> Found:
        try:
            found: Found = self._ask(*asked)
            return found
        finally:
            with self._lock:
                self._under_way.pop(asked, None)


def bound_look_ups() -> None:
    """Give all look-ups of this process a time-out, whichever library makes them."""
    if not isinstance(socket.getaddrinfo, Resolver):
        socket.getaddrinfo = Resolver(socket.getaddrinfo)


def _is_address(host: Any) -> bool:
    try:
        ip_address(host.partition("%")[0] if isinstance(host, str) else host.decode("ascii", "replace"))
    except ValueError:
        return False
    return True
