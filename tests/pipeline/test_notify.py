from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from random import Random
from threading import Event, get_ident
from threading import enumerate as enumerate_threads

import pytest

from services.market.alerting.messages import Message
from services.market.errors import DeliveryFailed
from services.market.ports import Clock, Notifier
from services.market.types import Listing, Pair
from services.pipeline.notify import (
    FIRST_WAIT_SECONDS,
    MAX_SILENCE_SECONDS,
    ChannelSender,
    Senders,
    channel_lease_holder,
    pause_seconds,
)
from services.store.alerting import alerts, deliveries, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import GIVE_UP_SECONDS, AlertNotice
from services.store.database.engine import Engine, reading, writing
from services.store.ranking import metrics
from tests.builders import NOON
from tests.fakes import Timer
from tests.fakes_exchange import FakeNotifier
from tests.waiting import wait_for


def fire(engine: Engine, at: datetime = NOON, *channels: str) -> None:
    second = int(at.timestamp())
    with writing(engine) as connection:
        (number,) = alerts.insert_alerts(connection, [NewAlert(1, second, 400.0, 100.0, 3.0, 60)])
        outbox.enqueue(connection, second, [AlertNotice(number, "fired", channels or ("test",))])


@pytest.fixture(autouse=True)
def _one_alert(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOON)
    fire(engine)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def notify_at(engine: Engine, notifiers: Sequence[Notifier], seconds: float) -> int:
    return sum(send(engine, notifier, lambda: at(seconds)) for notifier in notifiers)


def send(engine: Engine, notifier: Notifier, clock: Clock) -> int:
    lease_holder = channel_lease_holder(notifier.channel, "this process", clock, Timer())
    return ChannelSender(engine, notifier, lease_holder, clock, Random(1), Event()).send_due()


def messages(engine: Engine) -> list[tuple[str, str, str | None, int]]:
    """Channel, state, error and attempts of each message, newest first."""
    with reading(engine) as connection:
        found = deliveries.newest(connection, 100)
    return [(one.channel, one.state, one.error, one.attempts) for one in found]


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


def test_a_message_that_is_not_accepted_is_retried_with_growing_pauses(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("busy"), DeliveryFailed("busy")])
    first, second = pause_seconds(0, Random(1)), pause_seconds(1, Random(1))

    assert notify_at(engine, [notifier], 0) == 0
    assert notify_at(engine, [notifier], first - 1) == 0
    assert len(notifier.errors) == 1
    assert notify_at(engine, [notifier], first) == 0
    assert notifier.errors == []
    assert notify_at(engine, [notifier], first + second - 1) == 0
    assert notify_at(engine, [notifier], first + second) == 1


def test_pauses_double_up_to_an_hour_and_half_of_each_is_random() -> None:
    pauses = [[pause_seconds(attempts, Random(seed)) for seed in range(200)] for attempts in (0, 1, 2, 7, 8, 1_000)]

    wholes = [FIRST_WAIT_SECONDS * 2**attempts for attempts in (0, 1, 2, 7)] + [3_600, 3_600]
    for found, whole in zip(pauses, wholes, strict=True):
        assert whole // 2 <= min(found) < 0.6 * whole
        assert 0.9 * whole < max(found) <= whole
    assert pause_seconds(3, Random(7)) == pause_seconds(3, Random(7))


def test_no_message_is_sent_before_the_time_in_retry_after(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("too many", retry_after=100)])
    assert notify_at(engine, [notifier], 0) == 0
    fire(engine, at(60))

    assert notify_at(engine, [notifier], 99) == 0
    assert notifier.accepted == []
    assert notify_at(engine, [notifier], 100) == 2


def test_retry_after_cannot_silence_a_channel_for_the_lifetime_of_a_message(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("too many", retry_after=10**9)])
    notify_at(engine, [notifier], 0)

    assert notify_at(engine, [notifier], MAX_SILENCE_SECONDS - 1) == 0
    assert notify_at(engine, [notifier], MAX_SILENCE_SECONDS) == 1


def test_a_receiver_that_is_back_gets_all_pending_messages_at_once(engine: Engine) -> None:
    away = FakeNotifier(errors=[DeliveryFailed("away") for _ in range(1_000)])
    for second in range(0, 3_600, 5):
        if second % 60 == 0 and 0 < second < 1_800:
            fire(engine, at(second))
        assert notify_at(engine, [away], second) == 0
    assert 30 <= 1_000 - len(away.errors) < 60  # one a minute while new messages arrive, then with growing pauses

    back = FakeNotifier()
    fire(engine, at(3_600))
    assert notify_at(engine, [back], 3_600) == 31
    assert [message.at for message in back.accepted] == [at(60 * minute) for minute in [*range(30), 60]]


def test_resolved_is_never_sent_before_fired(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("busy")])
    notify_at(engine, [notifier], 0)
    with writing(engine) as connection:
        outbox.enqueue(connection, int(at(5).timestamp()), [AlertNotice(1, "resolved", ["test"])])

    for second in range(5, 60, 5):
        notify_at(engine, [notifier], second)

    assert [(message.fired, message.resolved) for message in notifier.accepted] == [(1, 0), (0, 1)]


def test_newer_messages_wait_while_the_oldest_waits_for_its_retry(engine: Engine) -> None:
    fire(engine, at(1))
    notifier = FakeNotifier(errors=[DeliveryFailed("busy"), DeliveryFailed("busy")])
    pause = pause_seconds(0, Random(1))

    for second in range(1, 1 + pause):
        notify_at(engine, [notifier], second)
    assert len(notifier.errors) == 1
    assert notifier.accepted == []

    fire(engine, at(1 + pause / 2))  # a new message causes an early retry of the oldest
    notify_at(engine, [notifier], 1 + pause / 2)
    assert notifier.errors == []
    assert [attempts for _, _, _, attempts in messages(engine)] == [0, 0, 2]


def test_a_channel_pauses_after_the_first_failure(engine: Engine) -> None:
    fire(engine, at(60))
    notifier = FakeNotifier(errors=[DeliveryFailed("away"), DeliveryFailed("away")])

    notify_at(engine, [notifier], 60)

    assert len(notifier.errors) == 1


StartSenders = Callable[..., Senders]


@pytest.fixture
def start_senders(engine: Engine) -> Iterator[StartSenders]:
    """Starts senders for notifiers, and closes them at the end of the test, even if it fails."""
    with ExitStack() as started:

        def start(*notifiers: FakeNotifier, chance: Random | None = None) -> Senders:
            senders = Senders(engine, notifiers, lambda: at(60), chance or Random(1), "this process", Timer())
            started.callback(senders.wait)
            started.callback(senders.close)
            return senders

        yield start


def test_a_slow_channel_does_not_delay_others(engine: Engine, start_senders: StartSenders) -> None:
    for second in range(1, 6):
        fire(engine, at(second), "slow", "quick")
    may_answer = Event()

    class Slow(FakeNotifier):
        def send(self, message: Message) -> None:
            assert may_answer.wait(20)
            super().send(message)

    slow, quick = Slow("slow"), FakeNotifier("quick")
    senders = start_senders(slow, quick)

    def quick_has_accepted(count: int) -> bool:
        senders.run()  # run again, as the job does: a sender about to end misses new messages
        return len(quick.accepted) == count

    wait_for(lambda: quick_has_accepted(5), what="the quick channel")
    fire(engine, at(10), "quick")
    # The slow channel still sends its first message.
    wait_for(lambda: quick_has_accepted(6), what="the quick channel, again")
    assert slow.accepted == []

    may_answer.set()
    senders.wait()
    assert len(slow.accepted) == 5


def test_a_channel_has_one_thread_and_sends_one_message_at_a_time(engine: Engine, start_senders: StartSenders) -> None:
    for second in range(1, 6):
        fire(engine, at(second), "test")
    at_once: list[int] = []
    threads: set[int] = set()

    class Counted(FakeNotifier):
        def send(self, message: Message) -> None:
            at_once.append(sum(thread.name.startswith("notify") for thread in enumerate_threads()))
            threads.add(get_ident())
            super().send(message)

    channel = start_senders(Counted())
    for _ in range(20):
        channel.run()
    channel.wait()

    assert at_once == [1] * 6
    assert len(threads) == 1


def test_a_channel_finishes_its_current_message_when_the_program_ends(
    engine: Engine, start_senders: StartSenders
) -> None:
    fire(engine, at(1))
    begun, may_answer = Event(), Event()

    class Slow(FakeNotifier):
        def send(self, message: Message) -> None:
            begun.set()
            assert may_answer.wait(20)
            super().send(message)

    slow = Slow()
    channel = start_senders(slow)
    channel.run()
    assert begun.wait(20)
    channel.close()
    may_answer.set()
    channel.wait()

    assert [state for _, state, _, _ in messages(engine)] == ["queued", "sent"]
    wait_for(lambda: not any(thread.name.startswith("notify") for thread in enumerate_threads()), what="the end")


def test_an_error_in_one_channel_is_logged_and_leaves_the_others_working(
    engine: Engine, start_senders: StartSenders, caplog: pytest.LogCaptureFixture
) -> None:
    fire(engine, at(1), "away", "well")

    class Broken(Random):
        def random(self) -> float:
            raise ArithmeticError("no chance")

    away, well = FakeNotifier("away", errors=[DeliveryFailed("busy")]), FakeNotifier("well")
    senders = start_senders(away, well, chance=Broken())
    senders.run()
    senders.wait()

    assert "away: broke off" in caplog.text
    assert len(well.accepted) == 1


def test_a_message_is_given_up_at_once_after_a_permanent_failure(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("no such address", permanent=True)])
    notify_at(engine, [notifier], 0)

    assert "test: message 1 is given up: no such address" in caplog.text
    assert notify_at(engine, [notifier], 10_000) == 0
    assert notifier.accepted == []


def test_a_refused_message_is_given_up_after_three_tries_and_the_next_is_sent(engine: Engine) -> None:
    fire(engine, at(1))
    refusals = [DeliveryFailed("answered 413", refused=True) for _ in range(3)]
    notifier = FakeNotifier(errors=refusals)
    for second in (2, 60, 120):
        assert notify_at(engine, [notifier], second) == 0
    assert notify_at(engine, [notifier], 125) == 1

    assert messages(engine) == [("test", "sent", None, 1), ("test", "failed", "answered 413", 3)]


class SelectiveNotifier(FakeNotifier):
    """Refuses the message of the first alert without a reason."""

    def send(self, message: Message) -> None:
        if message.at == NOON:
            raise DeliveryFailed("the messenger did not accept it")
        super().send(message)


def test_a_message_that_fails_three_times_is_given_up_if_the_receiver_accepts_the_next(engine: Engine) -> None:
    for second in (1, 2):
        fire(engine, at(second))
    notifier = SelectiveNotifier("test")

    assert [notify_at(engine, [notifier], second) for second in (2, 60, 120)] == [0, 0, 2]

    assert [message.at for message in notifier.accepted] == [at(1), at(2)]
    given_up = ("test", "failed", "the messenger did not accept it", 3)
    assert messages(engine) == [("test", "sent", None, 1), ("test", "sent", None, 1), given_up]


def test_a_message_that_fails_three_times_stays_pending_if_the_receiver_accepts_no_other(
    engine: Engine,
) -> None:
    fire(engine, at(1))
    away = FakeNotifier(errors=[DeliveryFailed("away") for _ in range(4)])

    assert [notify_at(engine, [away], second) for second in (2, 60, 120)] == [0, 0, 0]
    assert messages(engine) == [("test", "queued", "away", 1), ("test", "queued", "away", 3)]

    assert notify_at(engine, [away], 240) == 2
    assert [message.at for message in away.accepted] == [NOON, at(1)]


def test_a_message_is_given_up_after_a_day_and_can_be_retried(engine: Engine) -> None:
    notifier = FakeNotifier(errors=[DeliveryFailed("busy")])
    notify_at(engine, [notifier], GIVE_UP_SECONDS)

    assert notify_at(engine, [notifier], GIVE_UP_SECONDS * 2) == 0
    assert notifier.accepted == []
    with reading(engine) as connection:
        (failed,) = deliveries.newest(connection, 10, "failed")
    assert (failed.error, failed.attempts) == ("busy", 1)

    with writing(engine) as connection:
        outbox.retry(connection, failed.id, int(at(GIVE_UP_SECONDS * 2).timestamp()))
    assert notify_at(engine, [notifier], GIVE_UP_SECONDS * 2) == 1


def test_an_unexpected_error_of_a_notifier_is_a_failed_attempt_for_up_to_a_day(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeNotifier):
        def send(self, message: Message) -> None:
            raise ValueError("https://secret.test/token")

    for second in (0, 60, GIVE_UP_SECONDS):
        notify_at(engine, [Broken()], second)

    with reading(engine) as connection:
        (failed,) = deliveries.newest(connection, 10, "failed")
    assert (failed.error, failed.attempts) == ("unexpected ValueError", 3)
    assert "message 1 is given up: unexpected ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_message_older_than_a_day_fails_as_too_old_and_is_not_sent(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    fire(engine, at(GIVE_UP_SECONDS))
    notifier = FakeNotifier()

    assert notify_at(engine, [notifier], GIVE_UP_SECONDS + 1) == 1

    assert [message.at for message in notifier.accepted] == [at(GIVE_UP_SECONDS)]
    assert messages(engine) == [("test", "sent", None, 1), ("test", "failed", "too old", 0)]
    assert "test: messages given up because they are too old: 1" in caplog.text


def test_a_message_that_expires_between_two_tries_keeps_the_error_of_the_last_try(engine: Engine) -> None:
    notify_at(engine, [FakeNotifier(errors=[DeliveryFailed("busy")])], GIVE_UP_SECONDS - 5)
    notify_at(engine, [FakeNotifier()], 40 * GIVE_UP_SECONDS)

    assert messages(engine) == [("test", "failed", "too old; the last attempt failed: busy", 1)]


def test_a_message_that_was_too_old_is_sent_when_a_user_retries_it(engine: Engine) -> None:
    notifier = FakeNotifier()
    late = 40 * GIVE_UP_SECONDS
    notify_at(engine, [notifier], late)
    with writing(engine) as connection:
        assert outbox.retry(connection, 1, int(at(late).timestamp()))

    assert notify_at(engine, [notifier], late + 5) == 1


def test_messages_of_a_removed_channel_fail_and_those_of_others_stay_pending(
    engine: Engine, start_senders: StartSenders, caplog: pytest.LogCaptureFixture
) -> None:
    fire(engine, at(1), "test", "gone")
    for _ in range(2):
        start_senders(FakeNotifier("test")).give_up_removed()

    assert messages(engine)[:2] == [("gone", "failed", "channel removed", 0), ("test", "queued", None, 0)]
    assert caplog.text.count("gone: messages given up because the channel was removed: 1") == 1

    start_senders().give_up_removed()
    assert {(channel, state) for channel, state, _, _ in messages(engine)} == {("test", "failed"), ("gone", "failed")}


def test_a_message_of_a_removed_channel_is_not_given_up_while_it_is_being_sent(engine: Engine) -> None:
    clock_holder = Senders(engine, [], lambda: at(1), Random(1), "the clock", Timer())

    class Removed(FakeNotifier):
        def send(self, message: Message) -> None:
            clock_holder.give_up_removed()
            super().send(message)

    fire(engine, at(1))
    assert notify_at(engine, [Removed()], 1) == 2
    assert messages(engine) == [("test", "sent", None, 1)] * 2


def test_messages_claimed_by_a_dead_sender_of_a_removed_channel_are_given_up(engine: Engine) -> None:
    timer = Timer()
    clock_holder = Senders(engine, [], lambda: at(1), Random(1), "the clock", timer)
    assert channel_lease_holder("test", "a dead worker", lambda: at(1), Timer()).try_acquire(engine)
    states = []
    for _ in range(4):  # as often as the job runs
        clock_holder.give_up_removed()
        states += [state for _, state, _, _ in messages(engine)]
        timer.now += 5

    assert states == ["queued", "queued", "failed", "failed"]
