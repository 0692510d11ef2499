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
from tests.pipeline.world import World
from tests.receiver import Receiver, receiving

MANY = 500


@pytest.fixture
def exchange() -> FakeExchange:
    return FakeExchange("kraken", {f"C{number}/USD": 100.0 for number in range(MANY)})


@pytest.fixture
def world(engine: Engine, exchange: FakeExchange) -> World:
    """Ticks that know the usual prices, and owe alerts to two channels."""
    world = World(engine, [exchange], channels=("first", "second"))
    world.discover()
    for _ in range(10):
        world.tick()
    return world


def webhook(url: str, channel: str) -> WebhookNotifier:
    return WebhookNotifier(parse_target(url), channel, WebhookOptions(allow_private=True), lambda: NOON)


def send(world: World, notifier: WebhookNotifier, clock: Clock, seed: int = 1) -> int:
    lease_holder = channel_lease_holder(notifier.channel, "this process", clock, Timer())
    return ChannelSender(world.engine, notifier, lease_holder, clock, Random(seed), Event()).send_due()


def bodies(receiver: Receiver) -> list[dict[str, object]]:
    return [json.loads(request.body) for request in receiver.received]


def test_five_hundred_alerts_in_one_tick_are_one_message_a_channel(world: World, exchange: FakeExchange) -> None:
    exchange.prices = {pair: 400.0 + number for number, pair in enumerate(exchange.prices)}
    world.tick()

    with receiving() as receiver:
        for channel in ("first", "second"):
            notifier = webhook(receiver.url, channel)
            assert send(world, notifier, lambda: world.now) == 1
            assert send(world, notifier, lambda: world.now + timedelta(hours=1)) == 0
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
    assert len(str(first["text"])) < 2_000  # what the narrowest messenger takes in one piece


def test_a_receiver_that_was_down_gets_everything_when_it_is_back(world: World, exchange: FakeExchange) -> None:
    with receiving() as receiver:
        port = receiver.port
    notifier = webhook(receiver.url, "first")
    for number in range(30):
        exchange.prices[f"C{number}/USD"] = 1_000.0
        world.tick()
        assert send(world, notifier, lambda: world.now, number) == 0

    with receiving(port=port) as back:
        clock = FakeClock(world.now)
        while send(world, notifier, clock) or clock.now < world.now + timedelta(hours=1):
            clock.advance(seconds=5)
        received = [alert["metric"] for body in bodies(back) for alert in body["alerts"]]  # type: ignore[attr-defined]

    assert received == [f"kraken:C{number}-USD" for number in range(30)]
    assert len({str(body["key"]) for body in bodies(back)}) == 30
