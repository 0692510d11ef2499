"""Whatever Apprise has an address for: mail, chat, push."""

import logging

from services.market.errors import DeliveryFailed
from services.market.messages import Message
from services.notifiers.outward import BadUrl


class AppriseNotifier:
    """One Apprise URL. One attempt a call: the outbox does the repeating."""

    def __init__(self, url: str, channel: str) -> None:
        import apprise  # takes a third of a second, and most installations notify nobody

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its errors repeat the address
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise BadUrl("is no address that Apprise knows")
        self._channel = channel

    @property
    def channel(self) -> str:
        """As the settings name it, or the messenger and a digest of the address."""
        return self._channel

    def send(self, message: Message) -> None:
        """Deliver once. Raises DeliveryFailed."""
        if not self._apprise.notify(title=message.title, body=message.text):
            raise DeliveryFailed("the messenger did not accept it")
