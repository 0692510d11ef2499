"""Processes that tests start: on free ports, and ended with the tests."""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.waiting import wait_for

PR_SET_PDEATHSIG = 1

FIRST_LASTING_PORT = 20_000
LASTING_PORTS = 10_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def lasting_port() -> int:
    """A port that stays free for the whole session while nothing listens on it: the system never assigns one of these
    to a program that binds to port 0."""
    for number in range(LASTING_PORTS):
        port = FIRST_LASTING_PORT + (os.getpid() + number) % LASTING_PORTS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("all ports are taken")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def die_with_parent(parent: int) -> Callable[[], None] | None:
    """For `preexec_fn`: the new process is killed when its parent process `parent` ends in any way.

    Only Linux can do so. Elsewhere this is None, and a killed test run leaves its servers behind.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it had ended before the call of prctl
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange


def kill_family(process: psutil.Process) -> None:
    """`kill -9` the process first, and then all of its descendants, so that none can clean up."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    wait_for(lambda: all(map(is_dead, family)), what="their end")


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """Suspend the process and its descendants, as on a machine that hangs: their sockets still accept data. They are
    always resumed at the end."""
    family = [process, *process.children(recursive=True)]
    try:
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        yield
    finally:
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.resume()


def is_dead(process: psutil.Process) -> bool:
    """True when the process has ended, even if its parent has not read its exit status."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
