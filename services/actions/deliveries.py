"""Actions on messages: list deliveries, retry one, test a channel."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import uuid4

from services.market.alerting.messages import Delivery, DeliveryState, trial
from services.market.errors import NotFailed, UnknownChannel, UnknownDelivery
from services.market.ports import Notifier
from services.market.times import to_epoch
from services.store.alerting import deliveries, outbox
from services.store.database.engine import MAX_INTEGER, Engine, reading, writing


class DeliveryService:
    """The deliveries in the database, and the channels of this process."""

    def __init__(self, engine: Engine, notifiers: Sequence[Notifier]) -> None:
        self._engine = engine
        self._notifiers: Mapping[str, Notifier] = {notifier.channel: notifier for notifier in notifiers}

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels in the settings."""
        return tuple(self._notifiers)

    def newest(self, limit: int, state: DeliveryState | None = None, offset: int = 0) -> tuple[Delivery, ...]:
        """The newest messages after the first `offset`, at most `limit`; only those in `state` if given. Raises
        StoreUnavailable."""
        with reading(self._engine) as connection:
            return deliveries.newest(connection, limit, state, offset)

    def count(self, state: DeliveryState | None = None) -> int:
        """The number of messages; only of those in `state` if given. Raises StoreUnavailable."""
        with reading(self._engine) as connection:
            return deliveries.count(connection, state)

    def retry(self, number: int, now: datetime) -> Delivery:
        """Queue a message that was given up for one more day. Raises UnknownDelivery, NotFailed, StoreUnavailable."""
        if not 0 <= number <= MAX_INTEGER:
            raise UnknownDelivery(f"no message {number}")
        with writing(self._engine) as connection:
            is_queued = outbox.retry(connection, number, to_epoch(now))
            found = deliveries.find(connection, number)
        if found is None:
            raise UnknownDelivery(f"no message {number}")
        if not is_queued:
            raise NotFailed(f"message {number} is {found.state}: only one that has failed can be tried again")
        return found

    def try_out(self, channel: str, now: datetime) -> None:
        """Send a test message and wait for the result. Raises UnknownChannel, DeliveryFailed."""
        notifier = self._notifiers.get(channel)
        if notifier is None:
            raise UnknownChannel(f"no channel {channel[:40]!r}")
        notifier.send(trial(f"test-{uuid4().hex[:12]}", now, channel))
