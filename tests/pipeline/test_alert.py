import pytest

from services.market.alerting.rules import built_in_rule
from services.market.errors import Unavailable
from services.market.stats.metric_stats import Windows
from services.store.alerting import outbox
from services.store.database.engine import Engine, writing
from tests.fakes_exchange import FakeExchange
from tests.pipeline.harness import PipelineHarness


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {"BTC/USD": 100.0, "ETH/USD": 10.0})


@pytest.fixture
def pipeline(engine: Engine, exchange: FakeExchange) -> PipelineHarness:
    pipeline = PipelineHarness(engine, [exchange], channels=["mail", "chat"])
    pipeline.discover()
    return pipeline


def ticks(pipeline: PipelineHarness, count: int) -> None:
    for _ in range(count):
        pipeline.tick()


def fired(pipeline: PipelineHarness) -> list[tuple[str, float, float, int]]:
    return [(alert.key, alert.price, alert.average, alert.samples) for alert in pipeline.reader.alerts()]


def test_a_price_above_three_times_the_average_before_it_fires_once(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    ticks(pipeline, 10)
    exchange.prices["BTC/USD"] = 300.0
    pipeline.tick()
    assert fired(pipeline) == []

    exchange.prices["BTC/USD"] = 500.0
    pipeline.tick()

    average = (10 * 100.0 + 300.0) / 11
    assert fired(pipeline) == [("kraken:BTC-USD", 500.0, pytest.approx(average), 11)]
    assert pipeline.row("kraken:BTC-USD").alerted_at == pipeline.now
    assert pipeline.row("kraken:ETH-USD").alerted_at is None


def test_the_average_needs_five_earlier_prices(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    ticks(pipeline, 4)
    exchange.prices["BTC/USD"] = 1000.0
    pipeline.tick()
    assert fired(pipeline) == []

    exchange.prices["BTC/USD"] = 10_000.0
    pipeline.tick()
    assert [alert[3] for alert in fired(pipeline)] == [5]


def test_the_average_covers_only_the_last_hour(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    exchange.prices["BTC/USD"] = 10_000.0
    ticks(pipeline, 5)
    exchange.prices["BTC/USD"] = 100.0
    ticks(pipeline, 60)
    exchange.prices["BTC/USD"] = 301.0
    pipeline.tick()

    assert fired(pipeline) == [("kraken:BTC-USD", 301.0, pytest.approx(100.0), 60)]


def test_the_cooldown_delays_the_next_alert_across_restarts(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    ticks(pipeline, 10)
    exchange.prices["BTC/USD"] = 1_000.0
    pipeline.tick()
    first = pipeline.now
    price = 1_000.0
    while (pipeline.now - first).total_seconds() < 59 * 60:
        price *= 1.5
        exchange.prices["BTC/USD"] = price
        pipeline.restart()
        pipeline.tick()
        assert len(fired(pipeline)) == 1

    exchange.prices["BTC/USD"] = price * 100
    pipeline.tick()
    assert len(fired(pipeline)) == 2


def test_a_price_of_an_earlier_period_never_fires(pipeline: PipelineHarness, exchange: FakeExchange) -> None:
    ticks(pipeline, 10)
    exchange.prices["BTC/USD"] = 1_000.0
    exchange.error = Unavailable("kraken", "gone")
    ticks(pipeline, 3)
    assert fired(pipeline) == []


def test_each_channel_gets_one_message_in_the_commit_of_the_alert(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    ticks(pipeline, 10)
    exchange.prices |= {"BTC/USD": 1_000.0, "ETH/USD": 100.0}
    report = pipeline.tick()

    assert report is not None
    assert [firing.metric_id for firing in report.fired] == [1, 2]
    with writing(pipeline.engine) as connection:
        claimed = [
            outbox.claim(connection, channel, int(pipeline.now.timestamp()), "me") for channel in ("mail", "chat")
        ]
    assert [one and [entry.alert.base for entry in one.message.entries] for one in claimed] == [["BTC", "ETH"]] * 2


def test_the_rule_uses_its_own_window(engine: Engine, exchange: FakeExchange) -> None:
    rule = built_in_rule(factor=2.0, window_seconds=600, cooldown_seconds=0, min_samples=1)
    pipeline = PipelineHarness(engine, [exchange], windows=Windows(main=86_400, rule=600), rule=rule)
    pipeline.discover()
    exchange.prices["BTC/USD"] = 1_000.0
    ticks(pipeline, 10)
    exchange.prices["BTC/USD"] = 100.0
    ticks(pipeline, 10)
    exchange.prices["BTC/USD"] = 250.0
    pipeline.tick()

    assert fired(pipeline) == [("kraken:BTC-USD", 250.0, pytest.approx(100.0), 10)]
    assert pipeline.row("kraken:BTC-USD").average_1h == pytest.approx(550.0)
