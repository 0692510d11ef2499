"""Bulk reads equal a plain SELECT bit for bit, whether or not all minutes hold the same metrics."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from services.store.database.engine import Connection, Engine, writing
from services.store.history import bulk_rows, samples
from services.store.history.bulk_rows import ROWS_AT_ONCE, Quantity, SampleColumns
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME
from tests.builders import NOON

FIRST, LAST = 11, 110
MINUTES = 4 * ROWS_AT_ONCE // (LAST - FIRST + 1)
"""Enough for four statements on SQLite, of which all but the first may read values alone."""
START = int(NOON.timestamp())
LATE = START + 60 * (MINUTES // 2)
"""A minute outside the first statement."""

Rows = dict[tuple[int, int], tuple[float, int]]
"""Value and width by minute and metric."""


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as connection:
        yield connection


def uniform_rows() -> Rows:
    """The same metrics in each minute, every eighth left out, with values that use all digits."""
    metrics = [number for number in range(FIRST, LAST + 1) if number % 8]
    values = iter(np.random.default_rng(30).lognormal(0.0, 9.0, MINUTES * len(metrics)).tolist())
    minutes = range(START + 60, START + 60 * MINUTES + 1, 60)
    return {(minute, number): (next(values), 60) for minute in minutes for number in metrics}


def unchanged(stored: Rows) -> None:
    """Leave the rows as they are."""


def remove_one(stored: Rows) -> None:
    del stored[LATE, 50]


def replace_one(stored: Rows) -> None:
    stored[LATE, 56] = stored.pop((LATE, 50))


def replace_one_in_another_minute(stored: Rows) -> None:
    stored[LATE + 60, 56] = stored.pop((LATE, 50))


def add_one(stored: Rows) -> None:
    stored[LATE, 56] = (1 / 3, 60)


def widen_one(stored: Rows) -> None:
    stored[LATE, 50] = (1 / 3, 300)


def replace_one_and_widen_it(stored: Rows) -> None:
    stored[LATE, 50] = (1 / 3, 300)
    stored[LATE, 56] = (1 / 7, 60)


def add_a_late_metric(stored: Rows) -> None:
    for minute in range(START + 60, LATE, 60):
        del stored[minute, 50]


def lengthen_the_period(stored: Rows) -> None:
    for minute, number in list(stored):
        if minute > LATE:
            value, _ = stored.pop((minute, number))
            if minute % 300 == 0:
                stored[minute, number] = (value, 300)


def remove_most(stored: Rows) -> None:
    for minute, number in list(stored):
        if (minute // 60 + number) % 7:
            del stored[minute, number]


def remove_all(stored: Rows) -> None:
    stored.clear()


CHANGES = (
    unchanged,
    remove_one,
    replace_one,
    replace_one_in_another_minute,
    add_one,
    widen_one,
    replace_one_and_widen_it,
    add_a_late_metric,
    lengthen_the_period,
    remove_most,
    remove_all,
)


def store(connection: Connection, quantity: Quantity, stored: Rows) -> None:
    minutes, numbers = [minute for minute, _ in stored], [number for _, number in stored]
    values, widths = [value for value, _ in stored.values()], [width for _, width in stored.values()]
    columns = (minutes, numbers, values, widths)[: len(quantity.rows.columns)]
    samples.insert(connection, quantity.rows, columns)


def rows_of(found: SampleColumns) -> list[tuple[int, int, float, int]]:
    assert (found.times.dtype, found.metric_ids.dtype, found.widths.dtype) == (np.int64,) * 3
    columns = (found.times, found.metric_ids, found.values, found.widths)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def expected(
    stored: Rows, first: int, last: int, since: int, until: int, width: bool = True
) -> list[tuple[int, int, float, int]]:
    return [
        (minute, number, value, seconds if width else 0)
        for (minute, number), (value, seconds) in sorted(stored.items())
        if since < minute <= until and first <= number <= last
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_bulk_reads_return_the_stored_rows(connection: Connection, change: Callable[[Rows], None]) -> None:
    stored = uniform_rows()
    change(stored)
    beside = {(START + 60, FIRST - 1): (1.0, 60), (LATE, LAST + 1): (2.0, 60), (START, FIRST): (3.0, 60)}
    store(connection, PRICE, stored | beside)
    until = START + 60 * MINUTES

    assert rows_of(bulk_rows.read_range(connection, PRICE, FIRST, LAST, START, until)) == expected(
        stored, FIRST, LAST, START, until
    )


@pytest.mark.parametrize("change", [unchanged, replace_one, remove_all])
def test_bulk_reads_of_a_quantity_without_widths_return_the_stored_rows(
    connection: Connection, change: Callable[[Rows], None]
) -> None:
    stored = uniform_rows()
    change(stored)
    store(connection, VOLUME, stored)
    until = START + 60 * MINUTES

    found = bulk_rows.read_range(connection, VOLUME, FIRST, LAST, START, until)
    assert rows_of(found) == expected(stored, FIRST, LAST, START, until, width=False)


def test_bulk_reads_return_only_the_given_span_and_metrics(connection: Connection) -> None:
    stored = uniform_rows()
    store(connection, PRICE, stored)

    for first, last, since, until in ((50, 50, START, LATE), (49, 63, LATE - 60, LATE), (200, 300, START, LATE)):
        assert rows_of(bulk_rows.read_range(connection, PRICE, first, last, since, until)) == expected(
            stored, first, last, since, until
        )


def test_bulk_reads_of_some_minutes_return_all_metrics(connection: Connection) -> None:
    stored = uniform_rows()
    widen_one(stored)
    store(connection, PRICE, stored)

    found = bulk_rows.read_all(connection, PRICE, LATE - 120, LATE + 60)
    assert rows_of(found) == expected(stored, FIRST, LAST, LATE - 120, LATE + 60)
    assert rows_of(bulk_rows.read_all(connection, PRICE, LATE + 86_400 * 9, LATE + 86_400 * 10)) == []
