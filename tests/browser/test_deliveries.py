import pytest

from layouts import ids
from services.market.errors import DeliveryFailed
from tests import builders
from tests.browser.conftest import Server
from tests.browser.pages import Site
from tests.fakes import FakeDeliveries

TABLE = f"#{ids.DELIVERIES}"
CHANNELS = ".channels"


@pytest.fixture
def deliveries(server: Server) -> FakeDeliveries:
    queued = {"state": "queued", "sent_at": None, "attempts": 3, "error": "answered 503", "due_at": builders.NOON}
    server.deliveries.channels = ("ops", "mail")
    server.deliveries.messages = (
        builders.delivery(3, **queued),
        builders.delivery(2, channel="mail", state="failed", sent_at=None, attempts=40, error="answered 500"),
        builders.delivery(1, fired=400, resolved=100),
    )
    return server.deliveries


@pytest.mark.usefixtures("deliveries")
def test_messages_are_shown_with_their_delivery_status(site: Site) -> None:
    site.open("/alerting?tab=deliveries")

    site.shows(TABLE, "400 alerts, 100 resolved: BTC/USD on kraken: 3.2 x its average, and 499 more")
    site.shows(TABLE, "answered 503, next try 1 Mar 2026, 13:00")
    for text in ("Queued", "Failed", "Sent", "answered 500"):
        assert text in site.text(TABLE)
    assert site.script("return document.querySelectorAll(arguments[0]).length", f"{TABLE} button") == 1


def test_a_click_retries_a_failed_message(site: Site, deliveries: FakeDeliveries) -> None:
    site.open("/alerting?tab=deliveries")
    site.shows(TABLE, "Failed")
    site.click(f"{TABLE} button")

    site.lacks(TABLE, "Failed")
    assert [one.state for one in deliveries.messages] == ["queued", "queued", "sent"]


def test_a_click_tests_a_channel_and_shows_the_result(site: Site, deliveries: FakeDeliveries) -> None:
    site.open("/alerting?tab=deliveries")
    site.shows(CHANNELS, "mail")
    site.click(f"{CHANNELS} li:last-child button")
    site.shows(f"{CHANNELS} li:last-child", "Accepted")
    assert deliveries.tried == ["mail"]
    assert "Accepted" not in site.text(f"{CHANNELS} li:first-child")

    deliveries.refuses = DeliveryFailed("answered 401")
    site.click(f"{CHANNELS} li:first-child button")
    site.shows(f"{CHANNELS} li:first-child", "Not accepted: answered 401")
    assert "Accepted" in site.text(f"{CHANNELS} li:last-child")


def test_new_messages_appear_on_the_open_page(site: Site, deliveries: FakeDeliveries) -> None:
    site.open("/alerting?tab=deliveries")
    site.shows(TABLE, "Failed")
    deliveries.messages = (builders.delivery(4, channel="pager"), *deliveries.messages)

    site.shows(TABLE, "pager")


def test_without_messages_the_page_explains_itself(site: Site, deliveries: FakeDeliveries) -> None:
    deliveries.messages = ()
    site.open("/alerting?tab=deliveries")

    site.shows(TABLE, "No message yet")


def test_without_channels_the_page_says_how_to_configure_some(site: Site) -> None:
    site.open("/alerting?tab=deliveries")

    site.shows(CHANNELS, "NOTIFY_URLS")
    assert site.text(TABLE, "") == ""
