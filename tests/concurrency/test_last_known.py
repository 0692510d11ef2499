from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, active_count

import pytest

from services.concurrency.last_known import RETRY_SECONDS, LastKnown
from services.market.errors import StoreUnavailable
from tests.waiting import wait_for

NO_TIME = 0.01
"""Seconds within which a blocked read never returns."""


@dataclass
class Source:
    """Returns `value`, or raises `error`; while it is not `open`, reads block."""

    value: int = 1
    error: Exception | None = None
    open: Event = field(default_factory=Event)
    asked: int = 0
    began: int = 0

    def read(self, addend: int = 0) -> int:
        self.began += 1
        assert self.open.wait(60)
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.value + addend


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    source.open.set()
    yield source
    source.open.set()


@pytest.fixture
def last(source: Source) -> LastKnown[[int], int]:
    return LastKnown(source.read, timeout_seconds=60, fresh_seconds=10)


@pytest.fixture
def hurried(source: Source) -> LastKnown[[int], int]:
    return LastKnown(source.read, timeout_seconds=NO_TIME, fresh_seconds=10)


def test_a_value_is_read_once_while_it_is_fresh_and_of_the_same_version(source, last) -> None:
    assert [last.get(0.0, "a", 0), last.get(9.5, "a", 5)] == [1, 1]
    assert last.get(9.5, "b", 5) == 6
    assert last.get(19.0, "b", 5) == 6
    assert last.get(19.5, "b", 7) == 8
    assert last.get(12.0, "b", 9) == 10, "the clock was set back: who knows how old it is"
    assert source.asked == 4


def test_the_first_caller_waits_until_the_value_is_read(source, last) -> None:
    source.open.clear()
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(last.get, 0.0, None, 0) for _ in range(4)]
        wait_for(lambda: source.began)
        source.open.set()
        assert [one.result(60) for one in waiting] == [1] * 4
    assert source.began == 1


def test_while_a_read_blocks_the_last_value_is_returned_and_no_second_read_is_started(source, hurried) -> None:
    hurried.get(0.0, None, 0)
    source.value = 2
    source.open.clear()
    before = active_count()
    assert [hurried.get(20.0 + number, None, 0) for number in range(30)] == [1] * 30
    assert hurried.away_since == 20.0
    assert hurried.age(49.0) == 49.0
    assert source.began == 2
    assert active_count() <= before + 1

    source.open.set()
    wait_for(lambda: hurried.away_since is None, what="the answer")
    assert hurried.get(50.0, None, 0) == 2


def test_a_database_outage_is_raised_only_if_no_value_is_known(source, last) -> None:
    source.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable, match="away"):
        last.get(0.0, None, 0)
    source.error = None
    assert last.get(0.0, None, 0) == 1

    source.error = StoreUnavailable("away")
    assert last.get(20.0, None, 0) == 1
    assert last.away_since == 20.0
    assert last.get(20.0 + RETRY_SECONDS / 2, None, 0) == 1
    assert source.asked == 3, "it is left alone for a while"
    last.get(20.0 + RETRY_SECONDS, None, 0)
    wait_for(lambda: source.asked == 4)
    assert last.away_since == 20.0


def test_an_internal_error_is_never_treated_as_a_database_outage(source, last) -> None:
    last.get(0.0, None, 0)
    source.error = ZeroDivisionError("ours")
    for now in (20.0, 21.0):
        with pytest.raises(ZeroDivisionError):
            last.get(now, None, 0)


def test_a_read_that_began_before_a_change_does_not_count_after_it(source, hurried) -> None:
    hurried.get(0.0, None, 0)
    source.open.clear()
    assert hurried.get(20.0, None, 0) == 1
    source.value = 2
    hurried.forget()
    assert hurried.away_since is None
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(hurried.get, 20.0, None, 10)
        wait_for(lambda: source.began == 3)
        source.open.set()
        assert waiting.result(60) == 12
    assert hurried.get(20.0, None, 0) == 12
