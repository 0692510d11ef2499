"""Ways out for messages: whatever Apprise has an address for."""

import hashlib
import logging

from services.market.errors import DeliveryFailed, TrackerError
from services.market.messages import Message


class BadChannel(TrackerError):
    """An address that no messenger is known for; the text does not repeat it, for it may hold a secret."""


class AppriseNotifier:
    """One Apprise URL. One attempt a call: the outbox does the repeating."""

    def __init__(self, url: str, number: int) -> None:
        import apprise  # takes a third of a second, and most installations notify nobody

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its errors repeat the address
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise BadChannel(f"NOTIFY_URLS: entry {number} is no address that Apprise knows")
        scheme = url.partition("://")[0]
        self._channel = f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:10]}"

    @property
    def channel(self) -> str:
        """The messenger and a digest of the address."""
        return self._channel

    def send(self, message: Message) -> None:
        """Deliver once. Raises DeliveryFailed."""
        if not self._apprise.notify(title=message.title, body=message.text):
            raise DeliveryFailed("the messenger did not accept it")
