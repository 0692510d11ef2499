"""Whatever Apprise has an address for: mail, chat, push."""

import logging
import re
from html import escape
from threading import Lock

from services.concurrency.deadline import ThreadPerCall, result_within
from services.market.alerting.messages import Message
from services.market.errors import DeliveryFailed
from services.notifiers.safe_http import BadUrl

READ_MARKDOWN = frozenset(("NotifyDiscord", "NotifyFluxer", "NotifyGuilded", "NotifyMattermost", "NotifyRevolt"))
"""Plugins whose services read whatever they get as Markdown, though Apprise hands them plain text as it is."""

TITLED_IN_MARKDOWN = READ_MARKDOWN | {"NotifyWorkflows"}
"""Plugins whose services read titles as Markdown, which Apprise hands on as they are."""

_OF_MATTERMOST = re.compile(r"([\\`*{}\[\]()#+\-.!_>|~])")
"""What a backslash may stand before in Mattermost; before others it is shown."""

SECONDS = 30.0
"""What a messenger gets for one message, as a whole. Apprise's own time-outs, of some seconds, begin anew with each
byte that comes, and looking up a name has none."""


class AppriseNotifier:
    """One Apprise URL. One attempt a call: the outbox does the repeating.

    Text arrives as it is, a line a line, whatever the service reads: names and notes may hold any character, and none
    of them formats anything.
    """

    def __init__(self, url: str, channel: str, seconds: float = SECONDS) -> None:
        import apprise  # takes a third of a second, and most installations notify nobody

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its errors repeat the address
        # With a limit on a whole delivery Apprise sends on a few threads that all channels share, and leaves one that
        # takes longer at work: it would still be sending while the outbox tries again. Here nothing is sent then.
        unlimited = apprise.AppriseAsset(service_timeout=0)
        service = apprise.Apprise.instantiate(url, asset=unlimited)
        if service is None:
            raise BadUrl("is no address that Apprise knows")
        self._service = service
        self._apprise = apprise.Apprise(service)
        self._channel = channel
        self._seconds = seconds
        self._sending = Lock()

    @property
    def channel(self) -> str:
        """As the settings name it, or the messenger and a digest of the address."""
        return self._channel

    def send(self, message: Message) -> None:
        """Deliver once. Raises DeliveryFailed."""
        title, body, body_format = self._written(message.title, message.text)
        if not self._sending.acquire(blocking=False):
            raise DeliveryFailed("the messenger has not answered the message before this one")

        def notify() -> bool:
            try:
                return bool(self._apprise.notify(title=title, body=body, body_format=body_format))
            finally:
                self._sending.release()

        try:
            is_accepted = result_within(self._seconds, ThreadPerCall("apprise").submit(notify))
        except TimeoutError:
            raise DeliveryFailed(f"no answer within {self._seconds:g} s") from None
        if not is_accepted:
            raise DeliveryFailed("the messenger did not accept it")

    def _written(self, title: str, text: str) -> tuple[str, str, str]:
        """Title, body, and the body's format, as Apprise has to be given them for this service."""
        from apprise import NotifyFormat

        plugin, read_as = type(self._service).__name__, self._service.resolve_format(NotifyFormat.TEXT)
        if plugin in TITLED_IN_MARKDOWN:
            title, text = "", f"{title}\n{text}"
        if plugin == "NotifyMattermost":
            return title, _OF_MATTERMOST.sub(r"\\\1", escape(text, quote=False)), read_as
        if plugin in READ_MARKDOWN:
            # Said to be Markdown where Apprise can send that: it then cuts long messages where they may be cut.
            return title, _literal(text), self._service.resolve_format(NotifyFormat.MARKDOWN)
        if read_as == NotifyFormat.MARKDOWN:
            title = _literal(title) if self._service.title_maxlen <= 0 else title  # else it is a field of its own
            return title, _literal(text.replace("\n", "\n\n")), read_as  # one line break alone is a space in Markdown
        return title, text, NotifyFormat.TEXT


def _literal(text: str) -> str:
    """The text in Markdown. Apprise's own way leaves `<` as it is, which begins links and tags."""
    from apprise import NotifyFormat
    from apprise.conversion import convert_between

    found: str = convert_between(NotifyFormat.TEXT, NotifyFormat.MARKDOWN, text)  # type: ignore[no-untyped-call]
    return found.replace("<", r"\<")
