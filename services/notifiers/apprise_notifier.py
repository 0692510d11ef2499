"""Sends messages through Apprise: mail, chat, push."""

import logging
import re
from html import escape
from threading import Lock

from services.concurrency.deadline import ThreadPerCall, result_within
from services.market.alerting.messages import Message
from services.market.errors import DeliveryFailed
from services.notifiers.safe_http import BadUrl

READ_MARKDOWN = frozenset(("NotifyDiscord", "NotifyFluxer", "NotifyGuilded", "NotifyMattermost", "NotifyRevolt"))
"""Plugins whose services interpret every body as Markdown. Apprise does not escape plain text for them."""

TITLED_IN_MARKDOWN = READ_MARKDOWN | {"NotifyWorkflows"}
"""Plugins whose services interpret titles as Markdown. Apprise does not escape titles for them."""

_MATTERMOST_ESCAPED = re.compile(r"([\\`*{}\[\]()#+\-.!_>|~])")
"""The characters that Mattermost lets a backslash escape; before any other one it shows the backslash."""

SECONDS = 30.0
"""The time limit for sending one message. Apprise's own time-outs, of some seconds, start again with each byte that
arrives, and it has none for resolving a host name."""


class AppriseNotifier:
    """One Apprise URL. Each call is one attempt: the outbox retries.

    The text arrives as it is, line by line, even if the service interprets HTML or Markdown: names and notes may
    contain any character.
    """

    def __init__(self, url: str, channel: str, seconds: float = SECONDS) -> None:
        import apprise  # takes a third of a second, and most installations have no such channel

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its errors contain the URL
        # With a limit for a delivery, Apprise sends on a few threads that all channels share, and does not stop one
        # that exceeds the limit: it might still send the message while the outbox tries again.
        unlimited = apprise.AppriseAsset(service_timeout=0)
        service = apprise.Apprise.instantiate(url, asset=unlimited)
        if service is None:
            raise BadUrl("is not an address that Apprise knows")
        self._service = service
        self._apprise = apprise.Apprise(service)
        self._channel = channel
        self._seconds = seconds
        self._sending = Lock()

    @property
    def channel(self) -> str:
        """The name from the settings, or the service and a digest of the URL."""
        return self._channel

    def send(self, message: Message) -> None:
        """Try once. Raises DeliveryFailed."""
        title, body, body_format = self._formatted(message.title, message.text)
        if not self._sending.acquire(blocking=False):
            raise DeliveryFailed("the service has not answered the previous message yet")

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
            raise DeliveryFailed("the service did not accept the message")

    def _formatted(self, title: str, text: str) -> tuple[str, str, str]:
        """Title, body and the body's format to pass to Apprise, so that the service shows the text unchanged."""
        from apprise import NotifyFormat

        plugin, service_format = type(self._service).__name__, self._service.resolve_format(NotifyFormat.TEXT)
        if plugin in TITLED_IN_MARKDOWN:
            title, text = "", f"{title}\n{text}"
        if plugin == "NotifyMattermost":
            return title, _MATTERMOST_ESCAPED.sub(r"\\\1", escape(text, quote=False)), service_format
        if plugin in READ_MARKDOWN:
            # Declared as Markdown if Apprise can send that: it then splits long messages without breaking the markup.
            return title, _markdown(text), self._service.resolve_format(NotifyFormat.MARKDOWN)
        if service_format == NotifyFormat.MARKDOWN:
            title = _markdown(title) if self._service.title_maxlen <= 0 else title  # otherwise it is a separate field
            return title, _markdown(text.replace("\n", "\n\n")), service_format  # Markdown ignores a single line break
        return title, text, NotifyFormat.TEXT


def _markdown(text: str) -> str:
    """The text escaped for Markdown. Apprise's conversion does not escape `<`, which begins links and tags."""
    from apprise import NotifyFormat
    from apprise.conversion import convert_between

    found: str = convert_between(NotifyFormat.TEXT, NotifyFormat.MARKDOWN, text)  # type: ignore[no-untyped-call]
    return found.replace("<", r"\<")
