"""Random clock errors over the real pipeline: ahead, behind, by years, two different clocks, with restarts."""

import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from sqlalchemy import func, select

from services.market.alerting.rule_json import parse_rule
from services.pipeline.backfill import Backfill
from services.pipeline.backfill_running_sums import backfill_running_sums
from services.pipeline.seal import seal
from services.store.alerting import rules
from services.store.database.engine import Engine, open_engine, reading, writing
from services.store.database.models import (
    AlertRow,
    MessageRow,
    PriceRow,
    RunningSumsRow,
    SnapshotRow,
    TickRow,
    VolumeRow,
)
from tests.builders import NOON
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness

LEVEL = 110.0
KEY = "kraken:BTC-USD"
JUMPS = (-3_653 * 1_440, -3 * 1_440, -600, -60, -7, -2, -1, 1, 2, 7, 60, 600, 3 * 1_440, 3_653 * 1_440)
"""Minutes."""


def check_history(engine: Engine, seed: int, steps: int = 120) -> None:
    chance = np.random.default_rng(seed)
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, volumes={"BTC/USD": 5.0})
    pipeline = PipelineHarness(engine, [exchange], channels=["mail"], now=NOON)
    pipeline.discover()
    given = {"name": "mine", "scope": ["kraken:BTC/USD"], "condition": {"kind": "level", "level": LEVEL}}
    with writing(engine) as connection:
        rules.add(connection, parse_rule(given | {"cooldown_seconds": 0}))
    accepted: list[float] = []
    true, offset = NOON, timedelta()
    for _ in range(steps):
        true += timedelta(minutes=1)
        if chance.random() < 0.1:
            offset = timedelta(minutes=int(chance.choice(JUMPS))) if chance.random() < 0.5 else timedelta()
        # A second clock that differs may take over for a tick.
        other = timedelta(minutes=int(chance.choice((-1, 1, 5)))) if chance.random() < 0.05 else timedelta()
        if chance.random() < 0.1:
            pipeline.restart()
        take_tick(pipeline, true + offset + other, chance, accepted)
        if chance.random() < 0.1:
            run_maintenance(pipeline)

    offset = timedelta()
    resumed = 0
    for _ in range(4):  # the time is right
        true += timedelta(minutes=1)
        resumed += take_tick(pipeline, true, chance, accepted)
    assert resumed >= 2, "ticks go on within two periods"
    check_what_is_stored(pipeline, true, accepted)
    for _ in range(20):
        true += timedelta(minutes=1)
        assert take_tick(pipeline, true, chance, accepted)
    run_maintenance(pipeline)
    check_what_is_stored(pipeline, true, accepted)


def take_tick(
    pipeline: PipelineHarness, reported: datetime, chance: np.random.Generator, accepted: list[float]
) -> bool:
    """Tick at the time `reported` by the clock, and add the price to `accepted` if the tick is stored."""
    exchange = pipeline.exchanges[0]
    price = float(chance.uniform(90, 130))
    exchange.prices = {"BTC/USD": price, "ETH/USD": float(chance.uniform(9, 11))}
    pipeline.now = reported
    report = pipeline.tick(minutes=0)
    if report is None:
        return False
    accepted.append(price)
    assert not pipeline.reader.status(pipeline.now).stale
    return True


def run_maintenance(pipeline: PipelineHarness) -> None:
    """Run the other jobs: a backfill that finds nothing, running sums, and sealing."""
    exchange = pipeline.exchanges[0]
    Backfill(pipeline.plan, exchange, FakeClock(pipeline.now + timedelta(seconds=5))).run(Event())
    backfill_running_sums(pipeline.plan, pipeline.now, None, lambda: True)
    seal(pipeline.plan, pipeline.now, None, lambda: True)


def check_what_is_stored(pipeline: PipelineHarness, true: datetime, accepted: list[float]) -> None:
    now = int(true.timestamp())
    with reading(pipeline.engine) as connection:
        for table in (PriceRow, VolumeRow, TickRow, RunningSumsRow, SnapshotRow):
            newest = connection.execute(select(func.max(table.minute))).scalar()
            assert newest is None or newest <= now, table
        for column in (AlertRow.fired_at, AlertRow.resolved_at):
            latest = connection.execute(select(func.max(column))).scalar()
            assert latest is None or latest <= now, column
        announced = connection.execute(select(func.sum(MessageRow.fired))).scalar() or 0
    for key, low, high in ((KEY, 90, 130), ("kraken:ETH-USD", 9, 11)):
        row = pipeline.row(key)
        assert row.updated_at == true
        assert row.stdev == pytest.approx(pipeline.two_pass_stdev(key), rel=1e-9)
        stored = pipeline.reader.prices(row.id, true - timedelta(days=1), datetime(9999, 1, 1, tzinfo=UTC))
        assert stored.times.max() <= now
        assert row.samples == len(stored.times)
        assert row.low_24h is not None
        assert row.high_24h is not None
        assert low <= row.low_24h <= stored.values.min() <= stored.values.max() <= row.high_24h <= high
    # Each crossing is exactly one alert, whichever clock was in use.
    sides = [price > LEVEL for price in accepted]
    crossings = sum(side != before for before, side in pairwise(sides))
    alerts = [alert for alert in pipeline.reader.alerts() if alert.rule_id]
    assert len(alerts) == announced == crossings


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_clock_errors_neither_stop_ticks_nor_duplicate_or_lose_alerts(
    migrated_file: Path, tmp_path: Path, part: int, soak: bool
) -> None:
    for seed in range(part, 200 if soak else 4, 4):
        engine = open_engine(f"sqlite:///{shutil.copyfile(migrated_file, tmp_path / f'{seed}.db')}")
        check_history(engine, seed)
        engine.dispose()


def test_clock_errors_are_harmless_on_both_databases(engine: Engine) -> None:
    check_history(engine, 1_000, 60)
