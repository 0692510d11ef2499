import logging

import pytest

from services.notifiers.heartbeat import Heartbeat
from services.notifiers.safe_http import parse_target
from tests.receiver import Receiver
from tests.waiting import wait_for


def beat(heartbeat: Heartbeat, receiver: Receiver) -> None:
    """Send one request and wait for its end."""
    before = len(receiver.received)
    heartbeat.beat()
    wait_for(lambda: len(receiver.received) > before and not heartbeat._pinging.locked(), what="the request")


def test_each_beat_requests_the_url(receiver: Receiver) -> None:
    heartbeat = Heartbeat(parse_target(f"{receiver.url}?rid=1"))
    beat(heartbeat, receiver)
    beat(heartbeat, receiver)

    assert [(request.method, request.path) for request in receiver.received] == [("GET", "/hook?rid=1")] * 2


def test_failures_and_their_end_are_logged(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    heartbeat = Heartbeat(parse_target(receiver.url))
    for status in (200, 500, 500, 503, 200, 200, 404):
        receiver.status = status
        beat(heartbeat, receiver)

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "HEARTBEAT_URL: answered 500"),
        ("WARNING", "HEARTBEAT_URL: answered 503"),
        ("INFO", "HEARTBEAT_URL: answers again, after 3 failures in 0:00:00"),
        ("WARNING", "HEARTBEAT_URL: answered 404"),
    ]


def test_a_beat_does_not_wait_and_requests_do_not_accumulate(receiver: Receiver) -> None:
    receiver.may_answer.clear()
    heartbeat = Heartbeat(parse_target(receiver.url))
    heartbeat.beat()
    wait_for(lambda: receiver.received, what="the first request")
    for _ in range(100):
        heartbeat.beat()

    receiver.may_answer.set()
    wait_for(lambda: not heartbeat._pinging.locked(), what="the end of the first request")
    assert len(receiver.received) == 1
    beat(heartbeat, receiver)
    assert len(receiver.received) == 2
