from datetime import timedelta

import pytest

from services.actions.deliveries import DeliveryService
from services.market.errors import DeliveryFailed, NotFailed, UnknownChannel, UnknownDelivery
from services.market.types import Listing, Pair
from services.store.alerting import alerts, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.database.engine import Engine, writing
from services.store.ranking import metrics
from tests.builders import NOON
from tests.fakes_exchange import FakeNotifier

T = int(NOON.timestamp())


@pytest.fixture(autouse=True)
def _one_that_failed(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOON)
        (number,) = alerts.insert_alerts(connection, [NewAlert(1, T, 400.0, 100.0, 3.0, 60)])
        outbox.enqueue(connection, T, [AlertNotice(number, "fired", ["mail"])])
        claimed = outbox.claim(connection, "mail", T, "me")
        assert claimed is not None
        outbox.mark_failed(connection, claimed, T, "gone")


def test_a_failed_delivery_is_retried_once(engine: Engine) -> None:
    alert_service = DeliveryService(engine, [])
    (failed,) = alert_service.newest(10, "failed")

    again = alert_service.retry(failed.id, NOON + timedelta(days=2))

    assert (again.state, again.attempts, again.due_at) == ("queued", 0, NOON + timedelta(days=2))
    assert alert_service.newest(10) == (again,)
    with pytest.raises(NotFailed, match=r"^message 1 is queued: only one that has failed can be tried again$"):
        alert_service.retry(failed.id, NOON)
    with pytest.raises(UnknownDelivery, match=r"^no message 7$"):
        alert_service.retry(7, NOON)
    with pytest.raises(UnknownDelivery, match=r"^no message 100000000000000000000$"):
        alert_service.retry(10**20, NOON)


def test_a_test_goes_to_the_channel_of_that_name_at_once(engine: Engine) -> None:
    mail, chat = FakeNotifier("mail"), FakeNotifier("chat", errors=[DeliveryFailed("busy")])
    alert_service = DeliveryService(engine, [mail, chat])

    assert alert_service.channels == ("mail", "chat")
    alert_service.try_out("mail", NOON)
    alert_service.try_out("mail", NOON)
    with pytest.raises(DeliveryFailed, match="busy"):
        alert_service.try_out("chat", NOON)
    with pytest.raises(UnknownChannel):
        alert_service.try_out("fax", NOON)

    assert [message.title for message in mail.accepted] == ["Test from Data Tracker"] * 2
    assert "The channel mail works" in mail.accepted[0].text
    assert len({message.key for message in mail.accepted}) == 2
