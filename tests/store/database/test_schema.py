import shutil
from pathlib import Path

import numpy as np
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from services.store.database.engine import Engine, open_engine, reading, writing
from services.store.database.models import Base
from services.store.database.schema import configuration, identity, migrate
from services.store.history import prices, samples
from services.store.history.prices import PRICE
from tests.builders import NOON


def test_the_migrations_create_the_schema_of_the_models(engine: Engine) -> None:
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_all_migrations_can_be_reverted_and_repeated(engine: Engine) -> None:
    with writing(engine) as connection:
        command.downgrade(configuration(connection), "base")
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}

    migrate(engine, simulated=True)

    with reading(engine) as connection:
        assert set(Base.metadata.tables) <= set(inspect(connection).get_table_names())


def test_each_database_has_its_own_lasting_identity(tmp_path: Path) -> None:
    def opened(name: str, simulated: bool = False) -> str:
        engine = open_engine(f"sqlite:///{tmp_path}/{name}.db")
        migrate(engine, simulated=simulated)
        found = identity(engine)
        engine.dispose()
        return found

    first = opened("first")
    assert opened("first") == first
    assert opened("second") != first

    shutil.copy(tmp_path / "first.db", tmp_path / "copy.db")
    assert opened("copy") != first

    (tmp_path / "first.db").unlink()
    assert opened("first", simulated=True) != first


def test_upgrading_an_older_database_gives_it_an_identity(engine: Engine) -> None:
    with writing(engine) as connection:
        command.downgrade(configuration(connection), "0002")
    migrate(engine, simulated=False)

    with reading(engine) as connection:
        assert len(connection.exec_driver_sql("SELECT identity FROM installation").scalar_one()) == 32


def test_more_rows_than_one_statement_can_hold_are_all_stored(engine: Engine) -> None:
    ids = np.arange(1, 2502, dtype=np.int64)
    with writing(engine) as connection:
        prices.store(connection, int(NOON.timestamp()), ids, ids / 7.0, 60)

    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*), max(metric_id) FROM price").one() == (2501, 2501)
        assert samples.series(connection, PRICE, 2501, 0, int(NOON.timestamp())).values.tolist() == [2501 / 7.0]
