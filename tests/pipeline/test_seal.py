from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import insert, update

from services.market.alerting.rule_json import parse_rule
from services.market.errors import LeaseLost
from services.market.stats.metric_stats import Windows
from services.pipeline.seal import Upkeep, seal
from services.store.alerting import rules
from services.store.database import leases
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import MetricRow, TickRow
from services.store.history import prices
from services.store.ranking import snapshots, ticks
from tests import builders
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness

DAYS = timedelta(days=1)


def always() -> bool:
    return True


@pytest.fixture
def pipeline(engine: Engine) -> PipelineHarness:
    """A pipeline with half an hour of ticks, a minute apart, three days before NOON."""
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0}, volumes={"BTC/USD": 5.0})
    pipeline = PipelineHarness(engine, [exchange], now=NOON - 3 * DAYS)
    pipeline.discover()
    for number in range(30):
        exchange.prices["BTC/USD"] = 100.0 + number
        pipeline.tick()
    pipeline.now = NOON
    pipeline.tick(minutes=0)
    return pipeline


def run_upkeep(pipeline: PipelineHarness, owner: str | None = None, days: float | None = None) -> Upkeep:
    seconds = None if days is None else round(days * 86_400)
    return seal(replace(pipeline.plan, retention_seconds=seconds), pipeline.now, owner, always)


def record_later_ticks(pipeline: PipelineHarness) -> None:
    """Record ticks from half a day after the first ones until NOON, without prices."""
    with writing(pipeline.engine) as connection:
        ticks.record(connection, builders.tick_state(minute=NOON - 2.5 * DAYS))
        connection.execute(update(TickRow).where(TickRow.minute == int(NOON.timestamp())).values(elapsed=259_200))


def rows(pipeline: PipelineHarness) -> int:
    with reading(pipeline.engine) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM price").scalar_one())


def test_samples_outside_every_window_are_sealed_and_read_as_before(pipeline: PipelineHarness) -> None:
    before = pipeline.stored("kraken:BTC-USD", hours=100)

    assert run_upkeep(pipeline).sealed == 60

    assert rows(pipeline) == 2
    assert pipeline.stored("kraken:BTC-USD", hours=100) == before
    assert pipeline.reader.status(pipeline.now).storage is not None
    assert pipeline.reader.status(pipeline.now).storage.sealed_until == NOON - 3 * DAYS + timedelta(hours=6)


def test_sealing_twice_changes_nothing(pipeline: PipelineHarness) -> None:
    run_upkeep(pipeline)

    assert run_upkeep(pipeline) == Upkeep()


def test_sealing_stops_on_request_and_resumes_later(pipeline: PipelineHarness) -> None:
    assert seal(pipeline.plan, pipeline.now, None, lambda: False) == Upkeep()
    assert rows(pipeline) == 62


def test_samples_beyond_the_retention_are_removed_and_their_rollups_stay(pipeline: PipelineHarness) -> None:
    assert run_upkeep(pipeline, days=2).removed == 0  # nothing yet, as the clock may just have jumped three days ahead
    record_later_ticks(pipeline)
    assert run_upkeep(pipeline, days=2).removed == 3

    later = [(NOON, 129.0)]
    assert pipeline.stored("kraken:BTC-USD", hours=100) == later
    hours = pipeline.reader.hours(pipeline.row("kraken:BTC-USD").id, NOON - 4 * DAYS, NOON)
    assert hours.close.tolist() == [129.0, 129.0]


def test_a_process_without_the_lease_seals_nothing(pipeline: PipelineHarness) -> None:
    with writing(pipeline.engine) as connection:
        leases.take(connection, "another", pipeline.now.timestamp(), 60)

    with pytest.raises(LeaseLost):
        run_upkeep(pipeline, owner="me")
    assert rows(pipeline) == 62


def test_samples_in_the_window_stay_rows_for_any_length_of_window(pipeline: PipelineHarness) -> None:
    pipeline.plan = replace(pipeline.plan, windows=replace(pipeline.plan.windows, main=4 * 86_400))

    assert run_upkeep(pipeline).sealed == 0


def test_a_longer_window_is_computed_from_sealed_samples(pipeline: PipelineHarness) -> None:
    run_upkeep(pipeline)
    pipeline.windows = replace(pipeline.windows, main=4 * 86_400)
    pipeline.restart()
    pipeline.tick()

    row = pipeline.row("kraken:BTC-USD")
    assert row.samples == 32
    assert row.stdev == pytest.approx(pipeline.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
    pipeline.tick(minutes=1440 + 19)  # the sealed samples begin to leave the window
    row = pipeline.row("kraken:BTC-USD")
    assert row.samples == 32 + 1 - 20
    assert row.stdev == pytest.approx(pipeline.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)


def test_many_metrics_are_sealed_in_several_steps(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(
            insert(MetricRow),
            [
                {"market": "x", "base": f"C{n}", "quote": "USD", "tracked": True, "active": True, "added_at": 0}
                for n in range(300)
            ],
        )
        start = int((NOON - 3 * DAYS).timestamp())
        prices.store(connection, start, np.arange(1, 301), np.arange(1.0, 301.0), 60)
    pipeline = PipelineHarness(engine, [])

    assert run_upkeep(pipeline) == Upkeep(sealed=300, removed=0, steps=3)


@pytest.mark.parametrize(("quantity", "removed"), [("price", 3), ("volatility", 0)])
def test_samples_behind_earlier_standard_deviations_stay_rows_while_a_rule_needs_them(
    pipeline: PipelineHarness, quantity: str, removed: int
) -> None:
    condition = {"kind": "average", "factor": 3, "window_seconds": 86_400}
    given = {"name": "x", "scope": ["kraken:*"], "quantity": quantity, "condition": condition}
    with writing(pipeline.engine) as connection:
        rules.add(connection, parse_rule(given))
    record_later_ticks(pipeline)
    pipeline.windows = replace(pipeline.windows, main=2 * 86_400)
    pipeline.restart()
    for _ in range(2):
        pipeline.tick(minutes=30)

    assert run_upkeep(pipeline, days=1).removed == removed


@pytest.mark.parametrize("windows", [Windows(main=4 * 86_400, rule=3_600), Windows(main=86_400, rule=4 * 86_400)])
def test_sealed_samples_in_a_lengthened_window_are_retained_beyond_the_retention(
    pipeline: PipelineHarness, windows: Windows
) -> None:
    run_upkeep(pipeline)
    pipeline.windows = windows
    pipeline.restart()
    pipeline.tick()
    before = pipeline.row("kraken:BTC-USD")

    assert run_upkeep(pipeline, days=1) == Upkeep()

    assert len(pipeline.stored("kraken:BTC-USD", hours=100)) == 32
    pipeline.restart()
    pipeline.tick()
    row = pipeline.row("kraken:BTC-USD")
    assert row.stdev == pytest.approx(pipeline.two_pass_stdev("kraken:BTC-USD"), rel=1e-9)
    assert row.samples == before.samples + 1 or windows.main == 86_400
    with reading(pipeline.engine) as connection:
        statistics = snapshots.load(connection).statistics
    assert statistics["rule_count"][0] == (32 if windows.rule > 86_400 else 2)
