"""Watches an SQLite database's files while they are open: they may be deleted, moved or replaced.

An open file stays usable without its name: what is written to a deleted file is lost when it is closed. So each
transaction checks first that the open files are those at the path, and a writer once more when it has the lock. Where
the path is vacant, the open database is written there again.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, cast

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from services.market.errors import StoreUnavailable
from services.market.failures import Failures
from services.store.database.sqlite_copy import OWNERS_ONLY, copy_database, flush_folder
from services.store.database.sqlite_identity import DatabaseFiles, difference, file_id

RESCUE_SECONDS = 10.0
"""The pause between two attempts to write the file again, each of which copies the whole database."""

MAX_COPIES = 3
"""A copy is repeated if another process has written meanwhile."""

_NAME = "database file"
"""Its name in the log."""

_OF_THE_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""Errors that the operator must resolve: caused neither by this program nor by another writer."""

_FILES, _CHANGES, _WRITES, _FAILED = "files", "changes", "writes", "failed"
"""Keys of a connection's info: its open files, its changes before the transaction, whether that commits any, and
whether it has failed."""

log = logging.getLogger(__name__)


@dataclass
class SqliteFile:
    """The files at the absolute `path`, for all connections of an engine. Thread-safe."""

    path: Path
    timer: Callable[[], float] = time.monotonic
    write_error: str | None = None
    """Why nothing can be written now; None if the last attempt succeeded."""
    _failures: Failures = field(default_factory=Failures)
    _lock: Lock = field(default_factory=Lock)
    _saving: Lock = field(default_factory=Lock)
    _tried_at: float | None = None
    _open: int = 0
    _newest: DatabaseFiles | None = None
    _saved: DatabaseFiles | None = None

    def watch(self, engine: Engine) -> None:
        """Let `engine` connect only to the files at the path."""
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
        """Raise StoreUnavailable unless the files that `connection` has open are at the path, now that its transaction
        has begun. A writer first saves what only the open files contain, so that the next one can continue."""
        known: DatabaseFiles = connection.info[_FILES]
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
            text = f"{self.path.name} was replaced by {difference(raw, self.path) or 'another file'}"
        self._failures.failed(_NAME, f"{text} ({self.path.parent})", level=logging.ERROR)
        if connection.get_execution_options().get("writing", False) and (is_same or self._is_vacant(found)):
            self._save(raw, known, found)
            text += "; it is saved"
        raise StoreUnavailable(text)

    def _connect(self, _dialect: object, _entry: object, arguments: list[str], options: dict[str, Any]) -> None:
        """Open an existing file: a new one would hide that the previous one is gone."""
        with self._lock:
            if self._open == 0:
                self._saved = self._newest = None
            newest, saved = self._newest, self._saved
        if file_id(f"{self.path}") is None:
            raise sqlite3.OperationalError(f"there is no file {self.path.name}")
        if saved is not None or (newest is not None and not newest.are_in(self._files())):
            # While connections to a deleted log are open, a new one would share that log in this process, and have
            # another in other processes.
            raise sqlite3.OperationalError(f"{self.path.name} was deleted or replaced: it is used again in a moment")
        arguments[:] = [f"{self.path.as_uri()}?mode=rw"]
        options["uri"] = True

    def _note_open(self, raw: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        raw.execute("PRAGMA schema_version")  # which opens the log
        with self._lock:
            entry.info[_FILES] = self._newest = self._files()
            self._open += 1

    def _check_out(self, raw: sqlite3.Connection, entry: ConnectionPoolEntry, _fairy: object) -> None:
        """Replace a connection to files that are no longer at the path, if the path has a database to continue with.

        A connection to the only copy stays, and `_require` refuses it.
        """
        known: DatabaseFiles | None = entry.info.get(_FILES)
        found = self._files()
        if known is None or known.are_in(found) or found.main is None:
            return
        if found.main == known.main:
            if known != self._saved:
                return
        elif difference(raw, self.path) is not None:
            return
        elif self._newest is None or found.main != self._newest.main:
            text = f"{self.path} was replaced by a file of the same database, which is used now"
            self._failures.failed(_NAME, text)
            self._clear(known)
            with self._lock:
                self._newest = self._files()
        raise DisconnectionError

    def _save(self, raw: sqlite3.Connection, known: DatabaseFiles, found: DatabaseFiles) -> None:
        """Save what only the open files contain. Raises StoreUnavailable."""
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
        """Write the open write-ahead log, which was deleted, into the database."""
        busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreUnavailable(f"the write-ahead log of {self.path.name} was deleted, and is still being read")

    def _write_again(self, raw: sqlite3.Connection, known: DatabaseFiles) -> None:
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
                copy_database(raw, copy)
                raw.execute("BEGIN IMMEDIATE")  # from here on nobody else writes to the open file
                try:
                    if raw.execute("PRAGMA data_version").fetchone() == version:
                        self._give_name(copy, known)
                        self._tried_at = None
                        return
                finally:
                    raw.execute("ROLLBACK")
        raise StoreUnavailable(f"{self.path.name} was deleted, and others kept writing while it was saved")

    def _give_name(self, copy: Path, known: DatabaseFiles) -> None:
        """Move the copy to the path, unless another process was first."""
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
        flush_folder(self.path.parent)
        log.warning(
            "%s: it was written again, from what was open of it, %d bytes."
            " Stop the program before you move, replace or delete its database",
            self.path,
            self.path.stat().st_size,
        )

    def _is_vacant(self, found: DatabaseFiles) -> bool:
        """Whether nothing is at the path, or only the empty file that a tool leaves when it opens one to read."""
        try:
            return found.main is None or self.path.stat().st_size == 0
        except FileNotFoundError:
            return True

    def _clear(self, known: DatabaseFiles) -> None:
        """Remove the log and the index of a file that is no longer at the path: SQLite would take them for those of the
        new file."""
        for ending, own, found in zip(("-wal", "-shm"), known[1:], self._files()[1:], strict=True):
            if found is not None and found == own:
                Path(f"{self.path}{ending}").unlink(missing_ok=True)

    def _files(self) -> DatabaseFiles:
        return DatabaseFiles(*(file_id(f"{self.path}{ending}") for ending in ("", "-wal", "-shm")))

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
        """A successful commit with changes ends the write error."""
        failed, writes = entry.info.pop(_FAILED, False), entry.info.pop(_WRITES, False)
        if writes and not failed:
            self.write_error = None

    def _note_closed(self, _raw: object, entry: ConnectionPoolEntry) -> None:
        with self._lock:
            self._open -= entry.info.pop(_FILES, None) is not None


def create_file(engine: Engine) -> None:
    """Create the file of an SQLite database if there is none. Raises StoreUnavailable."""
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
