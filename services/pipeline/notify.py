"""Notify: send what is owed, at least once, and never forget any of it."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from random import Random
from threading import Event

from services.market.errors import DeliveryFailed, StoreUnavailable
from services.market.failures import Failures
from services.market.ports import Clock, Notifier
from services.market.times import HOUR, to_epoch
from services.store.alerting import outbox
from services.store.alerting.outbox import PendingMessage
from services.store.database.engine import Connection, Engine, reading, writing
from services.store.database.lease_holder import LeaseHolder

FIRST_WAIT_SECONDS = 15
MAX_BACKOFF_SECONDS = HOUR
MAX_SILENCE_SECONDS = outbox.MAX_WAIT_SECONDS
"""What a receiver may ask for."""

MAX_REFUSALS = 3
"""Tries after which a message that its receiver refuses is given up, for those behind it wait."""

CLAIM_SECONDS = 6.0
"""A sender that has not renewed its claim on its channel for so long is gone: its process has died, or sleeps. Shorter
would take a process that is held up for a moment for one, and double what it is sending."""

log = logging.getLogger(__name__)


class Senders:
    """A thread a channel, which sends what that channel is owed: no channel waits for another's receiver.

    `owner` names this process and its start, as nothing else; `timer` tells seconds and is never set.
    """

    def __init__(
        self,
        engine: Engine,
        notifiers: Sequence[Notifier],
        clock: Clock,
        chance: Random,
        owner: str,
        timer: Callable[[], float],
    ) -> None:
        self._engine, self._notifiers, self._clock, self._chance = engine, notifiers, clock, chance
        self._owner, self._timer = owner, timer
        self._stopping = Event()
        self._threads = ThreadPoolExecutor(max(1, len(notifiers)), thread_name_prefix="notify")
        self._at_work: dict[str, Future[None]] = {}
        self._candidates: dict[str, LeaseHolder] = {}
        self._failures = Failures()

    def run(self) -> None:
        """Set the channels to work that are idle; answers at once."""
        for notifier in self._notifiers:
            before = self._at_work.get(notifier.channel)
            if before is None or before.done():
                lease_holder = self._candidate(notifier.channel)
                self._at_work[notifier.channel] = self._threads.submit(self._serve, notifier, lease_holder)

    def give_up_removed(self) -> None:
        """Give up what is owed to other channels than these, which are all that the settings name, once nobody is
        sending on them. Only who has the clock may say so: a worker may still have the settings of before. Raises
        StoreUnavailable."""
        names = [notifier.channel for notifier in self._notifiers]
        with reading(self._engine) as connection:
            removed = outbox.other_pending_channels(connection, names)
        for channel in removed:
            lease_holder = self._candidate(channel)
            if not lease_holder.try_acquire(self._engine):
                continue
            with writing(self._engine) as connection:
                if not lease_holder.renew(connection):
                    continue
                count = outbox.give_up_removed(connection, channel, to_epoch(self._clock()))
                lease_holder.release(connection)
            log.error("%s: messages given up because the channel was removed: %d", channel, count)

    def wait(self) -> None:
        """Wait until every channel is idle."""
        wait(self._at_work.values())

    def close(self) -> None:
        """End each channel's work after the message that it is at; does not wait for that."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _candidate(self, channel: str) -> LeaseHolder:
        return self._candidates.setdefault(channel, candidate_for(channel, self._owner, self._clock, self._timer))

    def _serve(self, notifier: Notifier, lease_holder: LeaseHolder) -> None:
        name = _sender(notifier.channel)
        try:
            notify(self._engine, notifier, lease_holder, self._clock, self._chance, self._stopping, self._failures)
        except StoreUnavailable as error:
            self._failures.failed(name, f"the database is away: {error}", level=logging.ERROR)
        except Exception as error:  # noqa: BLE001 - the last frame of this thread: elsewhere it is never seen
            self._failures.crashed(name, error)
        else:
            self._failures.ended(name)


def candidate_for(
    channel: str, owner: str, clock: Clock, timer: Callable[[], float], seconds: float = CLAIM_SECONDS
) -> LeaseHolder:
    """The part of `owner` in who may send on the channel."""
    return LeaseHolder(owner, seconds, clock, timer, f"channel {channel}")


def notify(
    engine: Engine,
    notifier: Notifier,
    lease_holder: LeaseHolder,
    clock: Clock,
    chance: Random,
    stopping: Event,
    failures: Failures | None = None,
) -> int:
    """Send what is due on one channel by the `clock`, up to the first message that is not accepted, or until it is
    `stopping`; answers how many were accepted.

    One process at a time sends on a channel. It holds the channel's lease, which is renewed however long a receiver
    takes; others that have something to send there stand by, and one of them goes on where a sender has died. A message
    is claimed in a commit of its own before it is sent and settled after: it is doubled where its sender dies, or is
    stopped for longer than the lease, after the receiver has it and before that is noted, and nowhere else. `chance`
    spreads what is tried again. Raises StoreUnavailable.
    """
    if not _stand_by(engine, notifier.channel, lease_holder, clock, stopping):
        return 0
    with lease_holder.renewing(engine):
        return _send_all(engine, notifier, lease_holder, clock, chance, stopping, failures or Failures())


def _stand_by(engine: Engine, channel: str, lease_holder: LeaseHolder, clock: Clock, stopping: Event) -> bool:
    """Wait for the channel while something is due there; whether this process has it."""
    while not stopping.is_set():
        with reading(engine) as connection:
            is_due = outbox.has_work(connection, channel, to_epoch(clock()))
        if not is_due:
            return False
        if lease_holder.try_acquire(engine):
            return True
        stopping.wait(lease_holder.renewal_seconds)
    return False


def _send_all(
    engine: Engine,
    notifier: Notifier,
    lease_holder: LeaseHolder,
    clock: Clock,
    chance: Random,
    stopping: Event,
    failures: Failures,
) -> int:
    channel, accepted, rests = notifier.channel, 0, False

    def note(settle: Callable[[Connection], None]) -> None:
        _note(engine, channel, settle, lease_holder.renewal_seconds, stopping, failures)

    while (owed := _next(engine, channel, lease_holder, clock, rests or stopping.is_set())) is not None:
        if not lease_holder.is_certain():  # the commit took so long that another may be sending it
            continue
        try:
            notifier.send(owed.message)
        except Exception as error:  # noqa: BLE001 - whatever a messenger stumbles over must not hold up the channel
            note(_outcome(owed, to_epoch(clock()), _as_failed(error), chance, failures))
            rests = True
        else:
            failures.ended(channel, "accepts messages again")
            note(partial(outbox.mark_sent, pending=owed, now=to_epoch(clock())))
            accepted += 1
    return accepted


def _next(
    engine: Engine, channel: str, lease_holder: LeaseHolder, clock: Clock, is_over: bool
) -> PendingMessage | None:
    """The message to send next, claimed; where there is none, or it `is_over`, the channel is free for others."""
    now = to_epoch(clock())
    with writing(engine) as connection:
        if not lease_holder.renew(connection):
            log.warning("%s: another process has gone on with it while this one was held up", channel)
            return None
        expired = outbox.give_up_old(connection, channel, now)
        owed = None if is_over else outbox.claim(connection, channel, now, lease_holder.owner)
        if owed is None:
            lease_holder.release(connection)
    if expired:
        log.error("%s: messages given up because they are too old: %d", channel, expired)
    return owed


def _note(
    engine: Engine,
    channel: str,
    settle: Callable[[Connection], None],
    rest_seconds: float,
    stopping: Event,
    failures: Failures,
) -> None:
    """Note what became of a message, however long the database is away: forgotten, it would be sent once more."""
    while True:
        try:
            with writing(engine) as connection:
                settle(connection)
        except StoreUnavailable as error:
            failures.failed(_sender(channel), f"the database is away: {error}", level=logging.ERROR)
            if stopping.wait(rest_seconds):
                raise
        else:
            return


def _outcome(
    owed: PendingMessage, now: int, error: DeliveryFailed, chance: Random, failures: Failures
) -> Callable[[Connection], None]:
    """What to note of a message that was not accepted."""
    is_refused = error.refused and owed.attempts + 1 >= MAX_REFUSALS
    if error.permanent or is_refused or now >= owed.expires_at:
        text, reason = f"message {owed.id} is given up: {error}", (True, str(error))
        failures.failed(owed.channel, text, reason=reason, level=logging.ERROR)
        return partial(outbox.mark_failed, pending=owed, now=now, error=str(error))
    pause = pause_seconds(owed.attempts, chance)
    silent_until = 0
    if error.retry_after is not None:
        silence = min(error.retry_after, MAX_SILENCE_SECONDS)
        pause, silent_until = max(pause, silence), now + silence
    text = f"message {owed.id} was not accepted, next try in {pause} s: {error}"
    failures.failed(owed.channel, text, reason=(False, str(error)))
    return partial(outbox.postpone, pending=owed, due=now + pause, error=str(error), paused_until=silent_until)


def _sender(channel: str) -> str:
    """How the log names what sends on the channel."""
    return f"sender of {channel}"


def _as_failed(error: Exception) -> DeliveryFailed:
    """The error as a failed attempt; of one that no notifier should raise only the type, for its text may repeat the
    address."""
    return error if isinstance(error, DeliveryFailed) else DeliveryFailed(f"unexpected {type(error).__name__}")


def pause_seconds(attempts: int, chance: Random) -> int:
    """How long to wait after one more attempt than `attempts` has failed: half of it certain, half by chance, so that
    what failed together does not come back together."""
    whole = min(FIRST_WAIT_SECONDS << min(attempts, 16), MAX_BACKOFF_SECONDS)
    return round(whole / 2 + whole / 2 * chance.random())
