from threading import Barrier, Event

import pytest

from services.market.errors import BadPayload, Unavailable
from services.pipeline.fetch import Fetcher
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange


def test_exchanges_are_asked_concurrently() -> None:
    meeting = Barrier(2, timeout=10)
    exchanges = [FakeExchange(name, {"BTC/USD": 1.0}, on_quotes=meeting.wait) for name in ("a", "b")]

    answers = Fetcher(exchanges, 5.0).fetch(["a", "b"], NOON)

    assert [(answer.market, answer.error) for answer in answers] == [("a", None), ("b", None)]


def test_only_the_given_markets_are_asked() -> None:
    fetcher = Fetcher([FakeExchange("a", {"BTC/USD": 1.0}), FakeExchange("b", {})], 5.0)

    assert [answer.market for answer in fetcher.fetch(["b", "nowhere"], NOON)] == ["b"]


def test_a_failure_is_returned_and_its_begin_and_end_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    exchange = FakeExchange("a", {"BTC/USD": 1.0}, error=BadPayload("a", "sent nonsense"))
    fetcher = Fetcher([exchange], 5.0)

    (answer,) = fetcher.fetch(["a"], NOON)
    assert answer.quotes is None
    assert str(answer.error) == "a: sent nonsense"
    assert "a: no prices: sent nonsense" in caplog.text

    exchange.error = None
    (answer,) = fetcher.fetch(["a"], NOON)
    assert answer.error is None
    assert "a: answers again" in caplog.text


def test_an_exchange_that_hangs_is_abandoned_and_not_asked_twice() -> None:
    done, asked = Event(), []

    def hang() -> None:
        asked.append(1)
        done.wait(30)

    slow = FakeExchange("slow", {"BTC/USD": 1.0}, on_quotes=hang)
    quick = FakeExchange("quick", {"BTC/USD": 2.0})
    fetcher = Fetcher([slow, quick], 0.1)

    first = {answer.market: answer for answer in fetcher.fetch(["slow", "quick"], NOON)}
    second = {answer.market: answer for answer in fetcher.fetch(["slow", "quick"], NOON)}
    done.set()

    assert "no answer within" in str(first["slow"].error)
    assert "still busy" in str(second["slow"].error)
    assert isinstance(second["slow"].error, Unavailable)
    assert second["quick"].quotes is not None
    assert asked == [1]
    fetcher.close()


@pytest.mark.parametrize(("usual", "allowed"), [(0.4, 2.0), (3.0, 6.0), (8.0, 10.0)])
def test_a_failed_exchange_gets_twice_its_usual_time_and_at_least_two_seconds(usual: float, allowed: float) -> None:
    time = iter([0.0, 0.0, usual, usual, *([100.0] * 20)])
    given: list[float] = []

    class Timed(FakeExchange):
        def quotes(self, minute, deadline_seconds):  # type: ignore[no-untyped-def]
            given.append(deadline_seconds)
            return super().quotes(minute, deadline_seconds)

    exchange = Timed("a", {"BTC/USD": 1.0})
    fetcher = Fetcher([exchange], 10.0, timer=lambda: next(time))
    fetcher.fetch(["a"], NOON)
    exchange.error = Unavailable("a", "gone")
    fetcher.fetch(["a"], NOON)
    fetcher.fetch(["a"], NOON)

    assert given == [10.0, 10.0, allowed]
    fetcher.close()
