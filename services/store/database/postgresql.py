"""PostgreSQL's connections: nobody waits for a server that has stopped answering.

A server that hangs (frozen, paged out, its disk gone) still acknowledges all that it is sent, for the kernel does that;
and what it should end by itself, by statement_timeout, it does not end. So a connection whose server is silent for a
while has somebody ask whether it answers others: a new connection is made, which any server that works at all answers
within seconds, however long it has to work for the statement.
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
"""After so long without a word from the server somebody asks whether it answers at all."""

ANSWER_SECONDS = 3
"""What it gets to answer that; whole seconds, two at least."""

PAUSE_SECONDS = 0.5
"""Between two questions to a server that does not answer."""

STATEMENT_MARGIN_SECONDS = 5.0
"""What the server gets beyond the statement's own time to say that this is over."""

NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds
}
"""libpq's, where the URL says nothing else: how long a connection is tried, and when one whose other end has vanished
is given up (after 25 s of silence, or 15 s where something was sent)."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a transaction waits for its server, in seconds; None: without end."""

    statement_seconds: float | None = 60.0
    """For one statement of a server that answers others."""
    silent_seconds: float = 0.0
    """For one that is known not to answer anybody."""
    lock_seconds: float | None = None
    """For another writer, or for a table that is being altered; None: as long as usual."""
    idle_seconds: float | None = 60.0
    """What the server waits for this process between two statements: one that is stopped in the middle would keep all
    other writers out."""


DEFAULT_TIMEOUTS = Timeouts()
"""Pages and messages: they are tried again anyway."""

MAINTENANCE_TIMEOUTS = Timeouts(statement_seconds=600.0, idle_seconds=120.0)
"""Ticks, of which the first reads the whole window, and steps of sealing and removing: on a big database, or a slow
machine, they take what they take, and trying again would not make them shorter."""

COMMAND_TIMEOUTS = Timeouts(statement_seconds=None, silent_seconds=300.0, idle_seconds=None)
"""Hours of work that a hiccup must not undo: exports, moves, migrations."""


class ServerWatch:
    """Whether the server that `connect` reaches answers, asked by one thread on behalf of all that wait for it."""

    def __init__(self, connect: Callable[[], Any], timer: Callable[[], float] = time.monotonic) -> None:
        self._connect, self._timer = connect, timer
        self._lock = Lock()
        self._is_asking = False
        self._silent_since: float | None = None
        self._closed = Event()

    @property
    def silent_seconds(self) -> float | None:
        """Since when it is known not to answer; None while it answers, as far as is known."""
        since = self._silent_since
        return None if since is None else self._timer() - since

    def suspect(self) -> None:
        """Have somebody ask, unless that is under way; returns at once."""
        with self._lock:
            if self._is_asking:
                return
            self._is_asking = True
            self._closed.clear()
        Thread(target=self._ask, name="postgresql watch", daemon=True).start()

    def close(self) -> None:
        """Ask no more, until somebody suspects it again."""
        self._closed.set()

    def _ask(self) -> None:
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
                self._silent_since, self._is_asking = None, False

    def _answers(self) -> bool:
        """Whether it answers, if only that it takes nobody: an error that comes at once is an answer."""
        began = self._timer()
        try:
            self._connect().close()
        except psycopg.Error:
            return self._timer() - began < SUSPICIOUS_SECONDS
        return True


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is closed when its server does not answer; what waited for it gets an OperationalError."""

    watch: ServerWatch | None = None
    patience = DEFAULT_TIMEOUTS

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg's, of which every wait for the server is one, but no longer than `patience` says."""
        return super().wait(gen if self.watch is None else self._watched(gen, self.watch), interval, timeout)

    def _watched(self, gen: PQGen[T], watch: ServerWatch) -> PQGen[T]:
        began = spoke = time.monotonic()
        seconds = self.patience.statement_seconds
        ends = None if seconds is None else began + seconds + STATEMENT_MARGIN_SECONDS
        try:
            self._require_patience(gen, watch, ends)
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    spoke = time.monotonic()
                else:
                    self._require_patience(gen, watch, ends)
                    if time.monotonic() - spoke >= SUSPICIOUS_SECONDS:
                        watch.suspect()
                        spoke = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as end:
            found: T = end.value
            return found

    def _require_patience(self, gen: PQGen[Any], watch: ServerWatch, ends: float | None) -> None:
        silent = watch.silent_seconds
        if silent is not None and silent >= self.patience.silent_seconds:
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
    """A new connection. One that could not be made in time is closed at once: its error's own traceback would keep the
    socket, and so a session once the server answers again, until Python looks for cycles."""
    try:
        return kind.connect(*arguments, **parameters)
    except psycopg.Error as error:
        clear_frames(error.__traceback__)
        raise


def watch_server(engine: Engine) -> None:
    """Have `engine`, of a PostgreSQL database, make such connections, and none while the server is silent."""
    arguments, parameters = engine.dialect.create_connect_args(engine.url)
    asking = NETWORK | dict(parameters) | {"connect_timeout": ANSWER_SECONDS}
    watch = ServerWatch(lambda: _connect(psycopg.Connection, arguments, asking))

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
