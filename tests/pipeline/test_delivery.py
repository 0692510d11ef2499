"""From the tick that fires to the receiver, over real connections."""

import json
from datetime import timedelta
from random import Random
from threading import Event

import pytest

from services.market.ports import Clock
from services.notifiers.safe_http import parse_target
from services.notifiers.webhook import WebhookNotifier, WebhookOptions
from services.pipeline.notify import ChannelSender, channel_lease_holder
from services.store.database.engine import Engine
from tests.builders import NOON
from tests.fakes import Timer
from tests.fakes_exchange import FakeClock, FakeExchange
from tests.pipeline.harness import PipelineHarness
from tests.receiver import Receiver, receiving

MANY = 500


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(MANY)})


@pytest.fixture
def pipeline(engine: Engine, exchange: FakeExchange) -> PipelineHarness:
    """A pipeline with an average for each pair, which notifies two channels."""
    pipeline = PipelineHarness(engine, [exchange], channels=("first", "second"))
    pipeline.discover()
    for _ in range(10):
        pipeline.tick()
    return pipeline


def webhook(url: str, channel: str) -> WebhookNotifier:
    return WebhookNotifier(parse_target(url), channel, WebhookOptions(allow_private=True), lambda: NOON)


def send(pipeline: PipelineHarness, notifier: WebhookNotifier, clock: Clock, seed: int = 1) -> int:
    lease_holder = channel_lease_holder(notifier.channel, "this process", clock, Timer())
    return ChannelSender(pipeline.engine, notifier, lease_holder, clock, Random(seed), Event()).send_due()


def bodies(receiver: Receiver) -> list[dict[str, object]]:
    return [json.loads(request.body) for request in receiver.received]


def test_five_hundred_alerts_in_one_tick_are_one_message_per_channel(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    exchange.prices = {pair: 400.0 + number for number, pair in enumerate(exchange.prices)}
    pipeline.tick()

    with receiving() as receiver:
        for channel in ("first", "second"):
            notifier = webhook(receiver.url, channel)
            assert send(pipeline, notifier, lambda: pipeline.now) == 1
            assert send(pipeline, notifier, lambda: pipeline.now + timedelta(hours=1)) == 0
        first, second = bodies(receiver)

    assert first["key"] != second["key"]
    assert first["fired"] == second["fired"] == MANY
    named = first["alerts"]
    assert isinstance(named, list)
    assert [alert["metric"] for alert in named] == [f"kraken:C{number}-USD" for number in range(499, 479, -1)]
    assert first["title"] == "500 alerts: C499/USD on kraken: 9.0 x its average, and 499 more"
    lines = str(first["text"]).splitlines()
    assert lines[0] == "C499/USD on kraken: 9.0 x its average (899 USD, average 100)"
    assert lines[-2:] == ["and 480 more", f"[{first['key']}]"]
    assert len(str(first["text"])) < 2_000  # the smallest message limit of the supported services


def test_a_receiver_that_was_down_gets_all_messages_when_it_is_back(
    pipeline: PipelineHarness, exchange: FakeExchange
) -> None:
    with receiving() as receiver:
        port = receiver.port
    notifier = webhook(receiver.url, "first")
    for number in range(30):
        exchange.prices[f"C{number}/USD"] = 1_000.0
        pipeline.tick()
        assert send(pipeline, notifier, lambda: pipeline.now, number) == 0

    with receiving(port=port) as back:
        clock = FakeClock(pipeline.now)
        while send(pipeline, notifier, clock) or clock.now < pipeline.now + timedelta(hours=1):
            clock.advance(seconds=5)
        received = [alert["metric"] for body in bodies(back) for alert in body["alerts"]]  # type: ignore[attr-defined]

    assert received == [f"kraken:C{number}-USD" for number in range(30)]
    assert len({str(body["key"]) for body in bodies(back)}) == 30
