"""Look-ups of host names that end: the system's own has no time-out, and no library here gives it one."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Lock
from typing import Any

from services.concurrency.deadline import DeadlineExceeded, ThreadPerCall, result_within

SECONDS = 8.0
"""How long a name server is waited for: longer than the system waits for the first of several (five)."""

MAX_UNDER_WAY = 16
"""Look-ups that have not ended, whether anybody still waits for them or not."""

Found = list[tuple[Any, ...]]

_THREADS = ThreadPerCall("look-up")


class Resolver:
    """Takes the place of socket.getaddrinfo: raises gaierror where `ask`, the system's own, has not answered in time.

    Each look-up has a thread, which nobody waits for any longer when its time is over; those who ask the same share
    one, and of all together there are not more than `most`.
    """

    def __init__(self, ask: Callable[..., Any], seconds: float = SECONDS, most: int = MAX_UNDER_WAY) -> None:
        self._ask, self._seconds, self._most = ask, seconds, most
        self.forget()
        if hasattr(os, "register_at_fork"):  # Windows does not fork
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Let go of what is under way: a process that was forked has none of its parent's threads."""
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
            if len(self._under_way) >= self._most:
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
    """Have all of this process's look-ups end, whichever library asks: those for databases, exchanges, receivers."""
    if not isinstance(socket.getaddrinfo, Resolver):
        socket.getaddrinfo = Resolver(socket.getaddrinfo)


def _is_address(host: Any) -> bool:
    try:
        ip_address(host.partition("%")[0] if isinstance(host, str) else host.decode("ascii", "replace"))
    except ValueError:
        return False
    return True
