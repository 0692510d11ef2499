"""Notify: send what is owed, at least once, and never forget any of it."""

import logging
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from random import Random
from threading import Event

from services.market.errors import DeliveryFailed, StoreUnavailable
from services.market.failures import Failures
from services.market.ports import Clock, Notifier
from services.store import outbox
from services.store.engine import Engine, writing
from services.store.outbox import Owed

FIRST_WAIT_SECONDS = 15
LONGEST_WAIT_SECONDS = 3_600
LONGEST_SILENCE_SECONDS = outbox.MAX_WAIT_SECONDS
"""What a receiver may ask for."""

MAX_REFUSALS = 3
"""Tries after which a message that its receiver refuses is given up, for those behind it wait."""

CLAIM_SECONDS = outbox.CLAIM_SECONDS

log = logging.getLogger(__name__)


class Senders:
    """A thread a channel, which sends what that channel is owed: no channel waits for another's receiver."""

    def __init__(self, engine: Engine, notifiers: Sequence[Notifier], clock: Clock, chance: Random) -> None:
        self._engine, self._notifiers, self._clock, self._chance = engine, notifiers, clock, chance
        self._stopping = Event()
        self._threads = ThreadPoolExecutor(max(1, len(notifiers)), thread_name_prefix="notify")
        self._at_work: dict[str, Future[None]] = {}
        self._failures = Failures()

    def run(self) -> None:
        """Set the channels to work that are idle; answers at once."""
        for notifier in self._notifiers:
            before = self._at_work.get(notifier.channel)
            if before is None or before.done():
                self._at_work[notifier.channel] = self._threads.submit(self._serve, notifier)

    def wait(self) -> None:
        """Wait until every channel is idle."""
        wait(self._at_work.values())

    def close(self) -> None:
        """End each channel's work after the message that it is at; does not wait for that."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _serve(self, notifier: Notifier) -> None:
        name = f"sender of {notifier.channel}"
        try:
            notify(self._engine, notifier, self._clock, self._chance, self._stopping, self._failures)
        except StoreUnavailable as error:
            self._failures.failed(name, f"the database is away: {error}", level=logging.ERROR)
        except Exception as error:  # noqa: BLE001 - the last frame of this thread: elsewhere it is never seen
            self._failures.crashed(name, error)
        else:
            self._failures.ended(name)


def give_up_removed(engine: Engine, channels: Collection[str], clock: Clock) -> None:
    """Give up what is owed to others than these channels, which are all that the settings name. Only who has the clock
    may say so: a worker may still have the settings of before. Raises StoreUnavailable."""
    with writing(engine) as connection:
        removed = outbox.give_up_removed(connection, channels, _second(clock))
    for channel, count in removed.items():
        log.error("%s: messages given up because the channel was removed: %d", channel, count)


def notify(
    engine: Engine,
    notifier: Notifier,
    clock: Clock,
    chance: Random,
    stopping: Event,
    failures: Failures | None = None,
) -> int:
    """Send what is due on one channel by the `clock`, up to the first message that is not accepted, or until it is
    `stopping`; answers how many were accepted.

    A message is claimed in a commit of its own before it is sent and settled after: a sender that dies in between
    leaves it to be sent again. The clock is read for each claim and each settlement: what a slow receiver takes lasts
    longer than a claim. `chance` spreads what is tried again. Raises StoreUnavailable.
    """
    channel, accepted = notifier.channel, 0
    failures = failures or Failures()
    while not stopping.is_set():
        now = _second(clock)
        with writing(engine) as connection:
            expired = outbox.give_up_old(connection, channel, now)
            owed = outbox.claim(connection, channel, now, CLAIM_SECONDS)
        if expired:
            log.error("%s: messages given up because they are too old: %d", channel, expired)
        if owed is None:
            break
        try:
            notifier.send(owed.message)
        except Exception as error:  # noqa: BLE001 - whatever a messenger stumbles over must not hold up the channel
            _put_off(engine, owed, _second(clock), _as_failed(error), chance, failures)
            break
        failures.ended(channel, "accepts messages again")
        with writing(engine) as connection:
            outbox.mark_sent(connection, owed, _second(clock))
        accepted += 1
    return accepted


def _put_off(engine: Engine, owed: Owed, now: int, error: DeliveryFailed, chance: Random, failures: Failures) -> None:
    is_refused = error.refused and owed.attempts + 1 >= MAX_REFUSALS
    if error.permanent or is_refused or now >= owed.expires_at:
        text, reason = f"message {owed.id} is given up: {error}", (True, str(error))
        failures.failed(owed.channel, text, reason=reason, level=logging.ERROR)
        with writing(engine) as connection:
            outbox.mark_failed(connection, owed, now, str(error))
        return
    pause = pause_seconds(owed.attempts, chance)
    silent_until = 0
    if error.retry_after is not None:
        silence = min(error.retry_after, LONGEST_SILENCE_SECONDS)
        pause, silent_until = max(pause, silence), now + silence
    text = f"message {owed.id} was not accepted, next try in {pause} s: {error}"
    failures.failed(owed.channel, text, reason=(False, str(error)))
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
