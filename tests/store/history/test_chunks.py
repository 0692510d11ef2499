import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.types import Series
from services.store.history import chunks

PRICES = st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False)


def series(times: list[int], values: list[float], width: int = 60) -> Series:
    return Series(
        np.array(times, dtype=np.int64), np.array(values, dtype=np.float64), np.full(len(times), width, dtype=np.int64)
    )


@given(st.lists(st.tuples(st.integers(1, 90_000), PRICES, st.integers(1, 86_400)), min_size=1, max_size=1000))
def test_samples_survive_compression_bit_for_bit(samples: list[tuple[int, float, int]]) -> None:
    gaps, values, widths = (np.array(column) for column in zip(*samples, strict=True))
    series = Series(1_700_000_000 + np.cumsum(gaps), values.astype(np.float64), widths.astype(np.int64))

    found = chunks.decode(chunks.encode(series))

    assert found.values.tobytes() == series.values.tobytes()
    assert found.times.tolist() == series.times.tolist()
    assert found.widths.tolist() == series.widths.tolist()


def test_a_typical_price_takes_less_than_two_bytes() -> None:
    steps = np.random.default_rng(7).integers(-200, 201, 360)
    prices = (600_000 + np.cumsum(steps)) / 10  # price increments of a tenth

    data = chunks.encode(series([60 * number for number in range(1, 361)], prices.tolist()))

    assert len(data) < 2 * 360


def test_a_chunk_of_an_unknown_format_is_refused_with_its_number() -> None:
    with pytest.raises(ValueError, match="format 9; this program reads format 1"):
        chunks.decode(b"\x09" + chunks.encode(series([60], [1.0]))[1:])


def test_the_first_of_two_samples_with_one_time_is_stored() -> None:
    merged = chunks.merged(series([60, 180], [1.0, 3.0]), series([60, 120], [9.0, 2.0], width=300))

    assert merged.times.tolist() == [60, 120, 180]
    assert merged.values.tolist() == [1.0, 2.0, 3.0]
    assert merged.widths.tolist() == [60, 300, 60]
