"""Notify: send what is owed, at least once, and never forget any of it."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from services.market.errors import DeliveryFailed
from services.market.ports import Notifier
from services.market.types import Alert
from services.market.words import one_line
from services.store import alerts
from services.store.alerts import Owed
from services.store.engine import Engine, writing

CLAIM_SECONDS = 120
"""A claimed message that is not settled by then was its sender's last: it is free again."""

BATCH = 20
GIVE_UP_SECONDS = 86_400
FIRST_WAIT_SECONDS = 15
LONGEST_WAIT_SECONDS = 3_600
LONGEST_SUBJECT = 80  # characters

log = logging.getLogger(__name__)


def notify(engine: Engine, notifiers: Sequence[Notifier], now: datetime) -> int:
    """Send the messages that are due by `now`; answers how many were accepted.

    A message is claimed in a commit of its own before it is sent and settled after: a sender that
    dies in between leaves it to be sent again. Raises StoreUnavailable.
    """
    by_channel = {notifier.channel: notifier for notifier in notifiers}
    second = int(now.timestamp())
    if not by_channel:
        return 0
    with writing(engine) as connection:
        owed = alerts.claim(connection, list(by_channel), second, CLAIM_SECONDS, BATCH)
    accepted = 0
    for message in owed:
        try:
            by_channel[message.channel].send(title(message), body(message), f"alert-{message.alert.id}")
        except DeliveryFailed as error:
            _put_off(engine, message, second, error)
        else:
            accepted += 1
            with writing(engine) as connection:
                alerts.mark_sent(connection, message.id, second)
    return accepted


def title(message: Owed) -> str:
    """One line that says what happened."""
    alert = message.alert
    return f"{_subject(alert)}: {alert.price / alert.average:.1f} x its average"


def body(message: Owed) -> str:
    """The figures, and a key by which a repeat is recognised."""
    alert = message.alert
    return (
        f"{_subject(alert)} was {alert.price:.8g} {one_line(alert.quote, LONGEST_SUBJECT)} at "
        f"{alert.fired_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, more than {alert.factor:g} x "
        f"{alert.average:.8g}, the average of the {alert.samples} prices before. [alert-{alert.id}]"
    )


def _subject(alert: Alert) -> str:
    # Names come from exchanges. What cannot be one was refused there; a message is where it would be taken for ours.
    return one_line(f"{alert.pair} on {alert.market}", LONGEST_SUBJECT)


def _put_off(engine: Engine, message: Owed, now: int, error: DeliveryFailed) -> None:
    if error.permanent or now - message.created_at >= GIVE_UP_SECONDS:
        log.error("%s: alert %d is given up: %s", message.channel, message.alert.id, error)
        with writing(engine) as connection:
            alerts.mark_failed(connection, message.id, now, str(error))
        return
    pause = min(FIRST_WAIT_SECONDS * 2**message.attempts, LONGEST_WAIT_SECONDS)
    log.warning("%s: alert %d was not accepted, next try in %d s: %s", message.channel, message.alert.id, pause, error)
    with writing(engine) as connection:
        alerts.postpone(connection, message.id, now + pause, str(error))
