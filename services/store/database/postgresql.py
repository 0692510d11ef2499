"""Connections to PostgreSQL that do not wait for a server which has stopped answering.

The kernel of a server that hangs (frozen, paged out, its disk gone) still acknowledges what it receives, and the server
does not enforce its own statement_timeout. So when a server has been silent for a while, a thread opens another
connection: a server that works answers that within seconds, however long the statement takes.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from traceback import clear_frames
from typing import Any, TypeVar

import psycopg
from psycopg import OperationalError
from psycopg.abc import PQGen
from sqlalchemy import Engine, event

SUSPICIOUS_SECONDS = 1.0
"""After this long without data from the server, it is probed."""

ANSWER_SECONDS = 3
"""The time limit of a probe: whole seconds, at least two."""

PAUSE_SECONDS = 0.5
"""The pause between two probes of a server that does not answer."""

STATEMENT_MARGIN_SECONDS = 5.0
"""The time that the server gets, after the statement's own time limit, to report that it was exceeded."""

NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
}
"""Settings of libpq, unless the URL sets them: the time limit for connecting, and the time after which a connection
whose other end has vanished is given up (25 s of silence, or 15 s after something was sent)."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a transaction waits for its server, in seconds; None: without limit."""

    statement_seconds: float | None = 60.0
    """For one statement, while the server answers probes."""
    silent_seconds: float = 0.0
    """While the server does not answer probes."""
    lock_seconds: float | None = None
    """For another writer, or for a table that is being altered; None: the default."""
    idle_seconds: float | None = 60.0
    """How long the server waits for this process between two statements: a process that is suspended in a transaction
    would keep all other writers out."""


DEFAULT_TIMEOUTS = Timeouts()
"""For pages and messages, which are tried again anyway."""

MAINTENANCE_TIMEOUTS = Timeouts(statement_seconds=600.0, idle_seconds=120.0)
"""For ticks, the first of which reads the whole window, and for steps of sealing and removing: on a large database or a
slow machine they take long, and a retry would take as long."""

COMMAND_TIMEOUTS = Timeouts(statement_seconds=None, silent_seconds=300.0, idle_seconds=None)
"""For hours of work that a short outage must not undo: exports, transfers, migrations."""


class ServerWatch:
    """Probes the server that `connect` reaches, with one thread for all connections that wait for it."""

    def __init__(self, connect: Callable[[], Any], timer: Callable[[], float] = time.monotonic) -> None:
        self._connect, self._timer = connect, timer
        self._lock = Lock()
        self._is_probing = False
        self._silent_since: float | None = None
        self._closed = Event()

    @property
    def silent_seconds(self) -> float | None:
        """How long it is known not to answer; None while it answers, as far as is known."""
        since = self._silent_since
        return None if since is None else self._timer() - since

    def suspect(self) -> None:
        """Start to probe the server, unless that is under way; returns at once."""
        with self._lock:
            if self._is_probing:
                return
            self._is_probing = True
            self._closed.clear()
        Thread(target=self._probe, name="postgresql watch", daemon=True).start()

    def close(self) -> None:
        """Stop probing until the next `suspect`."""
        self._closed.set()

    def _probe(self) -> None:
        try:
            while not self._answers():
                if self._silent_since is None:
                    log.warning("PostgreSQL: does not answer; asked again until it does")
                    self._silent_since = self._timer()
                if self._closed.wait(PAUSE_SECONDS):
                    return
            if self._silent_since is not None:
                log.info("PostgreSQL: answers again, after %.0f s", self._timer() - self._silent_since)
        finally:
            with self._lock:
                self._silent_since, self._is_probing = None, False

    def _answers(self) -> bool:
        """Whether it answers. A refusal that comes at once is an answer too."""
        began = self._timer()
        try:
            self._connect().close()
        except psycopg.Error:
            return self._timer() - began < SUSPICIOUS_SECONDS
        return True


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is closed when its server does not answer; then a waiting statement raises OperationalError."""

    watch: ServerWatch | None = None
    timeouts = DEFAULT_TIMEOUTS

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """psycopg's wait for the server, limited by `timeouts`."""
        return super().wait(gen if self.watch is None else self._watched(gen, self.watch), interval, timeout)

    def _watched(self, gen: PQGen[T], watch: ServerWatch) -> PQGen[T]:
        began = heard_at = time.monotonic()
        seconds = self.timeouts.statement_seconds
        ends = None if seconds is None else began + seconds + STATEMENT_MARGIN_SECONDS
        try:
            self._check_timeouts(gen, watch, ends)
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard_at = time.monotonic()
                else:
                    self._check_timeouts(gen, watch, ends)
                    if time.monotonic() - heard_at >= SUSPICIOUS_SECONDS:
                        watch.suspect()
                        heard_at = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            found: T = end.value
            return found

    def _check_timeouts(self, gen: PQGen[Any], watch: ServerWatch, ends: float | None) -> None:
        silent = watch.silent_seconds
        if silent is not None and silent >= self.timeouts.silent_seconds:
            text = "PostgreSQL does not answer"
        elif ends is not None and time.monotonic() >= ends:
            text = "PostgreSQL does not answer this connection, though it does others"
        else:
            return
        gen.close()
        self.close()
        raise OperationalError(text)


C = TypeVar("C", bound=psycopg.Connection[Any])


def _connect(kind: type[C], arguments: Any, parameters: dict[str, Any]) -> C:
    """A new connection. If it fails, its socket is closed at once: the error's traceback would keep it open until the
    next garbage collection, and with it a session once the server answers again."""
    try:
        return kind.connect(*arguments, **parameters)
    except psycopg.Error as error:
        clear_frames(error.__traceback__)
        raise


def watch_server(engine: Engine) -> None:
    """Let `engine` open WatchedConnections, and none while its PostgreSQL server does not answer."""
    arguments, parameters = engine.dialect.create_connect_args(engine.url)
    probe_parameters = NETWORK | dict(parameters) | {"connect_timeout": ANSWER_SECONDS}
    watch = ServerWatch(lambda: _connect(psycopg.Connection, arguments, probe_parameters))

    def connect(_dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> WatchedConnection:
        if watch.silent_seconds is not None:
            raise OperationalError("PostgreSQL does not answer")
        began = time.monotonic()
        try:
            made = _connect(WatchedConnection, arguments, NETWORK | parameters)
        except OperationalError:
            if time.monotonic() - began >= SUSPICIOUS_SECONDS:
                watch.suspect()
            raise
        made.watch = watch
        return made

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "engine_disposed", lambda _engine: watch.close())
