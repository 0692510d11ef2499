import numpy as np
import pytest
from sqlalchemy import Table, select

from services.store.database import copy_format
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import Base
from services.store.history import prices, samples
from tests.builders import NOON

T = int(NOON.timestamp())
PRICE = Base.metadata.tables["price"]


@pytest.mark.parametrize("table", [PRICE, Base.metadata.tables["volume"]], ids=lambda table: table.name)
def test_encoding_columns_gives_the_same_bytes_as_encoding_rows(table: Table) -> None:
    columns = [[T, T + 60, 2**62], [1, 2, 2**31 - 1], [0.1, 5e-324, 1.7e308], [60, 300, 1]][: len(table.columns)]

    assert copy_format.encode_columns(table, columns) == copy_format.row_encoder(table)(zip(*columns, strict=True))


def test_existing_rows_stay_and_new_rows_are_inserted(engine: Engine) -> None:
    with writing(engine) as connection:
        prices.store(connection, T, np.array([2]), np.array([1.0]), 60)
        prices.store(connection, T, np.array([1, 2, 3]), np.array([7.0, 8.0, 9.0]), 60)
        samples.insert(connection, PRICE, ([T, T + 60], [3, 3], [5.0, 6.0], [60, 60]))

    with reading(engine) as connection:
        found = connection.execute(select(PRICE.c.metric_id, PRICE.c.price).order_by(PRICE.c.minute, PRICE.c.metric_id))
        assert found.all() == [(1, 7.0), (2, 1.0), (3, 9.0), (3, 6.0)]
