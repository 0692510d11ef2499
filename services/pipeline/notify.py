"""Notify: send the pending messages of every channel, each at least once."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
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
"""The longest pause that a receiver may ask for."""

MAX_REFUSALS = 3
"""A message that its receiver has refused this often is given up, because others wait behind it. Where a failure does
not say whether the message was refused, the receiver refuses it if it accepts the one behind it."""

CLAIM_SECONDS = 6.0
"""A sender that has not renewed its claim on its channel for this long counts as dead or asleep. With a shorter time, a
process that is held up for a moment would count as dead, and what it is sending would be sent twice."""

log = logging.getLogger(__name__)


class Senders:
    """One thread per channel sends that channel's pending messages, so that no channel waits for another's receiver.

    `owner` identifies this process and its start; `timer` counts seconds and is never set.
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
        self._running: dict[str, Future[None]] = {}
        self._lease_holders: dict[str, LeaseHolder] = {}
        self._failures = Failures()

    def run(self) -> None:
        """Start the senders of idle channels; returns at once."""
        for notifier in self._notifiers:
            before = self._running.get(notifier.channel)
            if before is None or before.done():
                lease_holder = self._lease_holder(notifier.channel)
                self._running[notifier.channel] = self._threads.submit(self._send, notifier, lease_holder)

    def give_up_removed(self) -> None:
        """Give up pending messages to channels that the settings no longer name, once no process sends on them.

        Only the process that ticks may call this: a worker may still have the settings of before. Raises
        StoreUnavailable.
        """
        names = [notifier.channel for notifier in self._notifiers]
        with reading(self._engine) as connection:
            removed = outbox.other_pending_channels(connection, names)
        for channel in removed:
            lease_holder = self._lease_holder(channel)
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
        wait(self._running.values())

    def close(self) -> None:
        """Stop each sender after its current message; does not wait for that."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _lease_holder(self, channel: str) -> LeaseHolder:
        return self._lease_holders.setdefault(
            channel, channel_lease_holder(channel, self._owner, self._clock, self._timer)
        )

    def _send(self, notifier: Notifier, lease_holder: LeaseHolder) -> None:
        name = _sender_name(notifier.channel)
        sender = ChannelSender(
            self._engine, notifier, lease_holder, self._clock, self._chance, self._stopping, self._failures
        )
        try:
            sender.send_due()
        except StoreUnavailable as error:
            self._failures.failed(name, f"the database is away: {error}", level=logging.ERROR)
        except Exception as error:  # noqa: BLE001 - the last frame of this thread: elsewhere it is never seen
            self._failures.crashed(name, error)
        else:
            self._failures.ended(name)


def channel_lease_holder(
    channel: str, owner: str, clock: Clock, timer: Callable[[], float], seconds: float = CLAIM_SECONDS
) -> LeaseHolder:
    """What `owner` holds the channel's lease with: only the process that has it sends on the channel."""
    return LeaseHolder(owner, seconds, clock, timer, f"channel {channel}")


@dataclass(frozen=True)
class ChannelSender:
    """Sends the messages of the `notifier`'s channel until it is `stopping`; `chance` spreads the retries.

    One process at a time sends on a channel: the one that holds the channel's lease, which is renewed however long a
    receiver takes. Other processes with due messages stand by, and one of them goes on where a sender has died. A
    message is claimed in a commit of its own before it is sent, and marked afterwards. It is sent twice only where its
    sender dies, or is held up for longer than the lease, between the receiver's answer and that mark.
    """

    engine: Engine
    notifier: Notifier
    lease_holder: LeaseHolder
    clock: Clock
    chance: Random
    stopping: Event
    failures: Failures = field(default_factory=Failures)

    def send_due(self) -> int:
        """Send what is due, up to the first message that is not accepted; returns how many were accepted. Raises
        StoreUnavailable."""
        if not self._acquire():
            return 0
        with self.lease_holder.renewing(self.engine):
            return self._send_all()

    def _acquire(self) -> bool:
        """Wait for the channel's lease while messages are due; returns whether this process has it."""
        while not self.stopping.is_set():
            with reading(self.engine) as connection:
                has_work = outbox.has_work(connection, self.notifier.channel, self._now())
            if not has_work:
                return False
            if self.lease_holder.try_acquire(self.engine):
                return True
            self.stopping.wait(self.lease_holder.renewal_seconds)
        return False

    def _send_all(self) -> int:
        accepted, has_failed = 0, False
        while (pending := self._claim(stops=has_failed or self.stopping.is_set())) is not None:
            if not self.lease_holder.has_valid_lease():  # the commit took so long that another may be sending it
                continue
            error = self._attempt(pending)
            if error is None:
                accepted += 1
                continue
            accepts_next = self._accepts_next(pending, error)
            accepted += accepts_next
            self._mark(self._failed(pending, self._now(), error, is_refused=error.refused or accepts_next))
            has_failed = not accepts_next
        return accepted

    def _attempt(self, pending: PendingMessage) -> DeliveryFailed | None:
        """Send a claimed message, and mark it as sent; returns the error if it was not accepted."""
        try:
            self.notifier.send(pending.message)
        except Exception as error:  # noqa: BLE001 - no error of a notifier may hold up the channel
            return _as_failed(error)
        self.failures.ended(self.notifier.channel, "accepts messages again")
        self._mark(_sent(pending, self._now()))
        return None

    def _accepts_next(self, pending: PendingMessage, error: DeliveryFailed) -> bool:
        """Whether the receiver accepts the message behind one that has failed often for an unknown reason.

        Tried at each third failure, so that a receiver that is away gets few requests more.
        """
        is_known = error.permanent or error.refused or error.retry_after is not None
        if is_known or (pending.attempts + 1) % MAX_REFUSALS or self.stopping.is_set():
            return False
        with writing(self.engine) as connection:
            if not self.lease_holder.renew(connection):
                return False
            following = outbox.claim_next(connection, pending)
        if following is None or not self.lease_holder.has_valid_lease():
            return False
        its_error = self._attempt(following)
        if its_error is not None:
            self._mark(self._failed(following, self._now(), its_error, is_refused=its_error.refused))
        return its_error is None

    def _claim(self, *, stops: bool) -> PendingMessage | None:
        """Claim the next message; where there is none, or the sender `stops`, release the channel."""
        channel, now = self.notifier.channel, self._now()
        with writing(self.engine) as connection:
            if not self.lease_holder.renew(connection):
                log.warning("%s: another process has gone on with it while this one was held up", channel)
                return None
            expired = outbox.give_up_old(connection, channel, now)
            pending = None if stops else outbox.claim(connection, channel, now, self.lease_holder.owner)
            if pending is None:
                self.lease_holder.release(connection)
        if expired:
            log.error("%s: messages given up because they are too old: %d", channel, expired)
        return pending

    def _mark(self, mark: Callable[[Connection], None]) -> None:
        """Write the result of an attempt, however long the database is away: without it, the message would be sent
        again."""
        while True:
            try:
                with writing(self.engine) as connection:
                    mark(connection)
            except StoreUnavailable as error:
                name = _sender_name(self.notifier.channel)
                self.failures.failed(name, f"the database is away: {error}", level=logging.ERROR)
                if self.stopping.wait(self.lease_holder.renewal_seconds):
                    raise
            else:
                return

    def _failed(
        self, pending: PendingMessage, now: int, error: DeliveryFailed, *, is_refused: bool
    ) -> Callable[[Connection], None]:
        """How to write that a message was not accepted, which is logged here."""
        is_given_up = error.permanent or (is_refused and pending.attempts + 1 >= MAX_REFUSALS)
        if is_given_up or now >= pending.expires_at:
            text, reason = f"message {pending.id} is given up: {error}", (True, str(error))
            self.failures.failed(pending.channel, text, reason=reason, level=logging.ERROR)
            return lambda connection: outbox.mark_failed(connection, pending, now, str(error))
        pause = pause_seconds(pending.attempts, self.chance)
        paused_until = 0
        if error.retry_after is not None:
            silence = min(error.retry_after, MAX_SILENCE_SECONDS)
            pause, paused_until = max(pause, silence), now + silence
        text = f"message {pending.id} was not accepted, next try in {pause} s: {error}"
        self.failures.failed(pending.channel, text, reason=(False, str(error)))
        return lambda connection: outbox.postpone(connection, pending, now + pause, str(error), paused_until)

    def _now(self) -> int:
        return to_epoch(self.clock())


def _sent(pending: PendingMessage, now: int) -> Callable[[Connection], None]:
    return lambda connection: outbox.mark_sent(connection, pending, now)


def _sender_name(channel: str) -> str:
    """The name of a channel's sender in the log."""
    return f"sender of {channel}"


def _as_failed(error: Exception) -> DeliveryFailed:
    """The error as a failed attempt. Of one that no notifier should raise only the type is used, because its text may
    contain the channel's address."""
    return error if isinstance(error, DeliveryFailed) else DeliveryFailed(f"unexpected {type(error).__name__}")


def pause_seconds(attempts: int, chance: Random) -> int:
    """How long to wait after the failure that follows `attempts` earlier ones: half of it fixed and half by chance, so
    that messages which failed together are not all retried at once."""
    whole = min(FIRST_WAIT_SECONDS << min(attempts, 16), MAX_BACKOFF_SECONDS)
    return round(whole / 2 + whole / 2 * chance.random())
