"""The identity of an SQLite database: which files are open, and whether another file is the same database."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

FileId = tuple[int, int] | None
"""Device and number of a file, None where there is none."""


class DatabaseFiles(NamedTuple):
    """The files of a database: its main file, the write-ahead log, and the index of that."""

    main: FileId
    wal: FileId
    shm: FileId

    def are_in(self, found: "DatabaseFiles") -> bool:
        """Whether these are among the files `found`, where a log may have been added since."""
        pairs = zip(self[1:], found[1:], strict=True)
        return self.main == found.main and all(own is None or own == other for own, other in pairs)


def file_id(path: str) -> FileId:
    """The identity of the file at `path`."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def difference(raw: sqlite3.Connection, path: Path) -> str | None:
    """How the file at `path` differs from the database that `raw` has open; None where it is the same database, in its
    present state or as a backup of it."""
    own = _fingerprint(raw)
    try:
        # Read without its log, which may still be that of the previous file.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as other:
            found = _fingerprint(other)
    except sqlite3.Error:
        found = None
    if found is None:
        return "what is no database of this program"
    if own is None or found[0] != own[0]:
        return "another database: restart the program to go on with that"
    if found != own:
        return "a database of another version: restart the program to go on with that"
    return None


def _fingerprint(raw: sqlite3.Connection) -> tuple[str, str] | None:
    """The installation, which a database shares with its backups, and the version of its schema."""
    try:
        (identity,) = raw.execute("SELECT identity FROM installation").fetchone()
        (schema,) = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, TypeError):  # no such table, or no row
        return None
    return identity, schema
