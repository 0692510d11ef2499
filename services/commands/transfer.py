"""`python app.py transfer FILE`: move the contents of an SQLite file to PostgreSQL."""

import argparse
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, String, Table, collate, delete, func, select, text
from sqlalchemy.exc import DatabaseError

from services.commands.output_file import Progress, format_size, progress_bar, run_command
from services.market.errors import StoreUnavailable, TrackerError
from services.settings import read_settings
from services.store.database import copy_format, leases, schema
from services.store.database.engine import COMMAND_TIMEOUTS, database_url, open_engine, open_read_only, reading, writing
from services.store.database.models import Base, InstallationRow, LeaseRow, SizeRow, SnapshotRow, StatisticsRow
from services.store.ranking import snapshots

BATCH_ROWS = 10_000
"""Rows read, sent or checked between two updates of the bar."""

EXCLUDED_TABLES = frozenset((LeaseRow.__tablename__, SizeRow.__tablename__))
"""Tables about the file itself: which process ticks on it, and how large it was."""

_FILLED_BY_MIGRATION = frozenset(
    (InstallationRow.__tablename__, SnapshotRow.__tablename__, StatisticsRow.__tablename__)
)
"""Tables with one row, which the migration inserts."""

_TABLES = tuple(table for table in Base.metadata.sorted_tables if table.name not in EXCLUDED_TABLES)


class CannotTransfer(TrackerError):
    """The databases do not match; neither was changed."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """The numbers of rows and tables in the database now; `existed` if all of them were there before."""

    rows: int
    tables: int
    existed: bool


def transfer(
    path: Path, source: Engine, target: Engine, progress: Progress, *, simulated: bool, now: datetime
) -> TransferResult:
    """Copy the rows of `source`, the SQLite file at `path`, to the PostgreSQL database `target`, with their numbers.

    The source is read in one transaction. The target is written and checked in one transaction too: if the process is
    killed, nothing is written and it may start again; if all rows exist already, they are only checked. Other writers
    wait meanwhile, so that no tracker ticks there. `progress` counts each row twice, when it is sent and when it is
    checked, and shows the table and the bytes sent; `simulated` is what the settings ask for. Raises CannotTransfer,
    WrongDatabase or StoreUnavailable.
    """
    with ExitStack() as stack:
        with _naming(path):
            old = stack.enter_context(reading(source))
            _require_fit(old, path, simulated)
            counts = _counts(old)
        schema.migrate(target, simulated=simulated)
        new = stack.enter_context(writing(target, COMMAND_TIMEOUTS))
        _require_idle(new, now)
        is_new = _is_new(new)
        if not is_new and _counts(new) != counts:
            raise _other_data()
        show = _Steps(progress, 2 * sum(counts.values()))
        for table in _TABLES:
            rows = _rows(old, path, table)
            sent = _fill(new, table, rows, show) if is_new else _digest_of(table, rows, show)
            if _digest_in(new, table, counts[table.name], show) != sent:
                raise _other_data() if not is_new else StoreUnavailable(f"{table.name} did not arrive as it was sent")
        if is_new:
            _set_sequences(old, new)
    return TransferResult(sum(counts.values()), len(_TABLES), existed=not is_new)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Names the file in errors of the source, because there are two databases."""
    try:
        yield
    except StoreUnavailable as error:
        raise CannotTransfer(f"{path}: {error}") from error
    except DatabaseError as error:
        raise CannotTransfer(f"{path}: {error.orig}") from error


def _require_fit(old: Connection, path: Path, simulated: bool) -> None:
    if not schema.is_current(old):
        raise CannotTransfer(
            f"{path}: is not at this program's schema; `python app.py migrate` with DATABASE_URL=sqlite:///{path}"
            " brings it there"
        )
    held = old.execute(select(InstallationRow.simulated)).scalar_one()
    if held != simulated:
        kind = ("simulated", "real") if held else ("real", "simulated")
        raise CannotTransfer(f"{path}: holds {kind[0]} prices and TRACK asks for {kind[1]} ones; they are never mixed")


def _counts(connection: Connection) -> Mapping[str, int]:
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in _TABLES}


def _require_idle(new: Connection, now: datetime) -> None:
    """Raises CannotTransfer if a tracker has the lease; none can take it until the end of the transaction."""
    holder = leases.holder(new, now.timestamp())
    if holder is not None:
        raise CannotTransfer(f"DATABASE_URL: a tracker is at work on this database ({holder}); stop it first")


def _is_new(new: Connection) -> bool:
    """True if the database is unchanged since its migration."""
    others = (table for table in _TABLES if table.name not in _FILLED_BY_MIGRATION)
    return snapshots.revision(new) == 0 and all(new.execute(select(table).limit(1)).first() is None for table in others)


def _other_data() -> CannotTransfer:
    return CannotTransfer("DATABASE_URL: this database has other data already; an empty one is needed")


class _Steps:
    """Counts rows, and bytes in PostgreSQL's format, for the progress bar."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._done, self._total, self._bytes = progress, 0, total, 0

    def add_sent(self, table: Table, rows: int, size: int) -> None:
        self._bytes += size
        self._add(f"{table.name} sent", rows)

    def add_checked(self, table: Table, rows: int) -> None:
        self._add(f"{table.name} checked", rows)

    def _add(self, work: str, rows: int) -> None:
        self._done += rows
        self._progress(self._done, self._total, f"{work}, {format_size(self._bytes)} in all")


def _rows(old: Connection, path: Path, table: Table) -> Iterator[Sequence[Sequence[object]]]:
    """All rows of the file in batches, ascending by key."""
    columns, keys = (", ".join(f'"{column.name}"' for column in some) for some in (table.columns, table.primary_key))
    with _naming(path):
        found = old.exec_driver_sql(f'SELECT {columns} FROM "{table.name}" ORDER BY {keys}')
        yield from found.partitions(BATCH_ROWS)


def _digest_of(
    table: Table,
    batches: Iterator[Sequence[Sequence[object]]],
    show: _Steps,
    write: Callable[[bytes], object] = lambda _data: None,
) -> bytes:
    """The digest of rows in PostgreSQL's format, which are passed to `write`."""
    encode = copy_format.row_encoder(table)
    digest = hashlib.sha256()

    def send(data: bytes) -> None:
        digest.update(data)
        write(data)

    send(copy_format.HEADER)
    for rows in batches:
        data = encode(rows)
        send(data)
        show.add_sent(table, len(rows), len(data))
    send(copy_format.TRAILER)
    return digest.digest()


def _fill(new: Connection, table: Table, batches: Iterator[Sequence[Sequence[object]]], show: _Steps) -> bytes:
    """Replace the rows that the migration made by these. Returns their digest."""
    new.execute(delete(table))
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    with copy_format.copying(new, f'COPY "{table.name}" ({columns}) FROM STDIN (FORMAT BINARY)') as copy:
        digest = _digest_of(table, batches, show, copy.write)
    new.execute(text(f'ANALYZE "{table.name}"'))  # or the first queries would be planned as for an empty table
    return digest


def _digest_in(new: Connection, table: Table, rows: int, show: _Steps) -> bytes:
    """The digest of the target's rows, of which `rows` are expected."""
    keys = (collate(key, "C") if isinstance(key.type, String) else key for key in table.primary_key)
    chosen = select(table).order_by(*keys).compile(new)  # in the order of bytes, which is SQLite's
    digest = hashlib.sha256()
    with copy_format.copying(new, f"COPY ({chosen}) TO STDOUT (FORMAT BINARY)") as copy:
        for number, data in enumerate(copy, 1):  # a row at a time
            digest.update(data)
            if number % BATCH_ROWS == 0 and number <= rows:
                show.add_checked(table, BATCH_ROWS)
    show.add_checked(table, rows % BATCH_ROWS)
    return digest.digest()


def _set_sequences(old: Connection, new: Connection) -> None:
    """Continue the numbers where the file has stopped, so that none is reused."""
    for name, last in old.execute(text("SELECT name, seq FROM sqlite_sequence WHERE seq > 0")).all():
        new.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), last)))


def main(arguments: Sequence[str]) -> int:
    """Move a file to the database of the settings. Returns the exit status."""
    given = _parser().parse_args(arguments)
    return run_command(lambda: _transfer(given.file))


def _transfer(path: Path) -> str:
    settings = read_settings()
    if database_url(settings.database).get_backend_name() != "postgresql":
        raise CannotTransfer("DATABASE_URL: is not PostgreSQL's; set it to the database that the file goes to")
    source = open_read_only(path)
    target = open_engine(settings.database)
    try:
        with progress_bar(" rows") as progress:
            done = transfer(path, source, target, progress, simulated=settings.simulated, now=datetime.now(UTC))
    finally:
        source.dispose()
        target.dispose()
    came = "were there already" if done.existed else "moved"
    return f"{path}: {done.rows:,} rows of {done.tables} tables {came}, complete and checked"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py transfer",
        description="Copy the contents of an SQLite file to the PostgreSQL database of DATABASE_URL. The file stays"
        " unchanged. If interrupted, the command writes nothing and can be run again.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the SQLite database: data/tracker.db")
    return parser
