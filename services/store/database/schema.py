"""The schema, brought up to date by Alembic."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, insert, select

from services.market.errors import StoreUnavailable, TrackerError
from services.store.database.engine import COMMAND_TIMEOUTS, reading, writing
from services.store.database.models import InstallationRow, SnapshotRow, StatisticsRow
from services.store.database.sqlite_file import create_file

MIGRATIONS = Path(__file__).parents[3] / "migrations"

LOCK_SECONDS = 600.0
"""How long a migration waits for another process, which may be migrating the same database."""


class WrongDatabase(TrackerError):
    """The database holds prices of the other kind: real ones and simulated ones are never mixed."""


class OutdatedDatabase(TrackerError):
    """The database is at the schema of another version of this program, or has none at all."""


def migrate(engine: Engine, *, simulated: bool, lock_seconds: float = LOCK_SECONDS) -> None:
    """Bring the database to this program's schema, and mark a new one as real or simulated.

    All in one transaction: a second process waits and finds nothing to do, and one that is killed halfway has changed
    nothing. On PostgreSQL it waits `lock_seconds` for other writers. Raises WrongDatabase, OutdatedDatabase (of a newer
    program) or StoreUnavailable.
    """
    create_file(engine)
    with _migrating(), writing(engine, replace(COMMAND_TIMEOUTS, lock_seconds=lock_seconds)) as connection:
        try:
            command.upgrade(configuration(connection), "head")
        except CommandError as error:
            raise OutdatedDatabase(
                f"DATABASE_URL: a newer version of this program made the database: {error}"
            ) from error
        marked = connection.execute(select(InstallationRow.simulated)).scalar()
        if marked is None:
            connection.execute(insert(InstallationRow).values(id=1, simulated=simulated, identity=uuid4().hex))
            empty = {"revision": 0, "catalogue": 0, "minute": None, "window_seconds": 0, "rule_seconds": 0}
            connection.execute(insert(SnapshotRow).values(id=1, **empty))
            connection.execute(insert(StatisticsRow).values(id=1, array=b""))
        elif marked != simulated:
            kind = ("real", "simulated") if simulated else ("simulated", "real")
            raise WrongDatabase(
                f"DATABASE_URL: this database holds {kind[0]} prices and TRACK asks for {kind[1]} ones;"
                " they are never mixed, so give each a database of its own"
            )


@contextmanager
def _migrating() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(f"the database was not brought to this program's schema: {error}") from error


def identity(engine: Engine) -> str:
    """A name of this database alone, different from that of any copy elsewhere, from which nothing can be derived.

    Raises StoreUnavailable.
    """
    url = engine.url
    at = (url.host, url.port, url.database, url.query.get("host"))
    if url.get_backend_name() == "sqlite":
        at = (socket.gethostname(), None, str(Path(url.database or "").absolute()), None)
    with reading(engine) as connection:
        own = connection.execute(select(InstallationRow.identity)).scalar_one()
    return hashlib.blake2b(repr((own, *at)).encode(), digest_size=12).hexdigest()


def require_current(connection: Connection) -> None:
    """Raise OutdatedDatabase unless the database is at this program's schema: for what reads without migrating."""
    if not is_current(connection):
        raise OutdatedDatabase(
            "DATABASE_URL: the database is not at this program's schema; `python app.py migrate` brings it there"
        )


def is_current(connection: Connection) -> bool:
    """Whether the database is at this program's schema."""
    head = ScriptDirectory.from_config(configuration(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def configuration(connection: object) -> Config:
    """Alembic's configuration for work on one open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
