"""Metrics for which an exchange answers without a price."""

import pytest

from services.market.errors import Unavailable
from services.market.ranking import RankedMetric
from services.market.stats.measures import FROZEN_PERIODS
from services.market.stats.metric_stats import Windows
from services.store.database.engine import Engine
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"A/USD": 1.0, "B/USD": 1.0, "C/USD": 1.0})


@pytest.fixture
def pipeline(engine: Engine, exchange: FakeExchange) -> PipelineHarness:
    """A has the largest standard deviation and is ranked first."""
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover("kraken:A/USD,kraken:B/USD,kraken:C/USD")
    pipeline.tick()
    exchange.prices |= {"A/USD": 9.0, "B/USD": 5.0}
    pipeline.tick()
    return pipeline


def ticks(pipeline: PipelineHarness, count: int) -> None:
    for _ in range(count):
        pipeline.tick()


def freeze(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    """Tick without a price of A until it is frozen."""
    exchange.prices.pop("A/USD")
    exchange.listed = {"A/USD": True, "B/USD": True, "C/USD": True}
    ticks(pipeline, FROZEN_PERIODS)


def state(row: RankedMetric) -> tuple[int | None, bool, str | None]:
    return row.rank, row.active, row.reason


def test_a_metric_without_a_price_in_ten_answers_leaves_the_ranking_until_its_next_price(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    priced_at = pipeline.now
    exchange.prices.pop("A/USD")
    ticks(pipeline, 9)
    assert state(pipeline.row("kraken:A-USD")) == (1, True, None)

    pipeline.tick()
    *ranked, last = pipeline.reader.ranking().metrics
    assert [(row.base, row.rank) for row in ranked] == [("B", 1), ("C", 2)]
    assert (last.base, *state(last)) == ("A", None, False, "frozen")
    assert (last.price, last.updated_at, last.samples) == (9.0, priced_at, 2)
    assert last.stdev == pytest.approx(pipeline.two_pass_stdev("kraken:A-USD"), rel=1e-9)
    status = pipeline.reader.status(pipeline.now)
    assert (status.tracked, status.live) == (3, 2)
    assert len(pipeline.stored("kraken:A-USD")) == 2

    pipeline.restart()
    ticks(pipeline, 5)
    assert state(pipeline.row("kraken:A-USD")) == (None, False, "frozen")

    exchange.prices["A/USD"] = 8.0
    pipeline.tick()
    assert state(pipeline.row("kraken:A-USD")) == (1, True, None)
    assert pipeline.row("kraken:A-USD").stdev == pytest.approx(pipeline.two_pass_stdev("kraken:A-USD"), rel=1e-9)

    exchange.prices.pop("A/USD")
    ticks(pipeline, 9)
    assert state(pipeline.row("kraken:A-USD")) == (1, True, None)


def test_an_outage_freezes_no_metric(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    exchange.error = Unavailable("kraken", "gone")
    ticks(pipeline, 3 * FROZEN_PERIODS)
    pipeline.tick(minutes=120)

    assert [(row.base, row.rank) for row in pipeline.reader.ranking().metrics] == [("A", 1), ("B", 2), ("C", 3)]


def test_periods_without_an_answer_neither_count_nor_reset_the_count(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    exchange.prices.pop("A/USD")
    ticks(pipeline, 5)
    exchange.error = Unavailable("kraken", "gone")
    ticks(pipeline, 20)
    exchange.error = None
    pipeline.tick(minutes=30)
    ticks(pipeline, 3)
    assert state(pipeline.row("kraken:A-USD")) == (1, True, None)

    pipeline.tick()
    assert state(pipeline.row("kraken:A-USD")) == (None, False, "frozen")


def test_metrics_of_a_failing_exchange_are_not_frozen_while_another_answers(engine: Engine) -> None:
    down, up = FakeExchange("down", {"A/USD": 1.0}), FakeExchange("up", {"A/USD": 1.0})
    pipeline = PipelineHarness(engine, [down, up])
    pipeline.discover()
    pipeline.tick()
    down.error = Unavailable("down", "gone")
    ticks(pipeline, 2 * FROZEN_PERIODS)

    assert [(row.market, row.rank) for row in pipeline.reader.ranking().metrics] == [("down", 1), ("up", 2)]


def test_a_metric_that_never_had_a_price_is_frozen_too(engine: Engine) -> None:
    exchange = FakeExchange("kraken", {"A/USD": 1.0}, listed={"A/USD": True, "B/USD": True})
    pipeline = PipelineHarness(engine, [exchange])
    pipeline.discover()
    ticks(pipeline, FROZEN_PERIODS)

    assert state(pipeline.row("kraken:B-USD")) == (None, False, "frozen")


def test_frozen_metrics_stay_frozen_after_a_change_of_the_window(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    freeze(pipeline, exchange)
    pipeline.windows = Windows(main=3600, rule=3600)
    pipeline.restart()
    pipeline.tick()

    assert state(pipeline.row("kraken:A-USD")) == (None, False, "frozen")


def test_a_frozen_metric_is_delisted_when_unlisted_and_frozen_again_when_relisted_without_a_price(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    freeze(pipeline, exchange)
    exchange.listed = {"B/USD": True, "C/USD": True}
    pipeline.discover()
    assert state(pipeline.row("kraken:A-USD")) == (None, False, "delisted")
    ticks(pipeline, FROZEN_PERIODS)
    assert state(pipeline.row("kraken:A-USD")) == (None, False, "delisted")

    exchange.listed = {"A/USD": True, "B/USD": True, "C/USD": True}
    pipeline.discover()
    assert state(pipeline.row("kraken:A-USD")) == (None, False, "frozen")


def test_a_frozen_metric_fires_no_alert(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    ticks(pipeline, 10)
    exchange.prices["A/USD"] = 30.0
    exchange.error = Unavailable("kraken", "gone")  # so that no price arrives
    pipeline.tick()
    exchange.error = None
    freeze(pipeline, exchange)
    ticks(pipeline, 5)
    assert pipeline.reader.alerts() == ()

    exchange.prices["A/USD"] = 30.0
    pipeline.tick()
    assert [(alert.key, alert.fired_at) for alert in pipeline.reader.alerts()] == [("kraken:A-USD", pipeline.now)]


def test_frozen_metrics_are_not_reported_as_missing_prices(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    exchange.prices.pop("A/USD")
    ticks(pipeline, FROZEN_PERIODS)
    assert pipeline.reader.status(pipeline.now).exchanges[0].note == "1 of 3 tracked pairs without a price"

    exchange.prices |= {"B/USD": 6.0}
    pipeline.tick()
    assert pipeline.reader.status(pipeline.now).exchanges[0].note is None

    del exchange.prices["B/USD"]
    exchange.prices |= {"C/USD": 6.0}
    pipeline.tick()
    assert pipeline.reader.status(pipeline.now).exchanges[0].note == "1 of 2 tracked pairs without a price"
