import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import active_count

import pytest

from services.market.alerting.messages import Message
from services.market.errors import DeliveryFailed
from services.notifiers.apprise_notifier import AppriseNotifier
from tests.builders import NOON
from tests.receiver import Receiver
from tests.waiting import wait_for

# Apprise imports a module that later Pythons no longer have.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def message(title: str = "title", text: str = "text") -> Message:
    return Message("7", NOON, title, text)


def address(receiver: Receiver) -> str:
    return f"json://127.0.0.1:{receiver.port}/hook"


def sent_values(receiver: Receiver, field: str) -> list[object]:
    return [json.loads(request.body)[field] for request in receiver.received]


def test_a_message_arrives_with_its_title_and_text(receiver):
    AppriseNotifier(address(receiver), "test").send(message("BTC/USD at 190000", "3x its average <b>[7]"))
    assert sent_values(receiver, "title") == ["BTC/USD at 190000"]
    assert sent_values(receiver, "message") == ["3x its average <b>[7]"]


@pytest.mark.parametrize("status", [500, 429, 404])
def test_a_message_that_is_not_accepted_fails_after_one_attempt(receiver, status):
    receiver.status = status
    with pytest.raises(DeliveryFailed) as caught:
        AppriseNotifier(address(receiver), "test").send(message("title", "text"))
    assert len(receiver.received) == 1
    assert not caught.value.permanent


def test_a_message_to_a_closed_port_fails(receiver):
    silent = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = silent.server_port
    silent.server_close()
    with pytest.raises(DeliveryFailed):
        AppriseNotifier(f"json://127.0.0.1:{port}/hook", "test").send(message("title", "text"))
    assert receiver.received == []


def test_no_channel_waits_for_others_with_slow_receivers(receiver):
    receiver.may_answer.clear()
    channels = 40  # more than the threads of any shared pool
    notifiers = [AppriseNotifier(f"{address(receiver)}?rto=60", f"test {number}") for number in range(channels)]
    with ThreadPoolExecutor(channels) as threads:
        sent = [threads.submit(notifier.send, message()) for notifier in notifiers]
        try:
            wait_for(lambda: len(receiver.received) == channels, what="a request of each channel")
            assert not any(one.done() for one in sent)
        finally:
            receiver.may_answer.set()
        assert [one.result() for one in sent] == [None] * channels


def test_an_attempt_after_a_failure_succeeds(receiver):
    notifier = AppriseNotifier(address(receiver), "test")
    receiver.status = 500
    with pytest.raises(DeliveryFailed):
        notifier.send(message("title", "first"))
    receiver.status = 200
    notifier.send(message("title", "second"))
    assert sent_values(receiver, "message") == ["first", "second"]


def test_a_failed_delivery_does_not_log_the_url(receiver, caplog):
    caplog.set_level(logging.DEBUG, logger="apprise")
    receiver.status = 500
    with pytest.raises(DeliveryFailed):
        AppriseNotifier(address(receiver) + "/hunter2", "test").send(message("title", "text"))
    assert "hunter2" not in caplog.text


def test_a_service_that_hangs_is_abandoned_and_gets_no_further_message_until_it_answers(receiver):
    before = active_count()
    notifier = AppriseNotifier(address(receiver) + "?rto=60", "test", seconds=0.2)
    receiver.may_answer.clear()
    with pytest.raises(DeliveryFailed, match=r"no answer within 0\.2 s"):
        notifier.send(message("title", "first"))
    hanging = active_count()
    for _ in range(20):
        with pytest.raises(DeliveryFailed, match="has not answered the previous message yet"):
            notifier.send(message("title", "later"))
    assert active_count() <= hanging

    receiver.may_answer.set()
    wait_for(lambda: active_count() <= before, what="the end of the abandoned request")
    AppriseNotifier(address(receiver), "test").send(message("title", "last"))
    assert "last" in sent_values(receiver, "message")
    assert "later" not in sent_values(receiver, "message")


def test_mail_to_a_server_that_accepts_the_connection_and_never_responds_is_abandoned():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        notifier = AppriseNotifier(
            f"mailto://127.0.0.1:{silent.getsockname()[1]}?from=a@b.test&to=c@d.test", "mail", 0.2
        )
        with pytest.raises(DeliveryFailed, match="no answer within"):
            notifier.send(message())
