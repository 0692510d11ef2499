"""A copy of an open SQLite database, flushed to the disk."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

OWNERS_ONLY = 0o600
"""The mode of a new database file: only its owner may read it. SQLite gives its other files the same."""

STEP_PAGES = 1_000
"""Pages copied at once: 4 MB."""


def copy_database(raw: sqlite3.Connection, path: Path) -> None:
    """Copy the open database to a file of its own at `path`, and wait until it is on the disk."""
    path.unlink(missing_ok=True)
    path.touch(OWNERS_ONLY)
    with closing(sqlite3.connect(path)) as copy:
        raw.backup(copy, pages=STEP_PAGES, sleep=0.0)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names of the folder's files are on the disk."""
    if os.name == "nt":  # where no folder can be opened
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
