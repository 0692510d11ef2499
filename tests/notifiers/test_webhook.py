import json
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import enumerate as enumerate_threads

import pytest

from services.market.alerting.messages import Entry, compose, trial
from services.market.errors import DeliveryFailed
from services.notifiers import safe_http, webhook
from services.notifiers.safe_http import Resolve, is_public, parse_target
from services.notifiers.webhook import WebhookNotifier, WebhookOptions, parse_retry_after, sign
from tests import builders
from tests.builders import NOON
from tests.receiver import CERTIFICATE, Receiver, receiving
from tests.waiting import wait_for

SECRET = "a secret of two"
MESSAGE = compose("abc-7-1", NOON, (Entry("fired", builders.alert(5)), Entry("resolved", builders.alert(6))), 400, 100)
ROOT = Path(__file__).parents[2]


def notifier(url: str, resolve: Resolve = safe_http.resolve, **options: object) -> WebhookNotifier:
    given = WebhookOptions(**{"secret": SECRET, "allow_private": True} | options)  # type: ignore[arg-type]
    return WebhookNotifier(parse_target(url), "hook", given, lambda: NOON, resolve)


def refusal(sender: WebhookNotifier) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        sender.send(MESSAGE)
    return caught.value


def test_a_message_is_posted_as_json_with_its_key(receiver: Receiver) -> None:
    notifier(f"{receiver.url}/a%20b c?d=é&f=1").send(MESSAGE)

    (request,) = receiver.received
    assert (request.method, request.path) == ("POST", "/hook/a%20b%20c?d=%C3%A9&f=1")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "abc-7-1"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    body = json.loads(request.body)
    assert body["key"] == "abc-7-1"
    assert body["at"] == "2026-03-01T12:00:00Z"
    assert (body["fired"], body["resolved"]) == (400, 100)
    assert body["title"] == "400 alerts, 100 resolved: BTC/USD on kraken: 3.2 x its average, and 499 more"
    assert body["alerts"][0] == {
        "kind": "fired",
        "id": 5,
        "metric": "kraken:BTC-USD",
        "metric_id": 1,
        "price": 190_000.0,
        "average": 60_000.0,
        "factor": 3.0,
        "samples": 60,
        "fired_at": "2026-03-01T11:55:00Z",
        "rule_id": 0,
        "rule": None,
        "condition": None,
        "quantity": "price",
        "value": None,
        "reference": None,
        "threshold": None,
        "reason": None,
    }
    assert [alert["kind"] for alert in body["alerts"]] == ["fired", "resolved"]


def test_a_test_message_has_no_alerts(receiver: Receiver) -> None:
    notifier(receiver.url).send(trial("test-1", NOON, "hook"))

    body = json.loads(receiver.received[0].body)
    assert (body["title"], body["fired"], body["resolved"], body["alerts"]) == ("Test from Data Tracker", 0, 0, [])


def test_the_documented_receiver_accepts_only_genuine_requests(receiver: Receiver) -> None:
    document = (ROOT / "docs/webhooks.md").read_text()
    snippet = re.search(r"```python\n(.*?)```", document, re.DOTALL)
    assert snippet is not None
    namespace: dict[str, object] = {}
    exec(snippet[1], namespace)
    is_genuine = namespace["is_genuine"]
    assert callable(is_genuine)

    notifier(receiver.url).send(MESSAGE)
    (request,) = receiver.received
    headers, body, now = request.headers, request.body, NOON.timestamp()
    assert is_genuine(SECRET, headers, body, now)
    assert is_genuine(SECRET, headers, body, now + 299)
    assert not is_genuine(SECRET, headers, body, now + 301)
    assert not is_genuine(SECRET, headers, body + b" ", now)
    assert not is_genuine("another secret", headers, body, now)
    assert not is_genuine(SECRET, dict(headers) | {"Webhook-Timestamp": str(int(now) + 1)}, body, now)
    assert not is_genuine(SECRET, {}, body, now)


def test_a_signature_is_the_same_as_that_of_openssl() -> None:
    # printf '1.{}' | openssl dgst -sha256 -hmac key
    assert sign("key", "1", b"{}") == "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    notifier(receiver.url, secret=None).send(MESSAGE)

    assert not any(name.startswith("Webhook-") for name in receiver.received[0].headers)


@pytest.mark.parametrize(("status", "permanent"), [(500, False), (429, False), (404, False), (410, True)])
def test_a_message_that_is_not_accepted_fails_after_one_attempt(
    receiver: Receiver, status: int, permanent: bool
) -> None:
    receiver.status = status

    error = refusal(notifier(receiver.url))

    assert str(error) == f"answered {status}"
    assert (error.permanent, error.retry_after) == (permanent, None)
    assert error.refused == (status in (404, 410))
    assert len(receiver.received) == 1


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": f"{receiver.url}/elsewhere"}

    assert str(refusal(notifier(receiver.url))) == "answered 307, and redirects are not followed"
    assert [request.path for request in receiver.received] == ["/hook"]


def test_the_receivers_retry_after_is_reported(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "120"}

    assert refusal(notifier(receiver.url)).retry_after == 120


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 40, 999_999_999),
        ("Sun, 01 Mar 2026 12:05:00 GMT", 300),
        ("Sun, 01 Mar 2026 14:05:00 +0200", 300),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("soon", None),
        (f"Sun, 01 Mar {'9' * 40} 12:05:00 GMT", None),
        (f"Sun, 01 Mar 2026 12:05:00 +{'9' * 40}", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: int | None) -> None:
    assert parse_retry_after(header, NOON) == seconds
    assert parse_retry_after(header, NOON.astimezone(UTC) - timedelta(0)) == seconds


def test_a_receiver_that_never_responds_times_out(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.2)
    receiver.may_answer.clear()

    assert str(refusal(notifier(receiver.url))) == "no answer within 0.2 s"


def test_a_resolver_that_never_responds_times_out(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.2)

    def hang(_host: str, _port: int) -> list[str]:
        receiver.may_answer.wait(60)
        return ["127.0.0.1"]

    receiver.may_answer.clear()
    assert str(refusal(notifier(receiver.url, hang))) == "no answer within 0.2 s"

    receiver.may_answer.set()  # the abandoned request is not sent when the resolver answers at last
    wait_for(
        lambda: not any(thread.name == "http-request" for thread in enumerate_threads()), what="the end of the request"
    )
    assert receiver.received == []


def test_an_endless_response_is_accepted_unread(receiver: Receiver) -> None:
    receiver.endless = True

    notifier(receiver.url).send(MESSAGE)

    assert len(receiver.received) == 1


def test_a_receiver_that_cannot_be_reached_is_reported_without_its_url() -> None:
    with receiving() as gone:
        url = gone.url
    assert str(refusal(notifier(url))) == "cannot be reached: Connection refused"
    assert str(refusal(notifier("http://name.invalid/hunter2", lambda *_: []))).startswith("cannot be reached: ")


# Permitted addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "::", "::1", "::ffff:127.0.0.1",
        "::ffff:8.8.8.8", "::127.0.0.1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_outside_the_public_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.63.0.1", "168.63.129.17", "2606:4700::1111"])
def test_an_address_of_the_public_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0"])
def test_this_machine_is_refused_in_every_notation(receiver: Receiver, host: str) -> None:
    error = refusal(notifier(f"http://{host}:{receiver.port}/hook", allow_private=False))

    assert str(error) == "the host is at a private address, which WEBHOOK_ALLOW_PRIVATE does not allow"
    assert not error.permanent
    assert receiver.received == []


def test_a_name_is_resolved_once_so_that_rebinding_it_has_no_effect(receiver: Receiver) -> None:
    answers = [["203.0.113.9"], ["127.0.0.1"]]

    def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    refusal(notifier(f"http://rebind.test:{receiver.port}/hook", rebinding, allow_private=False))

    assert answers == [["127.0.0.1"]]
    assert receiver.received == []


def test_only_the_public_ones_of_several_addresses_are_tried(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def note(address: object, _timeout: float) -> None:
        tried.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(safe_http.socket, "create_connection", note)
    found = ["127.0.0.1", "8.8.8.8", "::1", "2606:4700::1111"]
    refusal(notifier(f"http://mixed.test:{receiver.port}/hook", lambda *_: found, allow_private=False))

    assert tried == [("8.8.8.8", receiver.port), ("2606:4700::1111", receiver.port)]


def test_the_next_address_is_tried_when_one_cannot_be_reached(receiver: Receiver) -> None:
    notifier(f"http://two.test:{receiver.port}/hook", lambda *_: ["127.0.0.2", "127.0.0.1"]).send(MESSAGE)

    assert [request.headers["Host"] for request in receiver.received] == [f"two.test:{receiver.port}"]


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process trusts the test's certificate authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    safe_http._tls.cache_clear()
    yield
    safe_http._tls.cache_clear()


@pytest.mark.usefixtures("trusting")
def test_the_certificate_of_a_pinned_connection_is_checked_against_the_host_name() -> None:
    with receiving(tls=True) as receiver:
        at = f":{receiver.port}/hook"
        notifier(f"https://receiver.test{at}", lambda *_: ["127.0.0.1"]).send(MESSAGE)
        error = refusal(notifier(f"https://other.test{at}", lambda *_: ["127.0.0.1"]))

        assert len(receiver.received) == 1
    assert str(error) == "cannot be reached: CERTIFICATE_VERIFY_FAILED"  # without the host name
    assert isinstance(error.__context__, ssl.SSLCertVerificationError)


def test_an_untrusted_certificate_is_refused() -> None:
    with receiving(tls=True) as receiver:
        refusal(notifier(f"https://receiver.test:{receiver.port}/hook", lambda *_: ["127.0.0.1"]))

        assert receiver.received == []


def test_the_timestamp_of_a_signature_is_the_time_of_sending(receiver: Receiver) -> None:
    moments = [NOON, NOON + timedelta(hours=1)]
    sender = WebhookNotifier(parse_target(receiver.url), "hook", WebhookOptions(SECRET, True), lambda: moments.pop(0))

    sender.send(MESSAGE)
    sender.send(MESSAGE)

    stamps = [datetime.fromtimestamp(int(request.headers["Webhook-Timestamp"]), UTC) for request in receiver.received]
    assert stamps == [NOON, NOON + timedelta(hours=1)]
