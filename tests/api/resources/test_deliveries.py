from datetime import timedelta

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from api.routes import mount
from services.market.errors import DeliveryFailed
from tests import builders
from tests.api.conftest import dashboard
from tests.builders import NOON
from tests.fakes import FakeDeliveries, fake_dependencies


@pytest.fixture
def deliveries() -> FakeDeliveries:
    queued = {"state": "queued", "sent_at": None, "attempts": 3, "error": "answered 503", "due_at": NOON}
    return FakeDeliveries(
        channels=("ops", "mail"),
        messages=(
            builders.delivery(3, **queued),
            builders.delivery(2, state="failed", sent_at=None, attempts=40, error="answered 500"),
            builders.delivery(1, fired=400, resolved=100),
        ),
    )


@pytest.fixture
def client(deliveries: FakeDeliveries) -> FlaskClient:
    server = Flask(__name__)
    mount(server, fake_dependencies(deliveries=deliveries))
    server.add_url_rule("/<path:path>", view_func=dashboard, methods=["GET", "POST"])
    return server.test_client()


def listed(client: FlaskClient, query: str = "") -> list[dict[str, object]]:
    answer = client.get(f"/alerts/deliveries{query}")
    assert answer.status_code == 200
    found: list[dict[str, object]] = answer.get_json()["deliveries"]
    return found


def test_deliveries_are_listed_with_their_status(client: FlaskClient) -> None:
    queued, failed, sent = listed(client)

    first = queued.pop("first")
    assert queued == {
        "id": 3,
        "channel": "ops",
        "state": "queued",
        "title": "BTC/USD on kraken: 3.2 x its average",
        "fired": 1,
        "resolved": 0,
        "attempts": 3,
        "error": "answered 503",
        "created_at": "2026-03-01T11:55:00Z",
        "due_at": "2026-03-01T12:00:00Z",
        "sent_at": None,
    }
    assert isinstance(first, dict)
    assert first["base"] == "BTC"
    assert (failed["state"], failed["due_at"], failed["error"]) == ("failed", None, "answered 500")
    assert (sent["state"], sent["sent_at"], sent["due_at"]) == ("sent", "2026-03-01T11:55:00Z", None)
    assert sent["title"] == "400 alerts, 100 resolved: BTC/USD on kraken: 3.2 x its average, and 499 more"


def test_deliveries_can_be_filtered_by_state_and_limited(client: FlaskClient) -> None:
    assert [one["id"] for one in listed(client, "?state=failed")] == [2]
    assert [one["id"] for one in listed(client, "?limit=2")] == [3, 2]


@pytest.mark.parametrize("query", ["state=lost", "kind=x", "limit=0", "limit=1001", "limit=x"])
def test_an_invalid_value_is_named_in_the_error(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/alerts/deliveries?{query}")

    assert answer.status_code == 422
    assert answer.get_json()["detail"].startswith(query.partition("=")[0])


def test_a_failed_delivery_can_be_retried(client: FlaskClient) -> None:
    answer = client.post("/alerts/deliveries/2/retry")

    assert answer.status_code == 200
    assert answer.get_json()["delivery"]["state"] == "queued"
    assert [one["id"] for one in listed(client, "?state=queued")] == [3, 2]


@pytest.mark.parametrize(("number", "status"), [("1", 409), ("3", 409), ("4", 404), ("x", 404), ("-1", 404)])
def test_other_deliveries_cannot_be_retried(client: FlaskClient, number: str, status: int) -> None:
    answer = client.post(f"/alerts/deliveries/{number}/retry")

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_channels_are_listed_by_name(client: FlaskClient) -> None:
    assert client.get("/alerts/channels").get_json() == {"channels": ["ops", "mail"]}


def test_a_channel_can_be_tested(client: FlaskClient, deliveries: FakeDeliveries) -> None:
    answer = client.post("/alerts/channels/mail/test")

    assert (answer.status_code, answer.get_json()) == (200, {"channel": "mail", "accepted": True})
    assert deliveries.tried == ["mail"]


def test_the_result_of_a_channel_test_is_sent(client: FlaskClient, deliveries: FakeDeliveries) -> None:
    deliveries.refuses = DeliveryFailed("answered 401")
    answer = client.post("/alerts/channels/mail/test")

    assert answer.status_code == 502
    assert (answer.get_json()["detail"], answer.get_json()["reason"]) == ("answered 401", "Not accepted")


def test_an_unknown_channel_is_reported(client: FlaskClient, deliveries: FakeDeliveries) -> None:
    answer = client.post("/alerts/channels/fax/test")

    assert (answer.status_code, answer.get_json()["detail"]) == (404, "no channel 'fax'")
    assert deliveries.tried == []


@pytest.mark.parametrize("path", ["/alerts/deliveries/2/retry", "/alerts/channels/mail/test"])
def test_get_on_an_action_changes_nothing(client: FlaskClient, deliveries: FakeDeliveries, path: str) -> None:
    before = deliveries.messages

    answer = client.get(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    assert answer.mimetype == "application/problem+json"
    assert client.options(path).headers["Allow"] == "POST, OPTIONS"

    assert (deliveries.messages, deliveries.tried) == (before, [])


def test_deliveries_are_never_cached(client: FlaskClient, deliveries: FakeDeliveries) -> None:
    listed(client)
    deliveries.messages = (builders.delivery(9, sent_at=NOON + timedelta(minutes=1)),)

    assert [one["id"] for one in listed(client)] == [9]


def test_links_lead_through_all_pages_of_deliveries(client: FlaskClient) -> None:
    found: list[object] = []
    address: str | None = "/alerts/deliveries?limit=1"
    while address is not None:
        answer = client.get(address)
        assert answer.headers["X-Total-Count"] == "3"
        found += [one["id"] for one in answer.get_json()["deliveries"]]
        links = requests.utils.parse_header_links(answer.headers["Link"])
        address = next((link["url"] for link in links if link["rel"] == "next"), None)

    assert found == [3, 2, 1]
    assert client.get("/alerts/deliveries?state=failed").headers["X-Total-Count"] == "1"
