from threading import Event

from services.caching.process_reader import CachedReader
from services.caching.warming import keep_warm
from services.market.alerting.alerts import OpenAlerts
from tests import builders
from tests.builders import NOON
from tests.fakes import FakeReader, Timer
from tests.waiting import wait_for


def test_a_process_without_requests_answers_while_the_database_is_away() -> None:
    reader, timer, stopping = FakeReader(metrics=(builders.ranked_metric(1),)), Timer(), Event()
    cache = CachedReader(reader, timer)
    stopping.set()
    keep_warm(cache, lambda: NOON, stopping, 60.0).join()

    reader.down = True
    timer.now += 1.0
    assert [row.id for row in cache.ranking().metrics] == [1]
    assert cache.status(NOON).away_since is not None
    assert cache.open_alerts() == OpenAlerts(0, ())
    assert cache.day(NOON) == reader.today


def test_the_caches_are_warmed_again_after_the_database_was_away() -> None:
    reader, stopping = FakeReader(metrics=(builders.ranked_metric(1),), down=True), Event()
    thread = keep_warm(reader, lambda: NOON, stopping, 0.01)
    wait_for(lambda: reader.calls.count("ranking") >= 2, what="another attempt")
    reader.down = False
    wait_for(lambda: reader.calls.count("open_alerts") >= 2, what="everything, twice")

    stopping.set()
    thread.join()
    assert {"ranking", "status", "day", "open_alerts"} <= set(reader.calls)
