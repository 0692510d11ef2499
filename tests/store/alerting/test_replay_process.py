"""A replay in a separate process: the same result, and it is stopped if it is cancelled or too slow."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import enumerate as threads

import numpy as np
import pytest

from services.actions.alerts import StoreAlertService
from services.concurrency.long_work import LongWork, Place, finished
from services.market.alerting.rule_json import parse_rule
from services.market.errors import Busy, StoreUnavailable, Unfinished
from services.store.alerting import replay_process
from services.store.alerting.replay_data import ReplayPlan
from services.store.alerting.replay_process import ReplayTask
from services.store.database.engine import Engine, open_engine
from tests.fakes import Timer
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PERIOD, PipelineHarness
from tests.replays import firings_of
from tests.waiting import wait_for

RULE = parse_rule(
    {
        "name": "x",
        "scope": ["kraken:*"],
        "condition": {"kind": "level", "direction": "up", "level": 150},
        "cooldown_seconds": 0,
    },
    1,
)


@pytest.fixture
def pipeline(engine: Engine) -> PipelineHarness:
    """A pipeline after ten minutes in which the price crossed 150 three times."""
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    for price in (100.0, 200.0, 100.0, 200.0, 100.0, 100.0, 100.0, 200.0, 100.0, 100.0):
        exchange.prices["BTC/USD"] = price
        pipeline.tick()
    return pipeline


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def place(timer: Timer) -> Iterator[Place]:
    with LongWork("replay", max_seconds=60, retry_seconds=10, timer=timer).place() as place:
        assert place.await_turn(0)
        yield place


def replay_task(pipeline: PipelineHarness) -> ReplayTask:
    until = int(pipeline.now.timestamp())
    start = until - 10 * PERIOD
    return ReplayTask(ReplayPlan(RULE, np.array([1], dtype=np.int64), start, until, PERIOD), start, 86_400)


def no_replay_process_is_left() -> bool:
    """True when no replay process and none of the threads that read from one is left."""
    return not any(thread.name == replay_process.LISTENER for thread in threads())


def test_a_replay_in_a_process_equals_one_in_a_thread(pipeline: PipelineHarness, place: Place) -> None:
    here = replay_process.run_replay(pipeline.engine, replay_task(pipeline), lambda _: None)
    there = finished(replay_process.run_in_process(pipeline.engine, replay_task(pipeline), place))

    assert list(there) == list(here)
    minutes = [(pipeline.now - firing.at) / timedelta(minutes=1) for firing in there]
    assert minutes == [8, 6, 2]


def test_a_process_is_stopped_when_its_replay_is_cancelled(pipeline: PipelineHarness, place: Place) -> None:
    steps = replay_process.run_in_process(pipeline.engine, replay_task(pipeline), place)
    assert next(steps) == 0.0
    assert not no_replay_process_is_left()
    steps.close()
    wait_for(no_replay_process_is_left)


def test_a_process_is_stopped_when_it_takes_too_long(pipeline: PipelineHarness, place: Place, timer: Timer) -> None:
    steps = replay_process.run_in_process(pipeline.engine, replay_task(pipeline), place)
    next(steps)
    timer.now += 61
    with pytest.raises(Unfinished, match="takes longer than 60 seconds"):
        next(steps)
    wait_for(no_replay_process_is_left)


def test_an_error_in_the_process_is_raised_in_the_caller(
    pipeline: PipelineHarness, place: Place, tmp_path: Path
) -> None:
    elsewhere = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(StoreUnavailable, match="there is no file"):
        finished(replay_process.run_in_process(elsewhere, replay_task(pipeline), place))
    elsewhere.dispose()


def test_a_process_that_dies_is_reported(pipeline: PipelineHarness, place: Place) -> None:
    unreadable = ReplayTask(ReplayPlan(None, np.array(["x"]), 0, 0, PERIOD), 0, 0)  # type: ignore[arg-type]
    with pytest.raises(Unfinished, match="ended by itself, with status 1"):
        finished(replay_process.run_in_process(pipeline.engine, unreadable, place))


def test_one_replay_runs_one_waits_and_a_third_is_refused(pipeline: PipelineHarness) -> None:
    alert_service = StoreAlertService(pipeline.engine, ())
    since = pipeline.now - timedelta(minutes=10)
    first, second = (alert_service.replay(RULE, since, pipeline.now, PERIOD) for _ in range(2))
    assert next(first) == 0.0
    assert next(second) is None
    with pytest.raises(Busy):
        firings_of(alert_service, RULE, since, pipeline.now, PERIOD)

    first.close()
    assert next(second) == 0.0
    assert len(finished(second)) == 3
    assert len(firings_of(alert_service, RULE, since, pipeline.now, PERIOD)) == 3
