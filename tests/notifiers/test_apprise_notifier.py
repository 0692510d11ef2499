import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from services.market.errors import DeliveryFailed
from services.market.messages import Message
from services.notifiers.apprise_notifier import AppriseNotifier, BadChannel
from tests.builders import NOON

# Apprise brings a stand-in for later Pythons; on this one it takes the module that is to go.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def a_message(title: str = "title", text: str = "text") -> Message:
    return Message("7", NOON, title, text)


@dataclass
class Messenger:
    """A messenger on this machine: answers `status`, and keeps what it was sent."""

    port: int = 0
    status: int = 200
    received: list[dict[str, object]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"


@pytest.fixture
def messenger() -> Iterator[Messenger]:
    messenger = Messenger()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            messenger.received.append(json.loads(body))
            self.send_response(messenger.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    messenger.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield messenger
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_arrives_with_its_title_and_text(messenger):
    AppriseNotifier(messenger.url, 1).send(a_message("BTC/USD at 190000", "3x its average <b>[7]"))
    assert [(one["title"], one["message"]) for one in messenger.received] == [
        ("BTC/USD at 190000", "3x its average <b>[7]")
    ]


@pytest.mark.parametrize("status", [500, 429, 404])
def test_a_message_that_is_not_accepted_has_failed_after_one_attempt(messenger, status):
    messenger.status = status
    with pytest.raises(DeliveryFailed) as caught:
        AppriseNotifier(messenger.url, 1).send(a_message("title", "text"))
    assert len(messenger.received) == 1
    assert not caught.value.permanent


def test_a_messenger_that_is_away_has_failed_too(messenger):
    silent = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port = silent.server_port
    silent.server_close()
    with pytest.raises(DeliveryFailed):
        AppriseNotifier(f"json://127.0.0.1:{port}/hook", 1).send(a_message("title", "text"))
    assert messenger.received == []


def test_a_failure_does_not_spoil_the_next_attempt(messenger):
    notifier = AppriseNotifier(messenger.url, 1)
    messenger.status = 500
    with pytest.raises(DeliveryFailed):
        notifier.send(a_message("title", "first"))
    messenger.status = 200
    notifier.send(a_message("title", "second"))
    assert [one["message"] for one in messenger.received] == ["first", "second"]


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://user:hunter2@host",
        "no address but hunter2",
        "hunter2",
        "mailto:me:hunter2@example.org",
        "slack://T1/hunter2",
    ],
)
def test_an_address_without_a_messenger_is_refused_and_nowhere_repeated(url, caplog):
    caplog.set_level(logging.DEBUG, logger="apprise")
    with pytest.raises(BadChannel) as caught:
        AppriseNotifier(url, 4)
    assert str(caught.value) == "NOTIFY_URLS: entry 4 is no address that Apprise knows"
    assert "hunter2" not in caplog.text


def test_a_failed_delivery_does_not_write_the_address_to_the_log(messenger, caplog):
    caplog.set_level(logging.DEBUG, logger="apprise")
    messenger.status = 500
    with pytest.raises(DeliveryFailed):
        AppriseNotifier(messenger.url + "/hunter2", 1).send(a_message("title", "text"))
    assert "hunter2" not in caplog.text


def test_a_channels_name_is_stable_tells_the_messenger_and_no_secret():
    channel = AppriseNotifier("json://user:hunter2@127.0.0.1/hook", 1).channel
    assert channel == AppriseNotifier("json://user:hunter2@127.0.0.1/hook", 2).channel
    assert channel != AppriseNotifier("json://user:hunter3@127.0.0.1/hook", 1).channel
    assert channel.startswith("json-")
    assert "hunter" not in channel
    assert len(channel) == len("json-") + 10
