"""One process at a time sends on a channel, and another takes over when it has died."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from threading import Event, Lock, Thread

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from services.market.alerting.messages import Message
from services.market.errors import DeliveryFailed
from services.market.types import Listing, Pair
from services.pipeline.notify import CLAIM_SECONDS, ChannelSender, channel_lease_holder
from services.store.alerting import alerts, deliveries, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.database import leases
from services.store.database.engine import Engine, reading, writing
from services.store.database.lease_holder import LeaseHolder
from services.store.ranking import metrics
from tests.builders import NOON
from tests.fakes import Passing, Timer
from tests.fakes_exchange import FakeClock, FakeNotifier
from tests.waiting import wait_for

HOUR = timedelta(hours=1)
LATER = NOON + 2 * HOUR
DIFFERENCES = pytest.mark.parametrize("ahead", [timedelta(), HOUR, -HOUR, timedelta(seconds=5)], ids=str)
MANY = 12


@pytest.fixture(autouse=True)
def _metric(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOON)


def fire(engine: Engine, count: int = 1, first: int = 0) -> None:
    """Enqueue `count` messages for the channel `test`, one per second."""
    for number in range(first, first + count):
        second = int(NOON.timestamp()) + number
        with writing(engine) as connection:
            (alert,) = alerts.insert_alerts(connection, [NewAlert(1, second, 400.0, 100.0, 3.0, 60)])
            outbox.enqueue(connection, second, [AlertNotice(alert, "fired", ["test"])])


def run(engine: Engine, notifier: FakeNotifier, lease_holder: LeaseHolder, clock: FakeClock, stopping: Event) -> int:
    return ChannelSender(engine, notifier, lease_holder, clock, Random(1), stopping).send_due()


def lease_holder_for(owner: str, clock: FakeClock, timer: Timer, seconds: float = CLAIM_SECONDS) -> LeaseHolder:
    return channel_lease_holder("test", owner, clock, timer, seconds)


def order(messages: Sequence[Message]) -> list[int]:
    return [int((message.at - NOON).total_seconds()) for message in messages]


def states(engine: Engine) -> list[tuple[str, int]]:
    """State and attempts of each message, oldest first."""
    with reading(engine) as connection:
        return [(one.state, one.attempts) for one in reversed(deliveries.newest(connection, 100))]


class Killed(BaseException):
    pass


class Dying(FakeNotifier):
    """Dies in the middle of the first message."""

    def send(self, message: Message) -> None:
        raise Killed


class CallingNotifier(FakeNotifier):
    """Accepts each message after it has called `happens`."""

    happens: Callable[[], object] = lambda: None

    def send(self, message: Message) -> None:
        self.happens()
        super().send(message)


@DIFFERENCES
def test_another_process_takes_over_within_ten_seconds_of_a_senders_death(engine: Engine, ahead: timedelta) -> None:
    fire(engine, 3)
    timer = Timer()
    with pytest.raises(Killed):
        run(engine, Dying(), lease_holder_for("dead", FakeClock(LATER + ahead), timer), FakeClock(LATER), Event())

    next_one, began = FakeNotifier(), timer.now
    clock = FakeClock(LATER)
    assert run(engine, next_one, lease_holder_for("next", clock, timer), clock, Passing(timer)) == 3

    assert order(next_one.accepted) == [0, 1, 2]
    assert timer.now - began <= 10
    with reading(engine) as connection:
        assert leases.current(connection, "channel test") is None


def test_a_restarted_sender_resumes_the_messages_of_its_own_process_at_once(engine: Engine) -> None:
    fire(engine, 2)
    timer, clock = Timer(), FakeClock(LATER)
    with pytest.raises(Killed):
        run(engine, Dying(), lease_holder_for("this process", clock, timer), clock, Event())

    notifier = FakeNotifier()
    assert run(engine, notifier, lease_holder_for("this process", clock, timer), clock, Event()) == 2


@DIFFERENCES
def test_a_receiver_slower_than_the_claim_gets_each_message_once_and_in_order(engine: Engine, ahead: timedelta) -> None:
    fire(engine, 3)
    started = time.monotonic()

    class Ticking(FakeClock):
        def __call__(self) -> datetime:  # each renewal gets a different time
            return self.now + timedelta(seconds=time.monotonic() - started)

    clock = Ticking(LATER)
    timer = Timer()
    other = lease_holder_for("other", FakeClock(LATER + ahead), timer)
    slow = CallingNotifier()

    def waits() -> None:
        for number in range(12):
            seen = lease_state(engine)
            assert seen is not None
            assert seen.owner == "slow"
            assert not other.try_acquire(engine)
            timer.now += other.renewal_seconds
            if number == 6:
                clock.now += HOUR  # the clock is changed in the middle of a claim
            if number == 9:
                clock.now -= HOUR
            wait_for(lambda seen=seen: lease_state(engine) != seen, what="a renewal")  # type: ignore[misc]

    slow.happens = waits
    # Renewals follow real time and the waiting process checks after each one, so the machine's speed does not matter.
    assert run(engine, slow, lease_holder_for("slow", clock, Timer(), seconds=0.1), clock, Event()) == 3

    assert order(slow.accepted) == [0, 1, 2]
    assert states(engine) == [("sent", 1)] * 3
    assert other.try_acquire(engine)


def lease_state(engine: Engine) -> leases.LeaseState | None:
    with reading(engine) as connection:
        return leases.current(connection, "channel test")


def test_many_senders_share_a_channel_one_at_a_time_in_order_and_without_duplicates(engine: Engine) -> None:
    here, at_once, arrived = Lock(), [], []

    class Shared(FakeNotifier):
        def send(self, message: Message) -> None:
            at_once.append(here.acquire(blocking=False))
            arrived.append(message)
            here.release()

    done = Event()

    def work(number: int) -> None:
        clock = FakeClock(LATER + number * HOUR)
        lease_holder = lease_holder_for(f"sender {number}", clock, Timer())
        while not done.is_set():
            # It polls without pause, and the timer stands still.
            run(engine, Shared(), lease_holder, clock, Passing(Timer()))

    threads = [Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(MANY):
            fire(engine, first=number)
        wait_for(lambda: len(arrived) >= MANY, what="all messages")
    finally:
        done.set()
        for thread in threads:
            thread.join()

    assert order(arrived) == list(range(MANY))
    assert all(at_once)
    assert states(engine) == [("sent", 1)] * MANY


def test_a_retried_older_message_waits_until_the_newer_one_is_sent(engine: Engine) -> None:
    fire(engine, 2)
    clock, timer = FakeClock(LATER), Timer()
    refusing = FakeNotifier(errors=[DeliveryFailed("gone", permanent=True)])
    run(engine, refusing, lease_holder_for("first", clock, timer), clock, Event())
    assert [state for state, _ in states(engine)] == ["failed", "queued"]

    other, first = FakeNotifier(), CallingNotifier()
    looks = []

    def look() -> None:
        looks.append(lease_state(engine))
        if len(looks) == 3:
            impatient.set()

    impatient = Passing(Timer(), look)

    def retry() -> None:
        first.happens = lambda: None
        with writing(engine) as connection:
            assert outbox.retry(connection, 1, int(LATER.timestamp()))
        assert run(engine, other, lease_holder_for("other", clock, Timer()), clock, impatient) == 0

    first.happens = retry
    assert run(engine, first, lease_holder_for("first", clock, timer), clock, Event()) == 2
    assert len(looks) == 3
    assert order(first.accepted) == [1, 0]
    assert other.accepted == []


@pytest.mark.parametrize("error", [None, DeliveryFailed("timed out"), DeliveryFailed("gone", permanent=True)], ids=str)
def test_a_suspended_sender_that_lost_its_claim_sends_and_changes_nothing(
    engine: Engine, error: DeliveryFailed | None, caplog: pytest.LogCaptureFixture
) -> None:
    fire(engine, 3)
    clock, timer = FakeClock(LATER), Timer()
    asleep = lease_holder_for("asleep", clock, timer, seconds=3_600)  # so long that it renews nothing in the meantime
    sleeper, other = CallingNotifier(), CallingNotifier()
    woken, may_wake = Event(), Event()

    def goes_on() -> None:
        other.happens = lambda: None
        may_wake.set()
        assert woken.wait(60)

    def sleeps() -> None:
        assert may_wake.wait(60)
        if error is not None:
            raise error

    sleeper.happens, other.happens = sleeps, goes_on
    sent = []
    thread = Thread(
        target=lambda: (sent.append(run(engine, sleeper, asleep, clock, Event())), woken.set()), daemon=True
    )
    thread.start()
    wait_for(lambda: lease_state(engine) is not None, what="the sleeper's claim")
    assert run(engine, other, lease_holder_for("other", clock, timer), clock, Passing(timer)) == 3
    thread.join()

    assert sent == [error is None]
    assert order(other.accepted) == [0, 1, 2]
    assert states(engine) == [("sent", 1)] * 3
    assert "test: another process has gone on with it while this one was held up" in caplog.messages


def test_a_sender_whose_commit_outlasted_its_claim_claims_again_before_it_sends(engine: Engine) -> None:
    fire(engine, 2)
    clock, timer = FakeClock(LATER), Timer()
    commits = []

    @event.listens_for(engine, "commit")
    def take_long(_connection: object) -> None:
        commits.append(timer.now)
        if len(commits) < 6:
            timer.now += 100

    notifier = CallingNotifier()
    notifier.happens = lambda: commits.append(0.0)
    assert run(engine, notifier, lease_holder_for("slow", clock, timer), clock, Event()) == 2
    assert commits.index(0.0) == 6
    assert states(engine) == [("sent", 1)] * 2


def test_a_message_accepted_during_a_database_outage_is_marked_sent_later_and_not_repeated(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    fire(engine, 2)
    clock, timer = FakeClock(LATER), Timer()
    is_away = False
    waits = []

    @event.listens_for(engine, "begin")
    def refuse(_connection: object) -> None:
        if is_away:
            raise OperationalError("BEGIN", {}, Exception("gone away"))

    def go_away() -> None:
        nonlocal is_away
        is_away = not waits

    def come_back() -> None:
        nonlocal is_away
        waits.append(timer.now)
        is_away = len(waits) < 20

    notifier = CallingNotifier()
    notifier.happens = go_away
    lease_holder = lease_holder_for("this process", clock, timer)
    assert run(engine, notifier, lease_holder, clock, Passing(timer, come_back)) == 2

    assert order(notifier.accepted) == [0, 1]
    assert states(engine) == [("sent", 1)] * 2
    assert caplog.messages.count("sender of test: the database is away: gone away") == 1
    assert len(waits) == 20
