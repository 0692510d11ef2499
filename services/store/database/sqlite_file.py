"""An SQLite database's files while they are open: whether what is open is still what stands at the path.

What is open stays usable when its name is taken away: a deleted file takes in whatever is written and keeps it for
nobody. So each transaction looks first, and a writer once more when it has the lock. Where nothing stands at the path,
what is open is written there again.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from services.market.errors import StoreUnavailable
from services.market.failures import Failures

OWNERS_ONLY = 0o600
"""Of a file that is made: what it holds is nobody else's on this machine. SQLite gives its other files the same."""

RESCUE_SECONDS = 10.0
"""Between two tries to write the file again: each copies all that there is."""

STEP_PAGES = 1_000

MAX_COPIES = 3
"""A copy is made again when somebody has written meanwhile."""

_NAME = "database file"
"""How the log names it."""

_OF_THE_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""Errors that somebody has to see to: neither this program's fault nor that of another one which writes."""

_FILES, _CHANGES, _WRITES, _FAILED = "files", "changes", "writes", "failed"
"""What is noted of a connection: the files that it has open, how many changes it had made before its transaction, and
whether that commits some, or has failed."""

log = logging.getLogger(__name__)

Place = tuple[int, int] | None
"""Device and number of a file, None where there is none."""


class Files(NamedTuple):
    """What a database consists of: its file, the write-ahead log, and the index of that."""

    main: Place
    wal: Place
    shm: Place

    def are_in(self, found: "Files") -> bool:
        """Whether these are among the files `found`; a log may have come since."""
        pairs = zip(self[1:], found[1:], strict=True)
        return self.main == found.main and all(mine is None or mine == there for mine, there in pairs)


@dataclass
class SqliteFile:
    """The files at `path`, an absolute one, for all connections of an engine. For several threads."""

    path: Path
    timer: Callable[[], float] = time.monotonic
    write_error: str | None = None
    """Why nothing can be written now; None where the last one who tried could."""
    _failures: Failures = field(default_factory=Failures)
    _lock: Lock = field(default_factory=Lock)
    _saving: Lock = field(default_factory=Lock)
    _tried_at: float | None = None
    _open: int = 0
    _newest: Files | None = None
    _saved: Files | None = None

    def watch(self, engine: Engine) -> None:
        """See to it that no connection of `engine` is made to anything but what stands at the path."""
        engine.update_execution_options(sqlite_file=self)
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "connect", self._note_open)
        event.listen(engine, "checkout", self._check_out)
        event.listen(engine, "begin", self._require)
        event.listen(engine, "handle_error", self._note_error)
        event.listen(engine, "commit", self._note_commit)
        event.listen(engine, "checkin", self._check_in)
        event.listen(engine, "close", self._note_closed)

    def _require(self, connection: Connection) -> None:
        """Raise StoreUnavailable unless what `connection` has open stands at the path, now that its transaction has
        begun. Who is about to write saves what only open files have: the next one goes on."""
        known: Files = connection.info[_FILES]
        connection.info[_CHANGES] = _raw(connection).total_changes
        found = self._files()
        if known.are_in(found):
            self._failures.ended(_NAME, "is in its place")
            return
        is_same, raw = found.main == known.main, _raw(connection)
        if is_same:
            text = f"the write-ahead log of {self.path.name}, or its index, was deleted or replaced"
        elif self._is_vacant(found):
            text = f"{self.path.name} was deleted, or moved elsewhere"
        else:
            text = f"{self.path.name} was replaced by {_objection(raw, self.path) or 'another file'}"
        self._failures.failed(_NAME, f"{text} ({self.path.parent})", level=logging.ERROR)
        if connection.get_execution_options().get("writing", False) and (is_same or self._is_vacant(found)):
            self._save(raw, known, found)
            text += "; it is saved"
        raise StoreUnavailable(text)

    def _connect(self, _dialect: object, _entry: object, arguments: list[str], options: dict[str, Any]) -> None:
        """Open what is there: to make a file would hide what has become of the one before."""
        with self._lock:
            if self._open == 0:
                self._saved = self._newest = None
            newest, saved = self._newest, self._saved
        if _place(f"{self.path}") is None:
            raise sqlite3.OperationalError(f"there is no file {self.path.name}")
        if saved is not None or (newest is not None and not newest.are_in(self._files())):
            # Beside connections to a log without a name, another one would share that in this process, and in others
            # have one of its own.
            raise sqlite3.OperationalError(f"{self.path.name} was deleted or replaced: it is used again in a moment")
        arguments[:] = [f"{self.path.as_uri()}?mode=rw"]
        options["uri"] = True

    def _note_open(self, raw: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        raw.execute("PRAGMA schema_version")  # which opens the log
        with self._lock:
            entry.info[_FILES] = self._newest = self._files()
            self._open += 1

    def _check_out(self, raw: sqlite3.Connection, entry: ConnectionPoolEntry, _fairy: object) -> None:
        """Give up a connection to what is not at the path any more for a new one, if there is something to go on with.
        One to what is nowhere else is kept, and refused by `_require`."""
        known: Files | None = entry.info.get(_FILES)
        found = self._files()
        if known is None or known.are_in(found) or found.main is None:
            return
        if found.main == known.main:
            if known != self._saved:
                return
        elif _objection(raw, self.path) is not None:
            return
        elif self._newest is None or found.main != self._newest.main:
            text = f"{self.path} was replaced by a file of the same database, which is used now"
            self._failures.failed(_NAME, text)
            self._clear(known)
            with self._lock:
                self._newest = self._files()
        raise DisconnectionError

    def _save(self, raw: sqlite3.Connection, known: Files, found: Files) -> None:
        """Save what only open files have. Raises StoreUnavailable."""
        if not self._saving.acquire(blocking=False):
            raise StoreUnavailable(f"{self.path.name} was deleted: it is just being saved")
        try:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            if found.main != known.main:
                self._write_again(raw, known)
            elif found.wal is None:
                self._empty_log(raw)
            with self._lock:
                self._newest, self._saved = self._files(), known if found.main == known.main else None
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StoreUnavailable(f"{self.path.name} was deleted, and cannot be saved: {reason}") from error
        finally:
            self._saving.release()

    def _empty_log(self, raw: sqlite3.Connection) -> None:
        """Take the open write-ahead log, which has no name any more, into the database."""
        busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreUnavailable(f"the write-ahead log of {self.path.name} was deleted, and is still being read")

    def _write_again(self, raw: sqlite3.Connection, known: Files) -> None:
        now = self.timer()
        if self._tried_at is not None and now - self._tried_at < RESCUE_SECONDS:
            raise StoreUnavailable(f"{self.path.name} was deleted, and cannot be saved; it is tried again")
        self._tried_at = now
        folder = self.path.parent
        if not folder.is_dir():
            folder.mkdir(parents=True, mode=0o700)
        if known.main is not None and folder.stat().st_dev != known.main[0]:
            raise StoreUnavailable(f"{self.path.name} is gone with its disk")  # which may come back
        with TemporaryDirectory(prefix=".data-tracker-", dir=folder) as temporary:
            copy = Path(temporary, self.path.name)
            for _ in range(MAX_COPIES):
                version = raw.execute("PRAGMA data_version").fetchone()
                _copy(raw, copy)
                raw.execute("BEGIN IMMEDIATE")  # from the look on nobody else writes to the open file
                try:
                    if raw.execute("PRAGMA data_version").fetchone() == version:
                        self._give_name(copy, known)
                        self._tried_at = None
                        return
                finally:
                    raw.execute("ROLLBACK")
        raise StoreUnavailable(f"{self.path.name} was deleted, and others kept writing while it was saved")

    def _give_name(self, copy: Path, known: Files) -> None:
        """Have the copy stand at the path, unless another process has been first."""
        if not self._is_vacant(self._files()):
            return
        self.path.unlink(missing_ok=True)
        self._clear(known)
        if self._files() != (None, None, None):
            raise StoreUnavailable(
                f"{self.path.name} was deleted, and the write-ahead log of another file left in its place"
            )
        try:
            os.link(copy, self.path)
        except OSError:  # a file system without links
            copy.rename(self.path)
        _flush(self.path.parent)
        log.warning(
            "%s: it was written again, from what was open of it, %d bytes."
            " Stop the program before you move, replace or delete its database",
            self.path,
            self.path.stat().st_size,
        )

    def _is_vacant(self, found: Files) -> bool:
        """Whether nothing is at the path, or the empty file that tools leave which only wanted to look."""
        try:
            return found.main is None or self.path.stat().st_size == 0
        except FileNotFoundError:
            return True

    def _clear(self, known: Files) -> None:
        """Remove the log, and its index, of a file that is not at the path any more: SQLite would take them for those
        of the one that is."""
        for ending, mine, found in zip(("-wal", "-shm"), known[1:], self._files()[1:], strict=True):
            if found is not None and found == mine:
                Path(f"{self.path}{ending}").unlink(missing_ok=True)

    def _files(self) -> Files:
        return Files(*(_place(f"{self.path}{ending}") for ending in ("", "-wal", "-shm")))

    def _note_error(self, context: Any) -> None:
        error, connection = context.original_exception, context.connection
        if not isinstance(error, sqlite3.Error) or connection is None or connection.invalidated:
            return
        connection.info[_FAILED] = True
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_DISK:
            self.write_error = str(error)

    def _note_commit(self, connection: Connection) -> None:
        connection.info[_WRITES] = _raw(connection).total_changes > connection.info[_CHANGES]

    def _check_in(self, _raw: object, entry: ConnectionPoolEntry) -> None:
        """A commit that has changed something, and has not failed, tells that there is no trouble."""
        failed, writes = entry.info.pop(_FAILED, False), entry.info.pop(_WRITES, False)
        if writes and not failed:
            self.write_error = None

    def _note_closed(self, _raw: object, entry: ConnectionPoolEntry) -> None:
        with self._lock:
            self._open -= entry.info.pop(_FILES, None) is not None


def create_file(engine: Engine) -> None:
    """Make the file of an SQLite database where there is none. Raises StoreUnavailable."""
    file: SqliteFile | None = engine.get_execution_options().get("sqlite_file")
    if file is None:
        return
    try:
        with suppress(FileExistsError):
            os.close(os.open(file.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNERS_ONLY))
    except OSError as error:
        raise StoreUnavailable(f"cannot make {file.path}: {error.strerror}") from error


def write_error(engine: Engine) -> str | None:
    """Why nothing can be written to the database of `engine` now, as far as is known."""
    file: SqliteFile | None = engine.get_execution_options().get("sqlite_file")
    return None if file is None else file.write_error


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _place(path: str) -> Place:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _objection(raw: sqlite3.Connection, path: Path) -> str | None:
    """What is wrong with the file at `path`, for somebody who has used the database that `raw` has open; None where it
    is the same one, as it is or as a backup has it."""
    mine = _mark(raw)
    try:
        # As it stands: the log beside it may still be that of the file before.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as other:
            found = _mark(other)
    except sqlite3.Error:
        found = None
    if found is None:
        return "what is no database of this program"
    if mine is None or found[0] != mine[0]:
        return "another database: restart the program to go on with that"
    if found != mine:
        return "a database of another version: restart the program to go on with that"
    return None


def _mark(raw: sqlite3.Connection) -> tuple[str, str] | None:
    """What a restored backup has in common with the database that it was made of, and its schema."""
    try:
        (identity,) = raw.execute("SELECT identity FROM installation").fetchone()
        (schema,) = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, TypeError):  # no such table, or no row
        return None
    return identity, schema


def _copy(raw: sqlite3.Connection, path: Path) -> None:
    path.unlink(missing_ok=True)
    path.touch(OWNERS_ONLY)
    with closing(sqlite3.connect(path)) as copy:
        raw.backup(copy, pages=STEP_PAGES, sleep=0.0)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    if os.name == "nt":  # where no folder can be opened
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
