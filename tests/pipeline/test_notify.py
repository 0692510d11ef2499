from datetime import datetime, timedelta
from random import Random
from threading import Event

import pytest

from services.market.errors import DeliveryFailed
from services.market.messages import Message
from services.market.ports import Notifiers
from services.market.types import Listing, Pair
from services.pipeline.notify import FIRST_WAIT_SECONDS, LONGEST_SILENCE_SECONDS, notify, pause_seconds
from services.store import alerts, metrics, outbox
from services.store.alerts import Firing
from services.store.engine import Engine, reading, writing
from services.store.outbox import GIVE_UP_SECONDS, News
from tests.builders import NOON
from tests.fakes_exchange import FakeClock, FakeNotifier


def fire(engine: Engine, at: datetime = NOON, *channels: str) -> None:
    second = int(at.timestamp())
    with writing(engine) as connection:
        (number,) = alerts.fire(connection, [Firing(1, second, 400.0, 100.0, 3.0, 60)])
        outbox.owe(connection, second, [News(number, "fired", channels or ("test",))])


@pytest.fixture(autouse=True)
def _one_alert(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOON)
    fire(engine)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def notify_at(engine: Engine, notifiers: Notifiers, seconds: float) -> int:
    return notify(engine, notifiers, lambda: at(seconds), Random(1))


def test_a_message_names_the_metric_and_its_figures_and_is_sent_once(engine: Engine) -> None:
    notifier = FakeNotifier()

    assert notify_at(engine, [notifier], 1) == 1
    assert notify_at(engine, [notifier], 1000) == 0

    (message,) = notifier.accepted
    assert message.title == "BTC/USD on kraken: 4.0 x its average"
    assert message.text == (
        "BTC/USD on kraken was 400 USD at 2026-03-01 12:00 UTC, more than 3 x 100, "
        f"the average of the 60 prices before.\n[{message.key}]"
    )


def test_a_message_that_is_not_accepted_is_tried_again_ever_more_slowly(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("busy"), DeliveryFailed("busy")])
    first, second = pause_seconds(0, Random(1)), pause_seconds(1, Random(1))

    assert notify_at(engine, [notifier], 0) == 0
    assert notify_at(engine, [notifier], first - 1) == 0
    assert len(notifier.errors) == 1
    assert notify_at(engine, [notifier], first) == 0
    assert notifier.errors == []
    assert notify_at(engine, [notifier], first + second - 1) == 0
    assert notify_at(engine, [notifier], first + second) == 1


def test_pauses_double_up_to_an_hour_and_half_of_each_is_chance() -> None:
    pauses = [[pause_seconds(attempts, Random(seed)) for seed in range(200)] for attempts in (0, 1, 2, 7, 8, 1_000)]

    wholes = [FIRST_WAIT_SECONDS * 2**attempts for attempts in (0, 1, 2, 7)] + [3_600, 3_600]
    for found, whole in zip(pauses, wholes, strict=True):
        assert whole // 2 <= min(found) < 0.6 * whole
        assert 0.9 * whole < max(found) <= whole
    assert pause_seconds(3, Random(7)) == pause_seconds(3, Random(7))


def test_a_receiver_that_names_its_time_is_left_alone_until_then(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("too many", retry_after=100)])
    assert notify_at(engine, [notifier], 0) == 0
    fire(engine, at(60))

    assert notify_at(engine, [notifier], 99) == 0
    assert notifier.accepted == []
    assert notify_at(engine, [notifier], 100) == 2


def test_no_receiver_silences_its_channel_for_the_day_that_a_message_lives(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("too many", retry_after=10**9)])
    notify_at(engine, [notifier], 0)

    assert notify_at(engine, [notifier], LONGEST_SILENCE_SECONDS - 1) == 0
    assert notify_at(engine, [notifier], LONGEST_SILENCE_SECONDS) == 1


def test_a_receiver_that_is_back_is_told_all_it_missed_at_once(engine: Engine) -> None:
    for minute in range(1, 30):
        fire(engine, at(60 * minute))
    away = FakeNotifier(errors=[DeliveryFailed("away") for _ in range(1_000)])
    for second in range(0, 3_600, 5):
        assert notify_at(engine, [away], second) == 0
    assert 100 < 1_000 - len(away.errors) < 720

    back = FakeNotifier()
    fire(engine, at(3_600))
    assert notify_at(engine, [back], 3_600) + notify_at(engine, [back], 3_605) == 31
    assert sorted({message.at for message in back.accepted}) == [at(60 * minute) for minute in [*range(30), 60]]


def test_a_channel_rests_at_the_first_refusal(engine: Engine) -> None:
    fire(engine, at(60))
    notifier = FakeNotifier(errors=[DeliveryFailed("away"), DeliveryFailed("away")])

    notify_at(engine, [notifier], 60)

    assert len(notifier.errors) == 1


def test_no_channel_waits_for_another_ones_time_out(engine: Engine) -> None:
    fire(engine, at(60), "slow", "quick")
    is_sent = Event()

    class Slow(FakeNotifier):
        def send(self, message: Message) -> None:
            assert is_sent.wait(20)
            raise DeliveryFailed("timed out")

    class Quick(FakeNotifier):
        def send(self, message: Message) -> None:
            is_sent.set()

    assert notify_at(engine, [Slow("slow"), Quick("quick")], 60) == 1


def test_a_sender_that_dies_leaves_its_message_to_the_next(engine: Engine) -> None:
    class Killed(BaseException):
        pass

    class Dying(FakeNotifier):
        def send(self, message: Message) -> None:
            raise Killed

    with pytest.raises(Killed):
        notify_at(engine, [Dying()], 0)

    notifier = FakeNotifier()
    assert notify_at(engine, [notifier], 119) == 0
    assert notify_at(engine, [notifier], 120) == 1


def test_a_message_is_given_up_when_trying_does_not_help(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("no such address", permanent=True)])
    notify_at(engine, [notifier], 0)

    assert "test: message 1 is given up: no such address" in caplog.text
    assert notify_at(engine, [notifier], 10_000) == 0
    assert notifier.accepted == []


def test_a_message_is_given_up_after_a_day_and_can_be_tried_again(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("busy")])
    notify_at(engine, [notifier], GIVE_UP_SECONDS)

    assert notify_at(engine, [notifier], GIVE_UP_SECONDS * 2) == 0
    assert notifier.accepted == []
    with reading(engine) as connection:
        (told,) = outbox.deliveries(connection, 10, "failed")
    assert (told.error, told.attempts) == ("busy", 1)

    with writing(engine) as connection:
        outbox.retry(connection, told.id, int(at(GIVE_UP_SECONDS * 2).timestamp()))
    assert notify_at(engine, [notifier], GIVE_UP_SECONDS * 2) == 1


def test_a_batch_of_slow_receivers_outlasts_no_claim(engine: Engine) -> None:
    clock = FakeClock(NOON)
    for second in range(1, 5):
        fire(engine, at(second))
    clock.advance(seconds=10)
    other = FakeNotifier()
    others: list[int] = []

    class Slow(FakeNotifier):
        def send(self, message: Message) -> None:
            clock.advance(seconds=50)
            super().send(message)
            if len(self.accepted) == 5:  # nothing is left but the one that is under way
                others.append(notify(engine, [other], clock, Random(1)))

    slow = Slow()
    assert notify(engine, [slow], clock, Random(1)) == 5
    assert others == [0]
    assert other.accepted == []


def test_a_messenger_that_stumbles_is_a_failed_attempt_and_given_up_after_a_day(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeNotifier):
        def send(self, message: Message) -> None:
            raise ValueError("https://secret.test/token")

    for second in (0, 60, GIVE_UP_SECONDS):
        notify_at(engine, [Broken()], second)

    with reading(engine) as connection:
        (told,) = outbox.deliveries(connection, 10, "failed")
    assert (told.error, told.attempts) == ("unexpected ValueError", 3)
    assert "message 1 is given up: unexpected ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_channel_that_is_gone_from_the_settings_is_owed_until_it_is_back(engine: Engine) -> None:
    assert notify_at(engine, [], 0) == 0
    assert notify_at(engine, [FakeNotifier("other")], 0) == 0
    assert notify_at(engine, [FakeNotifier()], 1) == 1
