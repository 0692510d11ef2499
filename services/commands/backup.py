"""`python app.py backup FILE`: the database as one file, copied while the program runs."""

import argparse
import shlex
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from sqlalchemy.engine import URL

from services.commands.output_file import CannotWrite, Progress, atomic_file, progress_bar, run_command
from services.market.errors import StoreUnavailable, TrackerError
from services.settings import read_settings
from services.store.database.engine import Connection, Engine, open_existing, reading
from services.store.database.sqlite_copy import OWNERS_ONLY

STEP_PAGES = 1_000
"""Pages copied in one step, 4 MB. Between two steps the bar moves, and Ctrl-C is handled."""

_SUFFIXES = ("", "-wal", "-shm", "-journal")
"""Suffixes of the files of an SQLite database, added to its name."""


class NotSqlite(TrackerError):
    """The database is PostgreSQL, which has a tool of its own for backups; the text has its command line."""


def back_up(
    engine: Engine, path: Path, progress: Progress, *, force: bool = False, step_pages: int = STEP_PAGES
) -> None:
    """Copy the database, as one transaction sees it, to the file `path`; `progress` counts bytes.

    The copy is checked before it takes its place and needs no other file. Writers are not blocked.
    Raises NotSqlite, CannotWrite or StoreUnavailable.
    """
    if engine.dialect.name != "sqlite":
        raise NotSqlite(f"DATABASE_URL is PostgreSQL's, whose own tool makes the copy: {pg_dump(engine.url, path)}")
    database = Path(engine.url.database or "").resolve()
    if path.resolve() in [database.with_name(database.name + suffix) for suffix in _SUFFIXES]:
        raise CannotWrite(f"{path} belongs to the database itself")
    with atomic_file(path, force=force) as unfinished, reading(engine) as connection:
        try:
            found = _copy(connection, unfinished, progress, step_pages)
        except sqlite3.Error as error:
            raise CannotWrite(f"{path}: {error}") from error
        if found != "ok":
            raise StoreUnavailable(f"no copy was made, for the database is damaged: {found.splitlines()[-1]}")


def _copy(connection: Connection, path: Path, progress: Progress, step_pages: int) -> str:
    """Copy the database to `path`. Returns what SQLite finds wrong with the copy, or `ok`."""
    source = cast(sqlite3.Connection, connection.connection.driver_connection)
    # With a reader's transaction begun, the copy is of its moment. Without, SQLite starts over at every tick.
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    size: int = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    path.touch(OWNERS_ONLY)
    with closing(sqlite3.connect(path)) as copy:
        source.backup(
            copy,
            pages=step_pages,
            progress=lambda _status, left, total: progress((total - left) * size, total * size, ""),
            sleep=0.01,
        )
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, which can be read where nothing can be written
        found: str = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    return found


def pg_dump(url: URL, path: Path) -> str:
    """The command line that copies the PostgreSQL database at `url` to `path`; the password is left out."""
    query = {name: value for name, value in url.query.items() if name != "password"}
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    return shlex.join(["pg_dump", "--format=custom", f"--file={path}", plain.render_as_string()])


def main(arguments: Sequence[str]) -> int:
    """Back up the database of the settings. Returns the exit status."""
    given = _parser().parse_args(arguments)
    return run_command(lambda: _back_up(given.file, given.force))


def _back_up(path: Path, force: bool) -> str:
    engine = open_existing(read_settings().database)
    try:
        with progress_bar("B") as progress:
            back_up(engine, path, progress, force=force)
    finally:
        engine.dispose()
    return f"{path}: {path.stat().st_size:,} bytes, complete and checked"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py backup",
        description="Copy the SQLite database of DATABASE_URL to one file, also while the program runs.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="where the copy goes")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    return parser
