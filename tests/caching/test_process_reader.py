from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event

import pytest

from services.caching.process_reader import CachedReader
from services.market.alerting.alerts import AlertQuery, OpenAlerts
from services.market.errors import StoreUnavailable, UnknownMetric
from services.market.ranking import RankedMetric, Ranking
from tests import builders
from tests.builders import NOON
from tests.fakes import FakeReader, Timer
from tests.waiting import wait_for


@dataclass
class SlowReader(FakeReader):
    """Blocks reads of the ranking until the test releases them."""

    started: Event = field(default_factory=Event)
    may_end: Event = field(default_factory=Event)

    def ranking(self) -> Ranking:
        self.started.set()
        assert self.may_end.wait(10)
        return super().ranking()


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(metrics=(builders.ranked_metric(1), builders.ranked_metric(2, base="ETH")))


@pytest.fixture
def cache(reader: FakeReader, timer: Timer) -> CachedReader:
    return CachedReader(reader, timer)


def test_the_revision_is_read_at_most_four_times_a_second(reader, cache, timer):
    for now, expected in ((0, 7), (0.1, 7), (0.2499, 7), (0.25, 8), (0.4, 8), (0.5, 9)):
        timer.now = 1_000 + now
        assert cache.revision() == expected
        if now in (0.1, 0.4):
            reader.put(*reader.metrics)
    assert reader.calls.count("revision") == 3


def test_a_commit_that_the_status_shows_is_in_the_ranking_at_once(reader, cache):
    assert cache.ranking().revision == cache.status(NOON).revision == 7

    reader.put(reader.metrics[0])

    assert cache.status(NOON + timedelta(seconds=1)).revision == 8
    assert [row.id for row in cache.ranking().metrics] == [1]


def test_the_first_read_does_not_depend_on_the_start_of_the_timer(reader):
    assert CachedReader(reader, Timer(0.0)).revision() == 7


def test_the_ranking_is_read_once_per_revision(reader, cache, timer):
    first = cache.ranking()
    assert all(cache.ranking() is first for _ in range(5))
    assert reader.calls.count("ranking") == 1

    reader.put(builders.ranked_metric(1, price=5.0))
    assert cache.ranking() is first
    timer.now += 0.25
    assert [row.price for row in cache.ranking().metrics] == [5.0]
    assert reader.calls.count("ranking") == 2


@pytest.mark.parametrize("wanted", [2, "kraken:ETH-USD", "KRAKEN:eth-usd"])
def test_a_tracked_metric_is_taken_from_the_ranking(reader, cache, wanted):
    assert cache.metric(wanted).base == "ETH"
    assert cache.metric(wanted).base == "ETH"
    assert reader.calls.count("ranking") == 1
    assert "metric" not in reader.calls


def test_a_metric_is_updated_with_the_revision(reader, cache, timer):
    assert cache.metric(1).price == 60_123.4
    reader.put(builders.ranked_metric(1, price=5.0))
    timer.now += 1
    assert cache.metric("kraken:BTC-USD").price == 5.0


def test_a_metric_outside_the_ranking_is_looked_up(reader, timer):
    class Forgetful(FakeReader):
        def metric(self, wanted: int | str) -> RankedMetric:
            self.calls.append("metric")
            if wanted == 9:
                return builders.ranked_metric(9)
            raise UnknownMetric(wanted)

    reader = Forgetful(metrics=reader.metrics)
    cache = CachedReader(reader, timer)
    assert cache.metric(9).id == 9
    with pytest.raises(UnknownMetric, match="no metric kraken:NO-USD"):
        cache.metric("kraken:NO-USD")


def test_series_and_alerts_are_read_with_all_their_arguments(reader, cache):
    reader.price_series[1] = builders.series([1.0, 2.0, 3.0])
    reader.volume_series[1] = builders.series([4.0, 5.0])
    reader.fired = (
        builders.alert(1, fired_at=NOON - timedelta(hours=2)),
        builders.alert(2, metric_id=2),
        builders.alert(3, fired_at=NOON - timedelta(minutes=1)),
        builders.alert(4, fired_at=NOON),
    )
    since = NOON - timedelta(minutes=1)
    assert cache.prices(1, since, NOON).values.tolist() == [3.0]
    assert cache.volumes(1, since, NOON).values.tolist() == [5.0]
    assert [alert.id for alert in cache.alerts()] == [4, 3, 2, 1]
    assert [alert.id for alert in cache.alerts(AlertQuery(since=NOON - timedelta(hours=1), metric_id=1, limit=1))] == [
        4
    ]
    assert cache.profile is reader.profile


def test_sparklines_of_the_same_metrics_are_read_once_per_revision(reader, cache, timer):
    for _ in range(3):
        assert cache.sparklines((1, 2)).metric_ids.tolist() == [1, 2]
    assert reader.lines_asked == [(1, 2)]
    assert cache.sparklines((2,)).metric_ids.tolist() == [2]
    reader.put(*reader.metrics)
    timer.now += 1
    cache.sparklines((1, 2))
    assert reader.lines_asked == [(1, 2), (2,), (1, 2)]


def test_the_status_is_read_once_per_second_and_revision(reader, cache, timer):
    for moment in (NOON, NOON + timedelta(seconds=0.9), NOON):
        assert cache.status(moment).revision == 7
    assert reader.calls.count("status") == 1
    cache.status(NOON + timedelta(seconds=1))
    assert reader.calls.count("status") == 2
    reader.put()
    timer.now += 1
    assert cache.status(NOON + timedelta(seconds=1)).revision == 8


def test_an_outage_is_raised_and_not_cached(reader, cache):
    reader.down = True
    for ask in (
        cache.revision,
        cache.ranking,
        lambda: cache.metric(1),
        lambda: cache.sparklines((1,)),
        lambda: cache.status(NOON),
    ):
        with pytest.raises(StoreUnavailable):
            ask()
    reader.down = False
    assert cache.revision() == 7
    assert cache.metric(1).id == 1
    assert cache.status(NOON).revision == 7


def test_an_outage_during_a_read_is_not_cached_either(reader, cache):
    assert cache.revision() == 7
    reader.down = True
    with pytest.raises(StoreUnavailable):
        cache.ranking()
    reader.down = False
    assert len(cache.ranking().metrics) == 2


def test_concurrent_callers_share_one_reading(timer):
    reader = SlowReader(metrics=(builders.ranked_metric(1),))
    cache = CachedReader(reader, timer)
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(cache.ranking)
        assert reader.started.wait(10)
        others = [threads.submit(cache.ranking) for _ in range(5)]
        reader.may_end.set()
        rankings = [future.result(10) for future in (first, *others)]
    assert all(ranking is rankings[0] for ranking in rankings)
    assert reader.calls.count("ranking") == 1


@dataclass
class HangingReader(FakeReader):
    """Blocks all reads while it is not `open`."""

    open: Event = field(default_factory=Event)

    def _answer(self, call: str) -> None:
        assert self.open.wait(60)
        super()._answer(call)


@pytest.fixture
def hanging() -> Iterator[HangingReader]:
    reader = HangingReader(metrics=(builders.ranked_metric(1), builders.ranked_metric(2, base="ETH")))
    reader.open.set()
    yield reader
    reader.open.set()


@pytest.mark.parametrize("hangs", [True, False])
def test_while_the_database_is_away_the_last_known_state_is_shown_with_its_age(hanging, timer, hangs):
    cache = CachedReader(hanging, timer, timeout_seconds=0.01)
    cache.ranking()
    cache.sparklines((1,))
    cache.open_alerts()
    cache.day(NOON)
    assert cache.status(NOON).away_since is None
    asked = len(hanging.calls)

    hanging.put(builders.ranked_metric(1, price=5.0))
    if hangs:
        hanging.open.clear()
    else:
        hanging.down = True
    for second in range(1, 5):
        timer.now += 1
        now = NOON + timedelta(seconds=second)
        assert cache.revision() == 7
        assert [row.price for row in cache.ranking().metrics] == [60_123.4, 60_123.4]
        assert cache.metric("kraken:eth-usd").id == 2
        assert cache.sparklines((1,)).metric_ids.tolist() == [1]
        assert cache.open_alerts() == OpenAlerts(0, ())
        assert cache.day(now) is not None
        status = cache.status(now)
        assert (status.revision, status.minute, status.away_since) == (7, NOON, NOON + timedelta(seconds=1))
    assert cache.status(NOON + timedelta(hours=1)).stale
    if hangs:
        assert len(hanging.calls) == asked

    hanging.down = False
    hanging.open.set()

    def is_back() -> bool:
        timer.now += 1
        return cache.revision() == 8

    wait_for(is_back, what="the new revision")
    assert [row.price for row in cache.ranking().metrics] == [5.0]
    wait_for(lambda: cache.status(NOON).revision == 8, what="the new state")
    assert cache.status(NOON).away_since is None


def test_the_last_known_state_is_of_one_revision(hanging, timer):
    cache = CachedReader(hanging, timer, timeout_seconds=0.01)
    cache.ranking()
    hanging.put(builders.ranked_metric(1, price=5.0))
    hanging.state = replace(hanging.state, minute=NOON + timedelta(minutes=1))
    timer.now += 1
    wait_for(lambda: cache.status(NOON + timedelta(minutes=1)).revision == 8)  # only the status is requested
    hanging.open.clear()
    timer.now += 1

    status = cache.status(NOON + timedelta(minutes=1, seconds=1))
    assert (cache.revision(), cache.ranking().revision) == (7, 7)
    assert (status.revision, status.minute) == (7, NOON)


def test_values_never_read_before_raise_while_the_database_is_away(hanging, timer):
    cache = CachedReader(hanging, timer, timeout_seconds=0.01)
    cache.revision()
    hanging.down = True
    timer.now += 1
    with pytest.raises(StoreUnavailable):
        cache.ranking()
    with pytest.raises(StoreUnavailable):
        cache.prices(1, NOON - timedelta(hours=1), NOON)
