from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
from sqlalchemy import func, select

from services.market.stats import metric_stats
from services.market.types import Hours, Series
from services.store import sizes
from services.store.database.engine import Connection, Engine, writing
from services.store.database.models import MetricRow, PriceChunkRow, RollupRow, SpanRow, VolumeChunkRow
from services.store.history import prices, retention, rollups, samples, sealing, volumes
from services.store.history.bulk_rows import SampleColumns
from services.store.history.prices import PRICE
from services.store.history.sealing import SealStep
from services.store.history.volumes import VOLUME

SPAN = 6 * 3600
T = 1_800_000_000 // 86_400 * 86_400
"""The start of a span."""
FAR = T + 400 * 86_400


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection to a database with three metrics."""
    with writing(engine) as connection:
        for number, base in enumerate(("BTC", "ETH", "SOL"), 1):
            connection.execute(
                MetricRow.__table__.insert().values(
                    id=number, market="kraken", base=base, quote="USD", tracked=True, active=True, added_at=T
                )
            )
        yield connection


def price_of(metric_id: int, second: int) -> float:
    return metric_id * 100 + (second - T) / 7


def fill(connection: Connection, since: int, until: int, ids: tuple[int, ...] = (1, 2, 3), step: int = 60) -> None:
    """Store a price and a volume every `step` seconds in (since, until]."""
    numbers = np.array(ids, dtype=np.int64)
    for second in range(since + step, until + 1, step):
        values = np.array([price_of(number, second) for number in ids])
        prices.store(connection, second, numbers, values, step)
        volumes.store(connection, second, numbers, values * 2)


def seal_all(connection: Connection, before: int = FAR, most: int = 100_000, period: int = 60) -> list[SealStep]:
    steps = []
    while (step := sealing.next_step(connection, before, period, most)) is not None:
        sealing.seal(connection, step)
        steps.append(step)
    return steps


def count(connection: Connection, table: type) -> int:
    return cast(int, connection.execute(select(func.count()).select_from(table)).scalar_one())


def same(first: Series | SampleColumns | Hours, second: Series | SampleColumns | Hours) -> bool:
    names = type(first).__dataclass_fields__
    return all(np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True) for name in names)


@pytest.mark.parametrize(
    ("period", "hours"), [(5, 1), (10, 1), (11, 2), (60, 6), (300, 24), (3600, 24)], ids=lambda value: str(value)
)
def test_a_span_is_about_360_periods_in_full_hours_up_to_a_day(period: int, hours: int) -> None:
    assert sealing.span_seconds(period) == hours * 3600


def test_every_reader_gets_the_same_before_and_after_sealing(connection: Connection) -> None:
    fill(connection, T, T + 2 * SPAN + 1800)
    statistics = metric_stats.empty(np.array([1, 3], dtype=np.int64))
    questions = [
        (T, T + 2 * SPAN + 1800),
        (T + SPAN - 120, T + SPAN + 120),
        (T + 60, T + 61),
        (T - 60, T),
        (FAR, FAR + 1),
    ]

    def answers() -> list[Series | SampleColumns | Hours]:
        found: list[Series | SampleColumns | Hours] = []
        for since, until in questions:
            found += [samples.series(connection, PRICE, number, since, until) for number in (1, 2, 3)]
            found.append(samples.series(connection, VOLUME, 2, since, until))
            between = prices.read_all(connection, statistics, since, until)
            found.append(SampleColumns(between.times, between.rows, between.prices, between.widths))
            found.append(samples.read_range(connection, PRICE, 2, 3, since, until))
        found.append(rollups.series(connection, 2, T, T + 13 * 3600))
        return found

    before = answers()
    seal_all(connection, before=T + 2 * SPAN)

    assert len(before[0].times) == 2 * 360 + 30
    assert count(connection, PriceChunkRow) == count(connection, VolumeChunkRow) == 6
    left = range(T + 2 * SPAN + 60, T + 2 * SPAN + 1801, 60)
    assert samples.row_series(connection, PRICE, 1, T, FAR).times.tolist() == list(left)
    assert all(same(old, new) for old, new in zip(before, answers(), strict=True))


def test_only_whole_spans_that_no_window_needs_are_sealed(connection: Connection) -> None:
    fill(connection, T, T + SPAN)

    assert sealing.next_step(connection, T + SPAN - 1, 60, 1000) is None
    assert count(connection, SpanRow) == 0
    assert sealing.sealed_until(connection) is None
    seal_all(connection, before=T + SPAN)
    assert sealing.sealed_until(connection) == T + SPAN
    assert samples.row_series(connection, PRICE, 1, 0, FAR).times.tolist() == []


def test_an_empty_database_needs_no_sealing(connection: Connection) -> None:
    assert sealing.next_step(connection, FAR, 60, 1000) is None


def test_a_span_is_sealed_in_steps_of_a_few_metrics(connection: Connection) -> None:
    fill(connection, T, T + SPAN)

    steps = seal_all(connection, most=360)

    assert [(step.start, step.first, step.last, step.ends) for step in steps] == [
        (T, 1, 1, False),
        (T, 2, 2, False),
        (T, 3, 3, True),
    ]
    assert [price_of(3, T + 60)] == samples.series(connection, PRICE, 3, T, T + 60).values.tolist()


def test_sealing_resumes_in_the_middle_of_a_span(connection: Connection) -> None:
    fill(connection, T, T + SPAN)
    whole = samples.series(connection, PRICE, 2, T, T + SPAN)
    sealing.seal(connection, cast(SealStep, sealing.next_step(connection, FAR, 60, 360)))
    killed = connection.begin_nested()
    sealing.seal(connection, cast(SealStep, sealing.next_step(connection, FAR, 60, 360)))
    killed.rollback()

    assert same(samples.series(connection, PRICE, 2, T, T + SPAN), whole)
    assert count(connection, PriceChunkRow) == 1
    assert sealing.next_step(connection, FAR, 60, 360) == SealStep(T, T + SPAN, 2, 2, False)


def test_samples_added_to_a_sealed_span_are_sealed_into_its_chunks(connection: Connection) -> None:
    fill(connection, T, T + 7200)
    seal_all(connection)
    late = np.array([T + 60, T + 10_800], dtype=np.int64)
    prices.store_history(connection, 1, late, np.array([1e6, 5.0]), np.array([60, 300]))

    before = samples.series(connection, PRICE, 1, T, T + SPAN)
    assert (before.times[-1], before.values[-1]) == (T + 10_800, 5.0)
    assert before.values[0] == price_of(1, T + 60)
    assert [step.start for step in seal_all(connection)] == [T]

    assert same(samples.series(connection, PRICE, 1, T, T + SPAN), before)
    assert samples.row_series(connection, PRICE, 1, 0, FAR).times.tolist() == []
    assert count(connection, PriceChunkRow) == 3
    assert rollups.series(connection, 1, T, T + SPAN).close[-1] == 5.0
    assert len(samples.series(connection, PRICE, 2, T, T + SPAN).times) == 120


def test_spans_of_another_period_begin_where_the_earlier_ones_end(connection: Connection) -> None:
    fill(connection, T, T + 3600, step=10)
    seal_all(connection, before=T + 3600, period=10)
    fill(connection, T + 3600, T + SPAN)
    fill(connection, T - 60, T)
    steps = seal_all(connection)

    assert [(step.start, step.until) for step in steps] == [(T - SPAN, T), (T + 3600, T + SPAN)]
    assert len(samples.series(connection, PRICE, 1, T - SPAN, T + SPAN).times) == 1 + 360 + 300


def test_a_span_ends_where_an_existing_one_begins(connection: Connection) -> None:
    fill(connection, T + 3600, T + 7200, step=10)
    seal_all(connection, period=10)
    fill(connection, T, T + 3600)

    assert [(step.start, step.until) for step in seal_all(connection)] == [(T, T + 3600)]


def test_hours_combine_rollups_and_rows(connection: Connection) -> None:
    fill(connection, T, T + SPAN + 5400)
    seal_all(connection, before=T + SPAN)

    hours = rollups.series(connection, 1, T + 3600, T + 8 * 3600)

    assert hours.starts.tolist() == [T + 3600 * number for number in range(1, 8)]
    assert hours.count.tolist() == [60] * 6 + [30]
    assert hours.open.tolist() == [price_of(1, start + 60) for start in hours.starts.tolist()]
    assert hours.close.tolist()[:6] == [price_of(1, start + 3600) for start in hours.starts.tolist()[:6]]
    assert hours.volume[0] == 2 * price_of(1, T + 7200)
    assert hours.mean[0] == pytest.approx(np.mean([price_of(1, T + 3600 + 60 * n) for n in range(1, 61)]))


def test_retention_removes_whole_spans_in_steps_and_keeps_the_rollups(connection: Connection) -> None:
    fill(connection, T, T + 2 * SPAN)
    seal_all(connection)
    assert retention.remove(connection, T + SPAN - 1, 2) == 0

    removed = []
    while step := retention.remove(connection, T + SPAN, 2):
        removed.append(step)

    assert removed == [2, 1, 2, 1]
    assert samples.series(connection, PRICE, 1, T, FAR).times[0] == T + SPAN + 60
    assert samples.series(connection, VOLUME, 1, T, FAR).times[0] == T + SPAN + 60
    assert rollups.series(connection, 1, T, FAR).starts[0] == T
    assert count(connection, RollupRow) == 6


def test_retention_waits_for_a_span_that_is_being_sealed(connection: Connection) -> None:
    fill(connection, T, T + SPAN)
    sealing.seal(connection, cast(SealStep, sealing.next_step(connection, FAR, 60, 360)))

    assert retention.remove(connection, FAR, 10) == 0


def test_the_database_size_is_stored_once_an_hour(connection: Connection) -> None:
    for second in (T, T + 60, T + 3599):
        sizes.record(connection, second)
        fill(connection, second - 600, second)
    size = sizes.current(connection)

    assert size > 0
    assert sizes.growth(connection, T + 86_400 + 60, size + 4096) == 4096 + size - size_at(connection, T)
    assert sizes.growth(connection, T + 86_399, size) is None
    assert sizes.growth(connection, T + 86_400 + 7 * 3600, size) is None


def test_sizes_are_listed_for_thirty_days_oldest_first(connection: Connection) -> None:
    assert sizes.history(connection, T).times.shape == (0,)
    for hour in (0, 2, 1):
        sizes.record(connection, T + hour * 3600)

    found = sizes.history(connection, T + 7200)

    assert found.times.tolist() == [T, T + 3600, T + 7200]
    assert found.bytes.tolist() == [size_at(connection, second) for second in (T, T + 3600, T + 7200)]
    assert sizes.history(connection, T + 30 * 86_400 + 3600).times.tolist() == [T + 7200]


def size_at(connection: Connection, second: int) -> int:
    from services.store.database.models import SizeRow

    return cast(int, connection.execute(select(SizeRow.bytes).where(SizeRow.at == second)).scalar_one())


def test_rollups_of_removed_samples_are_retained_when_fewer_samples_are_sealed_later(connection: Connection) -> None:
    fill(connection, T, T + SPAN)
    seal_all(connection)
    before = rollups.series(connection, 1, T, T + SPAN)
    assert retention.remove(connection, T + SPAN, limit=10) == 3
    late = np.arange(T + 3_900, T + 7_201, 300, dtype=np.int64)
    prices.store_history(connection, 1, late, np.full(len(late), 7.0), np.full(len(late), 300))
    assert same(rollups.series(connection, 1, T, T + SPAN), before)

    assert len(seal_all(connection)) == 1

    assert samples.series(connection, PRICE, 1, T, T + SPAN).times.tolist() == late.tolist()
    assert same(rollups.series(connection, 1, T, T + SPAN), before)


def test_a_rollup_is_updated_when_more_samples_of_its_hour_are_found(connection: Connection) -> None:
    fill(connection, T + 1_800, T + SPAN, ids=(1,))
    seal_all(connection)
    retention.remove(connection, T + SPAN, limit=10)
    times = np.arange(T + 60, T + 3_601, 60, dtype=np.int64)
    prices.store_history(connection, 1, times, np.full(60, 7.0), np.full(60, 60))

    for sealed in (False, True):
        if sealed:
            seal_all(connection)
        found = rollups.series(connection, 1, T, T + SPAN)
        assert found.count.tolist() == [60] * 6
        assert (found.high[0], found.close[0]) == (7.0, 7.0)
        assert found.close[1:].tolist() == [price_of(1, T + 3_600 * hour) for hour in range(2, 7)]


def test_an_hour_that_is_partly_sealed_is_read_in_full(connection: Connection) -> None:
    fill(connection, T, T + 1_800, ids=(1,))
    seal_all(connection)
    times = np.arange(T + 1_860, T + 3_601, 60, dtype=np.int64)
    prices.store_history(connection, 1, times, np.full(30, 7.0), np.full(30, 60))

    found = rollups.series(connection, 1, T, T + 3_600)

    assert (found.count.tolist(), found.open.tolist()) == ([60], [price_of(1, T + 60)])
    assert (found.low.tolist(), found.close.tolist()) == ([7.0], [7.0])


def test_every_reader_returns_a_sample_once_that_is_both_sealed_and_a_row(connection: Connection) -> None:
    fill(connection, T, T + 7_200)
    seal_all(connection)
    statistics = metric_stats.empty(np.array([1, 2, 3], dtype=np.int64))

    def answers() -> list[Series | SampleColumns | Hours]:
        within = prices.read_all(connection, statistics, T, T + SPAN)
        history = next(prices.read_history(connection, statistics, np.array([0, 1]), T, T + SPAN))
        return [
            samples.series(connection, PRICE, 1, T, T + SPAN),
            samples.read_range(connection, PRICE, 1, 1, T, T + SPAN),
            samples.read_all(connection, PRICE, T, T + SPAN),
            SampleColumns(within.times, within.rows, within.prices, within.widths),
            SampleColumns(history.times, history.rows, history.prices, history.widths),
            rollups.series(connection, 1, T, T + SPAN),
        ]

    before = answers()
    for second in (T + 60, T + 3_000):  # as an older version stored them, which checked rows only
        prices.store(connection, second, np.array([1]), np.array([1e6]), 300)

    assert all(same(old, new) for old, new in zip(before, answers(), strict=True))


def test_a_backfilled_sample_that_is_already_sealed_is_not_stored_again(connection: Connection) -> None:
    fill(connection, T, T + 7_200)
    seal_all(connection)
    times = np.array([T + 60, T + 90, T + 7_200], dtype=np.int64)
    prices.store_history(connection, 1, times, np.array([1e6, 5.0, 1e6]), np.array([60, 30, 60]))

    assert samples.row_series(connection, PRICE, 1, T, FAR).times.tolist() == [T + 90]


def test_a_sealed_price_that_is_replaced_is_removed_from_its_chunk(connection: Connection) -> None:
    fill(connection, T, T + 7_200)
    seal_all(connection)
    gone = np.array([T + 60, T + 7_200], dtype=np.int64)

    samples.remove(connection, PRICE, 1, gone)
    prices.store_history(connection, 1, gone, np.array([7.0, 8.0]), np.array([60, 60]))

    for sealed in (False, True):
        if sealed:
            seal_all(connection)
        found = samples.series(connection, PRICE, 1, T, T + SPAN)
        assert len(found.times) == 120
        assert (found.values[0], found.values[-1]) == (7.0, 8.0)
        assert samples.series(connection, PRICE, 2, T, T + SPAN).values[0] == price_of(2, T + 60)
    assert rollups.series(connection, 1, T, T + SPAN).close.tolist() == [price_of(1, T + 3_600), 8.0]


def test_a_chunk_without_samples_is_deleted(connection: Connection) -> None:
    fill(connection, T, T + 120)
    seal_all(connection)
    samples.remove(connection, PRICE, 1, np.array([T + 60, T + 120], dtype=np.int64))

    assert count(connection, PriceChunkRow) == 2
    assert samples.series(connection, PRICE, 1, T, T + SPAN).times.tolist() == []
