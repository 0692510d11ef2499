import numpy as np

from services.market.stats import metric_stats
from services.store.database.engine import Engine, reading, writing
from services.store.history import prices, samples, volumes
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME
from tests.builders import NOON

T = int(NOON.timestamp())
IDS = np.array([1, 2, 40], dtype=np.int64)


def test_stored_prices_are_read_oldest_first(engine: Engine) -> None:
    with writing(engine) as connection:
        prices.store(connection, T, IDS, np.array([0.1, 2.0, 1e-300]), 60)
        prices.store(connection, T - 60, IDS[:1], np.array([1 / 3]), 60)

    with reading(engine) as connection:
        series = samples.series(connection, PRICE, 1, T - 3600, T)

    assert series.times.tolist() == [T - 60, T]
    assert series.values.tolist() == [1 / 3, 0.1]
    assert series.widths.tolist() == [60, 60]


def test_storing_a_price_twice_changes_nothing(engine: Engine) -> None:
    for price in (1.0, 2.0):
        with writing(engine) as connection:
            prices.store(connection, T, IDS[:1], np.array([price]), 60)

    with reading(engine) as connection:
        assert samples.series(connection, PRICE, 1, T - 60, T).values.tolist() == [1.0]


def test_a_span_excludes_its_start_and_includes_its_end(engine: Engine) -> None:
    with writing(engine) as connection:
        for second in (T - 120, T - 60, T):
            prices.store(connection, second, IDS[:1], np.array([float(second)]), 60)

    with reading(engine) as connection:
        assert samples.series(connection, PRICE, 1, T - 120, T - 60).times.tolist() == [T - 60]
        assert samples.series(connection, PRICE, 1, T, T + 600).times.tolist() == []


def test_history_of_a_few_metrics_is_read_in_runs_of_adjacent_numbers(engine: Engine) -> None:
    statistics = metric_stats.empty(np.array([1, 2, 3, 900], dtype=np.int64))
    with writing(engine) as connection:
        for back in (120, 60, 0):
            prices.store(connection, T - back, statistics["id"], statistics["id"] * 10.0 + back, 60)

    with reading(engine) as connection:
        runs = list(prices.read_history(connection, statistics, np.array([0, 3]), T - 120, T))

    assert [run.rows.tolist() for run in runs] == [[0, 0], [3, 3]]
    assert runs[1].prices.tolist() == [9060.0, 9000.0]
    assert runs[1].times.tolist() == [T - 60, T]


def test_prices_of_metrics_without_statistics_are_left_out(engine: Engine) -> None:
    with writing(engine) as connection:
        prices.store(connection, T, IDS, np.array([1.0, 2.0, 3.0]), 60)

    with reading(engine) as connection:
        found = prices.read_all(connection, metric_stats.empty(IDS[1:]), T - 60, T)

    assert found.rows.tolist() == [0, 1]
    assert found.prices.tolist() == [2.0, 3.0]


def test_backfilled_history_keeps_its_widths_and_does_not_replace_stored_samples(engine: Engine) -> None:
    with writing(engine) as connection:
        prices.store(connection, T, IDS[:1], np.array([7.0]), 60)
        times = np.array([T - 300, T], dtype=np.int64)
        prices.store_history(connection, 1, times, np.array([5.0, 6.0]), np.array([300, 300]))

    with reading(engine) as connection:
        series = samples.series(connection, PRICE, 1, T - 600, T)
    assert series.values.tolist() == [5.0, 7.0]
    assert series.widths.tolist() == [300, 60]


def test_a_volume_that_was_not_reported_is_not_stored(engine: Engine) -> None:
    with writing(engine) as connection:
        volumes.store(connection, T, IDS, np.array([5.5, np.nan, 0.0]))

    with reading(engine) as connection:
        assert samples.series(connection, VOLUME, 1, T - 60, T).values.tolist() == [5.5]
        assert samples.series(connection, VOLUME, 2, T - 60, T).values.tolist() == []
        assert samples.series(connection, VOLUME, 40, T - 60, T).values.tolist() == [0.0]


def test_readers_see_nothing_of_a_transaction_that_fails(engine: Engine) -> None:
    class Broken(Exception):
        pass

    try:
        with writing(engine) as connection:
            prices.store(connection, T, IDS, np.array([1.0, 2.0, 3.0]), 60)
            raise Broken
    except Broken:
        pass

    with reading(engine) as connection:
        assert samples.series(connection, PRICE, 1, T - 60, T).times.tolist() == []
