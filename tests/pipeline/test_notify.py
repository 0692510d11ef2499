from datetime import datetime, timedelta

import pytest

from services.market.errors import DeliveryFailed
from services.market.types import Listing, Pair
from services.pipeline.notify import GIVE_UP_SECONDS, notify
from services.store import alerts, metrics
from services.store.alerts import Firing
from services.store.engine import Engine, writing
from tests.builders import NOON
from tests.fakes_exchange import FakeNotifier


@pytest.fixture(autouse=True)
def _one_alert(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOON)
        firing = Firing(1, int(NOON.timestamp()), 400.0, 100.0, 3.0, 60)
        alerts.fire(connection, [firing], ["test"])


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_message_names_the_metric_and_its_figures_and_is_sent_once(engine: Engine) -> None:
    notifier = FakeNotifier()

    assert notify(engine, [notifier], at(1)) == 1
    assert notify(engine, [notifier], at(1000)) == 0

    assert notifier.accepted == [
        (
            "BTC/USD on kraken: 4.0 x its average",
            "BTC/USD on kraken was 400 USD at 2026-03-01 12:00 UTC, more than 3 x 100, "
            "the average of the 60 prices before. [alert-1]",
            "alert-1",
        )
    ]


def test_a_message_that_is_not_accepted_is_tried_again_ever_more_slowly(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("busy"), DeliveryFailed("busy")])

    assert notify(engine, [notifier], at(0)) == 0
    assert notify(engine, [notifier], at(14)) == 0
    assert len(notifier.errors) == 1
    assert notify(engine, [notifier], at(15)) == 0
    assert notifier.errors == []
    assert notify(engine, [notifier], at(15 + 29)) == 0
    assert notify(engine, [notifier], at(15 + 30)) == 1


def test_a_sender_that_dies_leaves_its_message_to_the_next(engine: Engine) -> None:
    class Killed(BaseException):
        pass

    class Dying(FakeNotifier):
        def send(self, title: str, body: str, key: str) -> None:
            raise Killed

    with pytest.raises(Killed):
        notify(engine, [Dying()], at(0))

    notifier = FakeNotifier()
    assert notify(engine, [notifier], at(119)) == 0
    assert notify(engine, [notifier], at(120)) == 1


def test_a_message_is_given_up_when_trying_does_not_help(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("no such address", permanent=True)])
    notify(engine, [notifier], at(0))

    assert "alert 1 is given up: no such address" in caplog.text
    assert notify(engine, [notifier], at(10_000)) == 0
    assert notifier.accepted == []


def test_a_message_is_given_up_after_a_day(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("busy")])
    notify(engine, [notifier], at(GIVE_UP_SECONDS))

    assert notify(engine, [notifier], at(GIVE_UP_SECONDS * 2)) == 0
    assert notifier.accepted == []


def test_a_channel_that_is_gone_from_the_settings_is_owed_until_it_is_back(engine: Engine) -> None:
    assert notify(engine, [], at(0)) == 0
    assert notify(engine, [FakeNotifier("other")], at(0)) == 0
    assert notify(engine, [FakeNotifier()], at(1)) == 1
