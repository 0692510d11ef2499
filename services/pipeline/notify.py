"""Notify: send what is owed, at least once, and never forget any of it."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from services.market.errors import DeliveryFailed
from services.market.ports import Clock, Notifier
from services.store import outbox
from services.store.engine import Engine, writing
from services.store.outbox import Owed

CLAIM_SECONDS = 120
"""A claimed message that is not settled by then was its sender's last: it is free again."""

BATCH = 20
"""Messages that one call sends on one channel, at most."""

FIRST_WAIT_SECONDS = 15
LONGEST_WAIT_SECONDS = 3_600
LONGEST_SILENCE_SECONDS = 21_600
"""What a receiver may ask for; longer silence would take the day that a message lives."""

log = logging.getLogger(__name__)


def notify(engine: Engine, notifiers: Sequence[Notifier], clock: Clock, chance: Random) -> int:
    """Send the messages that are due by the `clock`, channels side by side; answers how many were accepted.

    A message is claimed in a commit of its own before it is sent and settled after: a sender that dies in between
    leaves it to be sent again. `chance` spreads what is tried again. Raises StoreUnavailable.
    """
    if not notifiers:
        return 0
    with ThreadPoolExecutor(len(notifiers), thread_name_prefix="notify") as pool:  # none waits for another's time-out
        return sum(pool.map(lambda notifier: _serve(engine, notifier, clock, chance), notifiers))


def _serve(engine: Engine, notifier: Notifier, clock: Clock, chance: Random) -> int:
    """Send what is due on one channel, up to the first message that is not accepted: the next one would not be.

    The clock is read for each claim and each settlement: a batch of slow receivers lasts longer than a claim.
    """
    for accepted in range(BATCH):
        with writing(engine) as connection:
            owed = outbox.claim(connection, notifier.channel, _second(clock), CLAIM_SECONDS)
        if owed is None:
            return accepted
        try:
            notifier.send(owed.message)
        except Exception as error:  # noqa: BLE001 - whatever a messenger stumbles over must not hold up the channel
            _put_off(engine, owed, _second(clock), _as_failed(error), chance)
            return accepted
        with writing(engine) as connection:
            outbox.mark_sent(connection, owed, _second(clock))
    return BATCH


def _put_off(engine: Engine, owed: Owed, now: int, error: DeliveryFailed, chance: Random) -> None:
    if error.permanent or now >= owed.expires_at:
        log.error("%s: message %d is given up: %s", owed.channel, owed.id, error)
        with writing(engine) as connection:
            outbox.mark_failed(connection, owed, now, str(error))
        return
    pause = pause_seconds(owed.attempts, chance)
    silent_until = 0
    if error.retry_after is not None:
        silence = min(error.retry_after, LONGEST_SILENCE_SECONDS)
        pause, silent_until = max(pause, silence), now + silence
    log.warning("%s: message %d was not accepted, next try in %d s: %s", owed.channel, owed.id, pause, error)
    with writing(engine) as connection:
        outbox.postpone(connection, owed, now + pause, str(error), silent_until)


def _as_failed(error: Exception) -> DeliveryFailed:
    """The error as a failed attempt; of one that no notifier should raise only the type, for its text may repeat the
    address."""
    return error if isinstance(error, DeliveryFailed) else DeliveryFailed(f"unexpected {type(error).__name__}")


def _second(clock: Clock) -> int:
    return int(clock().timestamp())


def pause_seconds(attempts: int, chance: Random) -> int:
    """How long to wait after one more attempt than `attempts` has failed: half of it certain, half by chance, so that
    what failed together does not come back together."""
    whole = min(FIRST_WAIT_SECONDS << min(attempts, 16), LONGEST_WAIT_SECONDS)
    return round(whole / 2 + whole / 2 * chance.random())
