import pytest

from services.market.alerting.messages import LISTED
from services.market.types import Listing, Pair
from services.store.alerting import alerts, deliveries, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import GIVE_UP_SECONDS, AlertNotice, PendingMessage
from services.store.database.engine import Engine, reading, writing
from services.store.ranking import metrics
from tests.builders import NOON

T = int(NOON.timestamp())
DAY = GIVE_UP_SECONDS


@pytest.fixture(autouse=True)
def _many_metrics(engine: Engine) -> None:
    with writing(engine) as connection:
        listings = [Listing(Pair(f"C{number}", "USD")) for number in range(500)]
        metrics.track(connection, "kraken", listings, lambda _pair: True, NOON)


def fire(engine: Engine, *channels: str, metrics: int = 1, at: int = T) -> list[int]:
    """Fire alerts of `metrics` metrics in one tick, with messages pending for `channels`."""
    with writing(engine) as connection:
        firings = [NewAlert(number, at, 4.0 + number, 1.0, 3.0, 60) for number in range(1, metrics + 1)]
        numbers = list(alerts.insert_alerts(connection, firings))
        outbox.enqueue(connection, at, [AlertNotice(number, "fired", channels) for number in numbers])
    return numbers


def claim(engine: Engine, now: int, channel: str = "mail", owner: str = "me") -> PendingMessage | None:
    with writing(engine) as connection:
        return outbox.claim(connection, channel, now, owner)


def claimed(engine: Engine, now: int, channel: str = "mail", owner: str = "me") -> PendingMessage:
    pending = claim(engine, now, channel, owner)
    assert pending is not None
    return pending


def test_each_channel_gets_one_message_per_tick_for_any_number_of_alerts(engine: Engine) -> None:
    fire(engine, "mail", "chat", metrics=500)

    pending = claimed(engine, T)
    assert (pending.channel, pending.attempts, pending.expires_at) == ("mail", 0, T + DAY)
    assert (pending.message.fired, pending.message.resolved, pending.message.at) == (500, 0, NOON)
    assert [entry.alert.metric_id for entry in pending.message.entries] == list(range(1, LISTED + 1))
    assert pending.message.text.splitlines()[LISTED:] == ["and 480 more", f"[{pending.message.key}]"]
    assert claimed(engine, T, "chat").message.fired == 500
    with reading(engine) as connection:
        assert deliveries.count(connection) == 2


def test_firing_and_resolved_alerts_share_one_message_in_the_given_order(engine: Engine) -> None:
    first, second = fire(engine, metrics=2)
    with writing(engine) as connection:
        notices = [AlertNotice(second, "resolved", ["mail"]), AlertNotice(first, "fired", ["mail", "chat", "mail"])]
        outbox.enqueue(connection, T + 60, notices)

    mail, chat = claimed(engine, T + 60).message, claimed(engine, T + 60, "chat").message
    assert [(entry.kind, entry.alert.id) for entry in mail.entries] == [("resolved", second), ("fired", first)]
    assert (mail.fired, mail.resolved) == (1, 1)
    assert [(entry.kind, entry.alert.id) for entry in chat.entries] == [("fired", first)]


def test_no_message_is_enqueued_without_notices(engine: Engine) -> None:
    with writing(engine) as connection:
        outbox.enqueue(connection, T, [])
    fire(engine)

    with reading(engine) as connection:
        assert deliveries.newest(connection, 10) == ()


def test_an_expired_claim_passes_the_message_on_with_the_same_key(engine: Engine) -> None:
    fire(engine, "mail")
    first, again = claimed(engine, T, owner="dead"), claimed(engine, T, owner="next")

    assert (again.id, again.message.key) == (first.id, first.message.key)
    assert (first.owner, again.owner) == ("dead", "next")


@pytest.mark.parametrize(
    ("second", "due"), [(-1, True), (0, True), (29, False), (30, True), (DAY - 1, True), (DAY + 1, True)]
)
def test_a_channel_has_work_when_a_message_is_due_or_too_old(engine: Engine, second: int, due: bool) -> None:
    fire(engine, "mail")
    if second > 0:
        with writing(engine) as connection:
            outbox.postpone(connection, claimed_in(connection, T), T + 30, "busy")
    with writing(engine) as connection:
        assert outbox.has_work(connection, "mail", T + second) == due
        assert not outbox.has_work(connection, "chat", T + second)
        outbox.give_up_old(connection, "mail", T + 2 * DAY)
        assert not outbox.has_work(connection, "mail", T + 2 * DAY)


def test_a_channel_with_retry_after_has_no_work_until_its_messages_are_too_old(
    engine: Engine,
) -> None:
    fire(engine, "mail")
    fire(engine, "mail", at=T + DAY - 100)
    with writing(engine) as connection:
        pending = claimed_in(connection, T + DAY - 100)
        outbox.postpone(connection, pending, T + DAY + 300, "slow down", paused_until=T + DAY + 300)
        assert not outbox.has_work(connection, "mail", T + DAY)
        assert outbox.has_work(connection, "mail", T + DAY + 1)


def test_message_keys_stay_unique_when_a_restored_backup_reuses_a_number(engine: Engine) -> None:
    def key(at: int) -> str:
        fire(engine, "mail", at=at)
        with writing(engine) as connection:
            pending = claimed_in(connection, at)
            outbox.mark_sent(connection, pending, at)
        return pending.message.key

    first, second = key(T), key(T + 60)
    assert first.rpartition("-")[0] != second.rpartition("-")[0]
    with writing(engine) as connection:  # as a restored earlier backup leaves it
        for table in ("message_alert", "message"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('message', 'id'), 1, false)")
        else:
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'message'")
    assert key(T + 120) not in (first, second)


def test_sent_messages_and_given_up_messages_are_no_longer_pending(engine: Engine) -> None:
    fire(engine, "mail")
    fire(engine, "mail", at=T + 60)
    with writing(engine) as connection:
        outbox.mark_sent(connection, claimed_in(connection, T + 60), T + 60)
        outbox.mark_failed(connection, claimed_in(connection, T + 60), T + 60, "no such address")

    assert claim(engine, T + 2 * DAY) is None


def test_a_postponed_message_can_be_claimed_when_it_is_due(engine: Engine) -> None:
    fire(engine, "mail")
    with writing(engine) as connection:
        outbox.postpone(connection, claimed_in(connection, T), T + 30, "busy")

    assert claim(engine, T + 29) is None
    again = claimed(engine, T + 30)
    assert again.attempts == 1


def claimed_in(connection: object, now: int) -> PendingMessage:
    pending = outbox.claim(connection, "mail", now, "me")  # type: ignore[arg-type]
    assert pending is not None
    return pending


def test_messages_are_claimed_in_the_order_of_the_queue(engine: Engine) -> None:
    for minute in range(3):
        fire(engine, "mail", at=T + 60 * minute)
    order = []
    with writing(engine) as connection:
        for _ in range(3):
            pending = claimed_in(connection, T + 180)
            assert claimed_in(connection, T + 180) == pending  # the same one until it is settled
            order.append(int(pending.message.at.timestamp()))
            outbox.mark_sent(connection, pending, T + 180)

    assert order == [T, T + 60, T + 120]


@pytest.mark.parametrize("ahead", [60, 3_600, 20_000])
def test_a_message_from_a_clock_that_was_ahead_is_due_at_once_and_its_retry_when_postponed_to(
    engine: Engine, ahead: int
) -> None:
    fire(engine, "mail", at=T + ahead)
    fire(engine, "mail", at=T + ahead + 1)
    with writing(engine) as connection:
        assert outbox.has_work(connection, "mail", T)
        outbox.postpone(connection, claimed_in(connection, T), T + 30, "busy")

    assert claim(engine, T + 29) is None
    assert claimed(engine, T + 30).attempts == 1


def test_messages_wait_behind_a_postponed_one_and_a_new_message_triggers_its_retry(
    engine: Engine,
) -> None:
    fire(engine, "mail")
    fire(engine, "mail", "chat", at=T + 1)
    with writing(engine) as connection:
        outbox.postpone(connection, claimed_in(connection, T + 1), T + 31, "busy")

    assert claim(engine, T + 30) is None
    assert claim(engine, T + 30, "chat") is not None
    fire(engine, "mail", at=T + 30)
    assert claimed(engine, T + 30).message.at == NOON
    with reading(engine) as connection:
        due = [int(one.due_at.timestamp()) - T for one in deliveries.newest(connection, 10) if one.channel == "mail"]
    assert due == [30, 31, 31]


def test_retry_after_silences_only_its_own_channel(engine: Engine) -> None:
    fire(engine, "mail", "chat")
    with writing(engine) as connection:
        outbox.postpone(connection, claimed_in(connection, T), T + 300, "slow down", paused_until=T + 300)
    fire(engine, "mail", at=T + 60)

    assert claim(engine, T + 299) is None
    assert claim(engine, T + 299, "chat") is not None
    assert claim(engine, T + 300) is not None


def test_waiting_messages_are_due_as_soon_as_one_is_accepted(engine: Engine) -> None:
    fire(engine, "mail", "chat")
    with writing(engine) as connection:
        outbox.postpone(connection, claimed_in(connection, T), T + 3600, "away")
        chat = outbox.claim(connection, "chat", T, "me")
        assert chat is not None
        outbox.postpone(connection, chat, T + 3600, "away")
    fire(engine, "mail", at=T + 60)
    with writing(engine) as connection:
        first = claimed_in(connection, T + 60)
        assert first.message.at == NOON
        outbox.postpone(connection, first, T + 7200, "away")
        outbox.mark_sent(connection, claimed_in(connection, T + 7200), T + 7200)

    assert int(claimed(engine, T + 7200).message.at.timestamp()) == T + 60
    assert claim(engine, T + 3599, "chat") is None


def test_a_process_that_lost_its_claim_does_not_change_a_settled_message(engine: Engine) -> None:
    fire(engine, "mail")
    slow, quick = claimed(engine, T, owner="slow"), claimed(engine, T + 120, owner="quick")
    with writing(engine) as connection:
        outbox.mark_sent(connection, quick, T + 121)
        outbox.postpone(connection, slow, T + 130, "timed out")

    assert claim(engine, T + 200) is None
    with reading(engine) as connection:
        (delivery,) = deliveries.newest(connection, 10)
    assert (delivery.state, delivery.attempts, delivery.error) == ("sent", 1, None)


def test_a_process_that_lost_its_claim_does_not_postpone_or_give_up_a_message_being_sent(engine: Engine) -> None:
    fire(engine, "mail")
    slow, quick = claimed(engine, T, owner="slow"), claimed(engine, T, owner="quick")
    with writing(engine) as connection:
        outbox.postpone(connection, slow, T + 130, "timed out")
        outbox.mark_failed(connection, slow, T, "timed out")
    with reading(engine) as connection:
        (delivery,) = deliveries.newest(connection, 10)
    assert (delivery.state, delivery.attempts, delivery.error) == ("queued", 0, None)

    with writing(engine) as connection:
        outbox.mark_failed(connection, quick, T, "gone")
    with reading(engine) as connection:
        assert deliveries.count(connection, "failed") == 1


def test_a_message_sent_by_a_process_that_lost_its_claim_is_marked_sent_and_not_claimed_again(engine: Engine) -> None:
    fire(engine, "mail")
    slow, quick = claimed(engine, T, owner="slow"), claimed(engine, T, owner="quick")
    with writing(engine) as connection:
        outbox.mark_sent(connection, slow, T + 9)
    assert claim(engine, T + 10, owner="quick") is None

    with writing(engine) as connection:
        outbox.postpone(connection, quick, T + 130, "timed out")
    with reading(engine) as connection:
        (delivery,) = deliveries.newest(connection, 10)
    assert (delivery.state, delivery.attempts, delivery.error) == ("sent", 1, None)


def test_a_given_up_message_can_be_requeued_for_a_day(engine: Engine) -> None:
    fire(engine, "mail")
    first = claimed(engine, T)
    with writing(engine) as connection:
        assert not outbox.retry(connection, first.id, T)
        outbox.mark_failed(connection, first, T + DAY, "busy")
        assert outbox.retry(connection, first.id, T + 3 * DAY)
        assert not outbox.retry(connection, first.id, T + 3 * DAY)
        assert not outbox.retry(connection, 99, T)

    assert claim(engine, T + 3 * DAY - 1) is None
    again = claimed(engine, T + 3 * DAY)
    assert (again.id, again.attempts, again.expires_at) == (first.id, 0, T + 4 * DAY)
    assert again.message.key == first.message.key


def test_deliveries_are_listed_newest_first_with_their_state(engine: Engine) -> None:
    for minute in range(3):
        fire(engine, "mail", metrics=1 + minute, at=T + 60 * minute)
    with writing(engine) as connection:
        outbox.mark_sent(connection, claimed_in(connection, T + 120), T + 121)
        outbox.mark_failed(connection, claimed_in(connection, T + 120), T + 122, "gone")

    with reading(engine) as connection:
        listed = deliveries.newest(connection, 10)
        assert [one.id for one in deliveries.newest(connection, 10, "failed")] == [2]
        assert [one.id for one in deliveries.newest(connection, 10, "sent")] == [1]
        assert [one.id for one in deliveries.newest(connection, 10, "queued")] == [3]
        assert deliveries.newest(connection, 1) == listed[:1]
        assert deliveries.newest(connection, 1, offset=1) == listed[1:2]
        assert deliveries.newest(connection, 9, offset=3) == ()
        assert deliveries.find(connection, 2) == listed[1]
        assert deliveries.find(connection, 4) is None
    assert [(one.id, one.state, one.attempts, one.error, one.fired) for one in listed] == [
        (3, "queued", 0, None, 3),
        (2, "failed", 1, "gone", 2),
        (1, "sent", 1, None, 1),
    ]
    assert [one.title for one in listed[1:]] == [
        "2 alerts: C0/USD on kraken: 5.0 x its average, and 1 more",
        "C0/USD on kraken: 5.0 x its average",
    ]
    assert listed[2].sent_at is not None
    assert listed[2].sent_at.timestamp() == T + 121
