import logging
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from services.market.alerting.rules import built_in_rule
from services.market.errors import BadPayload, LeaseLost, StoreUnavailable, Unavailable
from services.market.stats.metric_stats import Windows
from services.store.database import leases
from services.store.database.engine import Engine, reading, writing
from services.store.ranking import ticks
from tests.builders import NOON
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness, stored_revision


def test_a_dead_exchange_leaves_the_others_working(engine: Engine) -> None:
    dead = FakeExchange("dead", {"BTC/USD": 1.0})
    live = FakeExchange("live", {"BTC/USD": 60_000.0}, volumes={"BTC/USD": 12.5})
    pipeline = PipelineHarness(engine, [dead, live])
    pipeline.discover()
    dead.error = Unavailable("dead", "timed out")

    report = pipeline.tick()

    assert report is not None
    assert report.state.failed == ("dead",)
    assert report.state.stored == 1
    assert pipeline.stored("live:BTC-USD") == [(pipeline.now, 60_000.0)]
    assert pipeline.stored("dead:BTC-USD") == []
    assert pipeline.row("live:BTC-USD").volume_24h == 12.5
    states = {state.market: state for state in pipeline.reader.status(pipeline.now).exchanges}
    assert (states["dead"].error, states["dead"].failing_since) == ("timed out", pipeline.now)
    assert (states["live"].error, states["live"].last_success) == (None, pipeline.now)


def test_a_failing_exchange_is_reported_from_its_first_failure_to_its_next_answer(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 1.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick()
    before = pipeline.now
    exchange.error = BadPayload("kraken", "sent a web page")
    pipeline.tick()
    since = pipeline.now
    pipeline.tick()
    (state,) = pipeline.reader.status(pipeline.now).exchanges
    assert (state.failing_since, state.error, state.last_success) == (
        since,
        "sent a web page",
        before,
    )

    exchange.error = None
    pipeline.tick()
    (state,) = pipeline.reader.status(pipeline.now).exchanges
    assert (state.failing_since, state.last_success) == (None, pipeline.now)


def test_statistics_equal_a_two_pass_computation_after_every_tick(engine: Engine) -> None:
    random = np.random.default_rng(7)
    prices = {"BTC/USD": 60_000.0, "SHIB/USD": 0.000023, "FLAT/USD": 1.0}
    exchange = FakeExchange("kraken", prices)
    pipeline = PipelineHarness(engine, [exchange], windows=Windows(main=1800, rule=600))
    pipeline.discover()

    for count in range(90):
        prices["BTC/USD"] *= 1 + random.normal(0, 0.001)
        prices["SHIB/USD"] = 0.000023 * (1000.0 if count == 20 else 1 + random.normal(0, 0.002))
        exchange.error = Unavailable("kraken", "gone") if count in (33, 34) else None
        pipeline.tick(minutes=7 if count == 50 else 1)
        for key in ("kraken:BTC-USD", "kraken:SHIB-USD", "kraken:FLAT-USD"):
            stdev = pipeline.row(key).stdev
            assert stdev == pytest.approx(pipeline.two_pass_stdev(key), rel=1e-9, abs=0), (count, key)
    assert pipeline.row("kraken:FLAT-USD").stdev == 0.0


def test_metrics_are_ranked_by_stdev_then_number_and_those_without_prices_last(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0, "B/USD": 1.0, "C/USD": 1.0, "D/USD": 1.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    del exchange.prices["D/USD"]
    pipeline.tick()
    exchange.prices |= {"C/USD": 3.0}
    pipeline.tick()

    ranking = pipeline.reader.ranking()

    assert [(row.base, row.rank, row.stdev) for row in ranking.metrics] == [
        ("C", 1, 1.0),
        ("A", 2, 0.0),
        ("B", 3, 0.0),
        ("D", None, None),
    ]
    assert ranking.minute == pipeline.now


def test_changes_are_measured_from_the_prices_an_hour_and_a_day_ago(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 100.0})
    pipeline = PipelineHarness(engine, [exchange], period=600)
    pipeline.discover()
    for step in range(24 * 6 + 1):
        exchange.prices["BTC/USD"] = 100.0 + step
        pipeline.tick(minutes=10)

    row = pipeline.row("kraken:BTC-USD")

    assert row.change_1h == pytest.approx(244 / 238 - 1)
    assert row.change_24h == pytest.approx(244 / 100 - 1)
    assert row.average_1h == pytest.approx(np.mean(np.arange(238, 244)))
    assert row.samples == 144


def test_a_period_is_ticked_only_once(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"BTC/USD": 1.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    assert pipeline.tick() is not None
    revision = stored_revision(engine)

    exchange.prices["BTC/USD"] = 2.0
    assert pipeline.tick(minutes=0) is None

    assert pipeline.stored("kraken:BTC-USD") == [(pipeline.now, 1.0)]
    assert stored_revision(engine) == revision


def test_without_metrics_there_is_no_tick(engine: Engine) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange()])

    assert pipeline.tick() is None
    assert pipeline.reader.status(pipeline.now).minute is None


def test_a_clock_that_is_behind_by_a_period_skips_that_tick(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 1.0})])
    pipeline.discover()
    pipeline.tick(minutes=10)

    assert pipeline.tick(minutes=-1) is None
    assert "the clock was set back" in caplog.text
    assert pipeline.reader.status(pipeline.now).minute == NOON + timedelta(minutes=10)
    assert pipeline.tick() is None  # stored already
    assert pipeline.tick() is not None


def test_missed_periods_are_counted_and_logged(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 1.0})])
    pipeline.discover()
    pipeline.tick()
    assert "missed" not in caplog.text

    report = pipeline.tick(minutes=4)

    assert report is not None
    assert report.state.missed == 3
    assert "3 periods before it were missed" in caplog.text
    assert [state.missed for state in pipeline.reader.status(pipeline.now).ticks] == [3, 0]


def test_a_process_that_lost_the_lease_stores_nothing(engine: Engine) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 1.0})])
    pipeline.discover()
    with writing(engine) as connection:
        leases.take(connection, "other", 100.0, 10.0)
    revision = stored_revision(engine)

    with pytest.raises(LeaseLost):
        pipeline.tick(owner="me")

    assert pipeline.stored("kraken:BTC-USD") == []
    assert stored_revision(engine) == revision


def test_an_error_in_the_last_stage_rolls_back_the_first(engine: Engine) -> None:
    pipeline = PipelineHarness(engine, [FakeExchange("kraken", {"BTC/USD": 1.0})], channels=["mail"])
    pipeline.discover()
    pipeline.tick()
    # A message needs a channel, so enqueueing it fails after everything else of the tick is written.
    pipeline.rule, pipeline.channels = built_in_rule(0.5, 3600, 0, 0), [None]  # type: ignore[list-item]
    pipeline.restart()

    with pytest.raises(IntegrityError):
        pipeline.tick()

    assert pipeline.now not in [moment for moment, _ in pipeline.stored("kraken:BTC-USD")]
    with reading(engine) as connection:
        assert not ticks.happened(connection, int(pipeline.now.timestamp()))


def test_an_unwritable_database_is_detected_before_any_exchange_is_asked(engine: Engine) -> None:
    asked = []
    exchange = FakeExchange("kraken", {"BTC/USD": 1.0}, on_quotes=lambda: asked.append(1))
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TABLE snapshot")

    with pytest.raises(Exception, match="snapshot") as caught:
        pipeline.tick()

    assert asked == []
    assert isinstance(caught.value, StoreUnavailable) or "UndefinedTable" in str(caught.value)


def test_missing_and_repeated_prices_are_noted_in_the_status(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    names = {f"C{number}/USD": 1.0 for number in range(6)}
    exchange = FakeExchange("kraken", dict(names))
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick()

    def note() -> str | None:
        return pipeline.reader.status(pipeline.now).exchanges[0].note

    assert note() is None
    pipeline.tick()
    pipeline.tick()
    assert note() is None
    pipeline.tick()
    assert note() == "no price has moved for 3 periods"

    exchange.prices["C0/USD"] = 2.0
    exchange.refused = {"C5/USD": "negative", "OTHER/USD": "zero"}
    del exchange.prices["C5/USD"]
    pipeline.tick()
    logged = "refused values: 1 negative; 1 of 6 tracked pairs without a price"
    assert note() == logged
    assert caplog.messages.count(f"kraken: {logged}") == 1
    state = pipeline.reader.status(pipeline.now)
    # C5 counts as live: its last price is recent enough.
    assert (state.live, state.exchanges[0].rejected, state.ticks[0].rejected) == (6, 1, 1)

    exchange.prices, exchange.refused = dict.fromkeys(names, 3.0), {}
    pipeline.tick()
    assert note() is None


def test_a_lasting_anomaly_is_logged_once_and_so_is_its_end(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    exchange = FakeExchange("kraken", {f"C{number}/USD": 1.0 for number in range(40)})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    caplog.set_level("INFO", "services.pipeline")
    for number in range(5):  # one more each period
        exchange.refused[f"C{number}/USD"] = "out of date"
        del exchange.prices[f"C{number}/USD"]
        exchange.prices["C9/USD"] += 1
        pipeline.tick()
    exchange.refused["C5/USD"] = "zero"
    del exchange.prices["C5/USD"]
    pipeline.tick()
    exchange.prices, exchange.refused = {f"C{number}/USD": 2.0 for number in range(40)}, {}
    pipeline.tick()
    pipeline.tick()

    logged = [record.getMessage() for record in caplog.records if record.name == "services.pipeline.exchange_health"]
    assert [message.partition(";")[0] for message in logged] == [
        "kraken: refused values: 1 out of date",
        "kraken: refused values: 5 out of date, 1 zero",
        "kraken: nothing is odd any more",
    ]


def test_an_inactive_metric_gets_no_price_and_no_rank_but_keeps_its_history(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0, "B/USD": 1.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick()
    exchange.listed = {"A/USD": True, "B/USD": False}
    pipeline.discover("kraken:A/USD,kraken:B/USD")
    pipeline.tick()

    last = pipeline.reader.ranking().metrics[-1]
    assert (last.base, last.rank, last.active, last.reason, last.price) == ("B", None, False, "halted", 1.0)
    assert [moment for moment, _ in pipeline.stored("kraken:B-USD")] == [pipeline.now - timedelta(minutes=1)]


def test_a_metric_that_is_tracked_again_keeps_its_history(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0, "B/USD": 5.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    pipeline.tick()
    pipeline.discover("kraken:A/USD")
    pipeline.tick()
    assert [row.base for row in pipeline.reader.ranking().metrics] == ["A"]

    exchange.prices["B/USD"] = 7.0
    pipeline.discover()
    pipeline.tick()

    assert pipeline.row("kraken:B-USD").stdev == 1.0
    assert pipeline.row("kraken:B-USD").samples == 2


def test_a_changed_window_is_computed_from_stored_prices(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    for price in (1.0, 5.0, 5.0, 7.0):
        exchange.prices["A/USD"] = price
        pipeline.tick()
    pipeline.windows = Windows(main=180, rule=3600)
    pipeline.restart()
    pipeline.tick()

    assert pipeline.row("kraken:A-USD").samples == 3
    assert pipeline.row("kraken:A-USD").stdev == pytest.approx(pipeline.two_pass_stdev("kraken:A-USD"), rel=1e-12)


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
