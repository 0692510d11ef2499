"""Processes are killed by SIGKILL wherever a message could be lost, and none is."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from services.market.types import Listing, Pair
from services.notifiers.safe_http import parse_target
from services.notifiers.webhook import WebhookNotifier, WebhookOptions
from services.pipeline.notify import ChannelSender, channel_lease_holder
from services.store.alerting import deliveries
from services.store.database.engine import Engine, reading, writing
from services.store.ranking import metrics
from tests.builders import NOON
from tests.fakes import Passing, Timer
from tests.receiver import Receiver, receiving

pytestmark = [pytest.mark.processes, pytest.mark.soak]

ROOT = Path(__file__).parents[2]

KILLED_PROCESSES = """
import os, signal, sys, time
from datetime import timedelta
from random import Random
from threading import Event
from services.notifiers.safe_http import parse_target
from services.notifiers.webhook import WebhookOptions, WebhookNotifier
from services.pipeline.notify import channel_lease_holder, ChannelSender
from services.store.alerting import alerts, outbox
from services.store.alerting.alerts import NewAlert
from services.store.database.engine import open_engine, writing
from services.store.alerting.outbox import AlertNotice
from tests.builders import NOON

database, url, places, deaths = sys.argv[1], sys.argv[2], sys.argv[3].split(","), int(sys.argv[4])


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Dying(WebhookNotifier):
    place = ""

    def send(self, message):
        if self.place == "claimed":
            die()
        super().send(message)
        if self.place == "sent":
            die()


def live(number, place):
    engine, second = open_engine(database), int(NOON.timestamp()) + number
    with writing(engine) as connection:
        (alert,) = alerts.insert_alerts(connection, [NewAlert(1, second, 400.0, 100.0, 3.0, 60)])
        outbox.enqueue(connection, second, [AlertNotice(alert, "fired", [f"hook-{number}"])])
        if place == "writing":
            die()
    if place == "committed":
        die()
    now = NOON + timedelta(seconds=number)
    notifier = Dying(parse_target(url), f"hook-{number}", WebhookOptions(allow_private=True), lambda: now)
    notifier.place = place
    candidate = channel_lease_holder(notifier.channel, f"process {os.getpid()}", lambda: now, time.monotonic)
    ChannelSender(engine, notifier, candidate, lambda: now, Random(1), Event()).send_due()


for number in range(deaths):
    child = os.fork()
    if not child:
        try:
            live(number, places[number % len(places)])
        finally:
            os._exit(1)  # reached only if it was not killed
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, number
"""
"""Processes that each fire an alert for a channel of their own and are killed: before the commit, after it, after the
claim, or after sending. They are forked before anything is opened, which keeps each of them cheap."""


@pytest.fixture(autouse=True)
def _one_metric(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOON)


def kill(url: str, receiver: Receiver, places: str, deaths: int) -> None:
    line = [sys.executable, "-c", KILLED_PROCESSES, url, receiver.url, places, str(deaths)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}  # one thread forks well
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def survive(engine: Engine, receiver: Receiver, deaths: int) -> None:
    """Send all messages of the killed processes, once their claims are seen to have expired."""
    now, timer = NOON + timedelta(seconds=deaths), Timer()
    for number in range(deaths):
        channel = f"hook-{number}"
        notifier = WebhookNotifier(parse_target(receiver.url), channel, WebhookOptions(allow_private=True), lambda: now)
        lease_holder = channel_lease_holder(channel, "survivor", lambda: now, timer)
        ChannelSender(engine, notifier, lease_holder, lambda: now, Random(1), Passing(timer)).send_due()
    with reading(engine) as connection:
        assert deliveries.newest(connection, 1, "queued") == ()


def received(receiver: Receiver) -> tuple[Counter[str], Counter[int]]:
    """How often each message (by key) and each alert arrived."""
    bodies = [json.loads(request.body) for request in receiver.received]
    keys = Counter(body["key"] for body in bodies)
    assert keys == Counter(request.headers["Idempotency-Key"] for request in receiver.received)
    return keys, Counter(alert["id"] for body in bodies for alert in body["alerts"])


@pytest.fixture
def deaths(engine: Engine, soak: bool) -> int:
    """The number of processes to kill. Fewer on PostgreSQL, where each needs a connection."""
    usual = 200 if soak else 20
    return usual if engine.dialect.name == "sqlite" else usual // 5


def test_no_message_is_lost_by_a_kill_between_commit_and_send(engine: Engine, migrated_url: str, deaths: int) -> None:
    # Half of them are killed before the message is claimed, half after.
    with receiving() as receiver:
        kill(migrated_url, receiver, "committed,claimed", deaths)
        assert receiver.received == []
        survive(engine, receiver, deaths)
        keys, alerts = received(receiver)

    assert set(alerts) == set(range(1, deaths + 1))
    assert set(keys.values()) == set(alerts.values()) == {1}


def test_no_message_is_lost_by_a_kill_after_sending_and_repeats_carry_the_same_key(
    engine: Engine, migrated_url: str, deaths: int
) -> None:
    with receiving() as receiver:
        kill(migrated_url, receiver, "sent", deaths)
        survive(engine, receiver, deaths)
        keys, alerts = received(receiver)

    assert set(alerts) == set(range(1, deaths + 1))
    assert len(keys) == deaths
    assert set(keys.values()) == {2}


def test_a_kill_before_the_commit_leaves_neither_an_alert_nor_a_message(engine: Engine, migrated_url: str) -> None:
    with receiving() as receiver:
        kill(migrated_url, receiver, "writing", 10)
        survive(engine, receiver, 10)

        assert receiver.received == []
    with reading(engine) as connection:
        assert deliveries.newest(connection, 10) == ()
