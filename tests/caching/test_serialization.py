from dataclasses import fields, is_dataclass
from datetime import UTC

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.caching.serialization import Unreadable, pack, unpack
from services.market.alerting.alerts import Alert
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.status import Status
from services.market.types import Hours, Series
from tests import builders

texts = st.text(max_size=20)
floats = st.floats(allow_nan=False)
moments = st.datetimes(timezones=st.just(UTC))
maybe_number, maybe_text, maybe_moment = st.none() | floats, st.none() | texts, st.none() | moments

metrics = st.builds(
    RankedMetric,
    id=st.integers(1, 2**53),
    market=texts,
    base=texts,
    quote=texts,
    rank=st.none() | st.integers(1),
    rank_1h_ago=st.none() | st.integers(1, 2**31),
    **dict.fromkeys(("price", "stdev", "mean", "volatility", "log_volatility", "average_1h"), maybe_number),
    **dict.fromkeys(("change_1h", "change_24h", "volume_24h"), maybe_number),
    **dict.fromkeys(("range_1h", "range_24h", "high_24h", "low_24h"), maybe_number),
    samples=st.integers(0, 2**40),
    coverage=st.floats(0, 1),
    stale=st.booleans(),
    active=st.booleans(),
    reason=maybe_text,
    **dict.fromkeys(("updated_at", "alerted_at", "new_at"), maybe_moment),
).filter(lambda metric: metric.rank is None or metric.rank < 2**60)
statuses = st.builds(
    builders.status,
    minute=maybe_moment,
    exchanges=st.lists(
        st.builds(builders.exchange_state, texts, error=maybe_text, note=maybe_text, latency_ms=maybe_number),
        max_size=3,
    ).map(tuple),
    backfills=st.lists(st.builds(builders.backfill_state, texts, updated_at=moments), max_size=3).map(tuple),
    ticks=st.lists(
        st.builds(builders.tick_state, minute=moments, late_ms=floats, failed=st.lists(texts, max_size=2).map(tuple)),
        max_size=3,
    ).map(tuple),
    warnings=st.lists(texts, max_size=3).map(tuple),
    storage=st.none() | st.builds(builders.storage, sealed_until=maybe_moment),
)
alerts = st.lists(st.builds(builders.alert, base=texts, price=floats, fired_at=moments), max_size=4).map(tuple)


def same(one: object, other: object) -> bool:
    """Equality that compares arrays by value and treats NaN as equal."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    return one == other


def columns(*dtypes: type) -> st.SearchStrategy[list[np.ndarray]]:
    """Arrays of one length, with NaN and infinity among their numbers."""
    return st.integers(0, 30).flatmap(lambda count: st.tuples(*(arrays.arrays(dtype, count) for dtype in dtypes)))


@given(st.builds(Ranking, st.integers(0, 2**53), maybe_moment, st.lists(metrics, max_size=5).map(tuple)))
def test_a_ranking_survives_the_round_trip(ranking: Ranking) -> None:
    assert unpack(pack(ranking), Ranking) == ranking


@given(statuses)
def test_a_status_survives_the_round_trip(status: Status) -> None:
    assert unpack(pack(status), Status) == status


@given(alerts)
def test_alerts_survive_the_round_trip(fired: tuple[Alert, ...]) -> None:
    assert unpack(pack(fired), tuple[Alert, ...]) == fired


@given(columns(np.int64, np.float64, np.int64).map(lambda found: Series(*found)))
def test_a_series_survives_the_round_trip_bit_for_bit(series: Series) -> None:
    assert same(unpack(pack(series), Series), series)


@given(columns(np.int64, *[np.float64] * 5, np.int64, np.float64).map(lambda found: Hours(*found)))
def test_hours_survive_the_round_trip_bit_for_bit(hours: Hours) -> None:
    assert same(unpack(pack(hours), Hours), hours)


@given(st.integers(0, 9).flatmap(lambda count: arrays.arrays(np.uint8, (count, 24))))
def test_sparklines_survive_the_round_trip_with_their_shape(points: np.ndarray) -> None:
    prices = np.full(len(points), np.nan)
    thumbnails = Sparklines(builders.NOON, np.arange(len(points), dtype=np.int64), points, prices, prices)
    assert same(unpack(pack(thumbnails), Sparklines), thumbnails)


KINDS = (int, Ranking, Sparklines, Status, Series, Hours, tuple[Alert, ...])
RANKING = pack(Ranking(1, builders.NOON, (builders.ranked_metric(),)))
SERIES = pack(builders.series([1.0, 2.0]))


@given(st.binary(max_size=60), st.sampled_from(KINDS[1:]))
def test_other_bytes_are_refused(data: bytes, kind: type) -> None:
    with pytest.raises(Unreadable):
        unpack(data, kind)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", int),
        (b"cos\nsystem\n(S'exit 1'\ntR.", Ranking),
        (b"\x91" * 200_000, Ranking),
        (RANKING[:-1], Ranking),
        (RANKING.replace(b"kraken", b"kra\xffen"), Ranking),
        (RANKING.replace(b"samples", b"simples"), Ranking),
        (RANKING, Status),
        (SERIES.replace(pack((2,)), pack((3,))), Series),
        (SERIES, Hours),
        (pack("7"), int),
    ],
)
def test_truncated_or_foreign_bytes_are_refused(data: bytes, kind: type) -> None:
    with pytest.raises(Unreadable):
        unpack(data, kind)
