"""Concurrent sealing, backfill, ticks and user actions on PostgreSQL. One writer is stopped in the middle of its
transaction while another begins: nothing is lost and every figure is right."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, insert, text

from services.market.errors import StoreUnavailable
from services.market.stats.metric_stats import Windows
from services.pipeline.backfill import Backfill
from services.pipeline.seal import seal
from services.store.database import engine as engines
from services.store.database import leases
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import MetricRow
from services.store.history import prices, samples, sealing
from services.store.history.prices import PRICE
from services.store.history.sealing import SealStep
from services.store.ranking import snapshots
from tests.builders import NOON
from tests.engines import engine_on
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness
from tests.pipeline.reference_figures import figures
from tests.waiting import wait_for

PERIOD = 300
PAIRS = ("BTC/USD", "ETH/USD")
LONG_WINDOWS = Windows(main=72 * 3_600, rule=36 * 3_600)


@pytest.fixture
def engine(migrated_postgresql_url: str) -> Iterator[Engine]:
    yield from engine_on(migrated_postgresql_url)


@pytest.fixture
def other(migrated_postgresql_url: str) -> Iterator[Engine]:
    """A second engine on the same database, as another process has."""
    yield from engine_on(migrated_postgresql_url)


def interleave(engine: Engine, first: Callable[[], object], halt_at: str, second: Callable[[], object]) -> None:
    """Run `first` on `engine` up to the statement that begins with `halt_at`. Then run `second` on another engine until
    it ends or waits for a lock. Then let both finish."""
    halted, go_on = Event(), Event()

    def halt(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(halt_at) and not halted.is_set():
            halted.set()
            assert go_on.wait(60)

    def waits_for_a_lock() -> bool:
        with reading(engine) as connection:
            waiting = text(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            return bool(connection.execute(waiting).scalar_one())

    event.listen(engine, "before_cursor_execute", halt)
    try:
        with ThreadPoolExecutor(2) as threads:
            one = threads.submit(first)
            try:
                wait_for(lambda: halted.is_set() or one.done(), what=f"{halt_at} of the first")
                assert halted.is_set(), f"the first ended without {halt_at}"
                two = threads.submit(second)
                wait_for(lambda: two.done() or waits_for_a_lock(), what="the second to end or to wait")
            finally:
                go_on.set()
            one.result(60)
            two.result(60)
    finally:
        event.remove(engine, "before_cursor_execute", halt)


def price_at(pair: str, second: int) -> float:
    return (100.0 if pair == "BTC/USD" else 1e-8) * (1 + second // PERIOD % 97 / 1_000)


class TwoProcesses:
    """A history that was sealed before the window was lengthened, with every second sample missing. One pair has
    newer rows that are due for sealing. `pipeline` and `elsewhere` are two processes on the same database."""

    def __init__(self, engine: Engine, other: Engine) -> None:
        self.exchange = FakeExchange("kraken", listed=dict.fromkeys(PAIRS, True))
        self.pipeline = PipelineHarness(engine, [self.exchange], period=PERIOD, now=NOON - timedelta(hours=34))
        self.pipeline.discover()
        self.tick(self.pipeline)
        self.fill(self.pipeline, lambda second: second // PERIOD % 2 == 0)
        self.tick(self.pipeline, hours=34)
        assert self.seal(self.pipeline, times=20) > 0
        start = int((NOON - timedelta(hours=50)).timestamp()) + PERIOD
        late = start + 2 * PERIOD * np.arange(20, dtype=np.int64)
        found = np.array([price_at(PAIRS[1], second) for second in late.tolist()])
        with writing(engine) as connection:
            prices.store_history(connection, 2, late, found, np.full(20, PERIOD))
        self.pipeline.windows = LONG_WINDOWS
        self.pipeline.restart()
        self.tick(self.pipeline)
        self.elsewhere = replace(self.pipeline, engine=other)

    def tick(self, pipeline: PipelineHarness, hours: float = 0) -> None:
        minutes = PERIOD / 60 + hours * 60
        second = int(pipeline.now.timestamp() + minutes * 60)
        self.exchange.prices = {pair: price_at(pair, second) for pair in PAIRS}
        pipeline.tick(minutes=minutes)

    def fill(self, pipeline: PipelineHarness, there: Callable[[int], bool] = lambda _second: True) -> None:
        exchange = FakeExchange("kraken", close_at=lambda pair, at: price_at(pair, at) if there(at) else None)
        Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(hours=7))).run(Event())

    def seal(self, pipeline: PipelineHarness, times: int = 1) -> int:
        goes_on = iter([True] * times)
        return seal(pipeline.plan, pipeline.now, None, lambda: next(goes_on, False)).sealed

    def act(self, pipeline: PipelineHarness, name: str) -> Callable[[], object]:
        def raise_revision() -> None:
            with writing(pipeline.engine) as connection:
                snapshots.raise_revision(connection)
                leases.take(connection, "me", pipeline.now.timestamp(), 10)

        acts: dict[str, Callable[[], object]] = {
            "seal": lambda: self.seal(pipeline),
            "backfill": lambda: self.fill(pipeline),
            "tick": lambda: self.tick(pipeline),
            "lease": raise_revision,
        }
        return acts[name]


HALTS = {"seal": "DELETE FROM price", "backfill": "UPDATE statistics", "tick": "INSERT INTO tick"}
"""For each writer, a statement before which it has read everything and written something."""


@pytest.mark.parametrize("second", [*HALTS, "lease"])
@pytest.mark.parametrize("first", HALTS)
def test_interleaved_writers_lose_nothing_and_keep_every_figure_right(
    engine: Engine, other: Engine, first: str, second: str
) -> None:
    processes = TwoProcesses(engine, other)

    interleave(
        engine, processes.act(processes.pipeline, first), HALTS[first], processes.act(processes.elsewhere, second)
    )

    pipeline = processes.pipeline
    if "tick" in (first, second):
        pipeline.now = max(pipeline.now, processes.elsewhere.now)
    for number in (1, 2):  # the whole history is found again, and what was found before is still there
        if number == 2:
            processes.fill(pipeline)
        _check(pipeline)
    found = pipeline.reader.prices(1, pipeline.now - timedelta(seconds=LONG_WINDOWS.main), pipeline.now)
    assert len(found.times) == LONG_WINDOWS.main // PERIOD
    assert found.values.tolist() == [price_at("BTC/USD", second) for second in found.times.tolist()]


def _check(pipeline: PipelineHarness) -> None:
    now = int(pipeline.now.timestamp())
    since = datetime.fromtimestamp(now - LONG_WINDOWS.longest, UTC)
    for row in pipeline.reader.ranking().metrics:
        series = pipeline.reader.prices(row.id, since, pipeline.now)
        for name, value in figures(series, now, LONG_WINDOWS, PERIOD).items():
            reported = getattr(row, name)
            assert reported == (pytest.approx(value, rel=1e-9, abs=0) if isinstance(value, float) else value), name


def test_samples_backfilled_while_their_span_is_sealed_are_not_lost(engine: Engine, other: Engine) -> None:
    """The backfill stores between the sealer's read of the rows and its removal of them."""
    start = int(NOON.timestamp()) // 86_400 * 86_400 - 86_400
    times = start + PERIOD * np.arange(1, 9, dtype=np.int64)
    values = np.arange(8.0) + 1
    widths = np.full(8, PERIOD)
    with writing(engine) as connection:
        for number in (1, 2):
            row = {"id": number, "market": "k", "base": f"B{number}", "quote": "Q", "added_at": 0}
            connection.execute(insert(MetricRow).values(tracked=True, active=True, **row))
        prices.store_history(connection, 1, times[::2], values[::2], widths[::2])
        prices.store_history(connection, 2, times, values, widths)

    def seal_it() -> None:
        with writing(engine) as connection:
            step = sealing.next_step(connection, start + 400 * 86_400, PERIOD, 1_000)
            assert isinstance(step, SealStep)
            sealing.seal(connection, step)

    def store_more() -> None:
        with writing(other) as connection:
            prices.store_history(connection, 1, times, values + 100, widths)

    interleave(engine, seal_it, "DELETE FROM price", store_more)

    with reading(engine) as connection:
        found = samples.series(connection, PRICE, 1, start, start + 86_400)
    assert found.times.tolist() == times.tolist()
    assert found.values.tolist() == [1.0, 102.0, 3.0, 104.0, 5.0, 106.0, 7.0, 108.0]


def test_a_writer_reads_and_locks_nothing_before_it_holds_the_write_lock(engine: Engine) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    with writing(engine) as connection:
        assert len(statements) == 1
        assert "pg_advisory_xact_lock" in statements[0]
        connection.execute(text("SELECT 1"))
    assert len(statements) == 2


def test_a_tick_gives_up_waiting_for_a_stuck_writer_and_is_retried(
    engine: Engine, other: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = PipelineHarness(other, [FakeExchange("kraken", {"BTC/USD": 1.0})])
    pipeline.discover()
    with writing(engine):
        monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
        with pytest.raises(StoreUnavailable, match=r"another process is writing, and has been for more than 0\.05 s"):
            pipeline.tick()

    assert pipeline.tick(minutes=0) is not None
    assert pipeline.row("kraken:BTC-USD").price == 1.0
