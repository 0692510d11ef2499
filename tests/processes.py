"""Programs that tests start: on free ports, and gone when the tests are."""

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
    """A port for the whole session, also while nothing listens there: the system gives none of these to those who
    ask it for any."""
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
    """For `preexec_fn`: the new process is killed when `parent`, which starts it, ends in whatever way.

    Only Linux can do so; elsewhere None, and a killed test run leaves its servers.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this was arranged
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange


def kill_family(process: psutil.Process) -> None:
    """`kill -9` to the process first, and to all that it had started: nobody gets to say goodbye."""
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
    """The process and all that it had started are stopped, as on a machine that hangs: their sockets still take what
    is sent. They go on in the end, whatever happens."""
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
    """Whether it runs no more; that nobody has asked for its status yet does not matter."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
