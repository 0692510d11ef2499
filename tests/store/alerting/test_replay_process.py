"""A replay in a process of its own: the same result, and an end when it is not wanted or takes too long."""

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
    """Ten minutes in which the price crosses 150 three times."""
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


def order(pipeline: PipelineHarness) -> ReplayTask:
    until = int(pipeline.now.timestamp())
    start = until - 10 * PERIOD
    return ReplayTask(ReplayPlan(RULE, np.array([1], dtype=np.int64), start, until, PERIOD), start, 86_400)


def has_ended() -> bool:
    """Whether no process of a replay is there: what listens to it ends with it."""
    return not any(thread.name == replay_process.LISTENER for thread in threads())


def test_a_process_finds_what_a_thread_finds(pipeline: PipelineHarness, place: Place) -> None:
    here = replay_process.run_replay(pipeline.engine, order(pipeline), lambda _: None)
    there = finished(replay_process.run_in_process(pipeline.engine, order(pipeline), place))

    assert list(there) == list(here)
    minutes = [(pipeline.now - firing.at) / timedelta(minutes=1) for firing in there]
    assert minutes == [8, 6, 2]


def test_a_process_whose_result_nobody_wants_is_ended(pipeline: PipelineHarness, place: Place) -> None:
    steps = replay_process.run_in_process(pipeline.engine, order(pipeline), place)
    assert next(steps) == 0.0
    assert not has_ended()
    steps.close()
    wait_for(has_ended)


def test_a_process_that_takes_too_long_is_ended(pipeline: PipelineHarness, place: Place, timer: Timer) -> None:
    steps = replay_process.run_in_process(pipeline.engine, order(pipeline), place)
    next(steps)
    timer.now += 61
    with pytest.raises(Unfinished, match="takes longer than 60 seconds"):
        next(steps)
    wait_for(has_ended)


def test_what_keeps_a_process_from_its_work_is_raised_here(
    pipeline: PipelineHarness, place: Place, tmp_path: Path
) -> None:
    elsewhere = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(StoreUnavailable, match="there is no file"):
        finished(replay_process.run_in_process(elsewhere, order(pipeline), place))
    elsewhere.dispose()


def test_a_process_that_ends_by_itself_is_reported(pipeline: PipelineHarness, place: Place) -> None:
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
