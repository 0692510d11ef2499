"""The channels that NOTIFY_URLS names."""

import hashlib
import re
from collections.abc import Sequence

from services.market.errors import TrackerError
from services.market.ports import Clock, Notifier
from services.notifiers.apprise_notifier import AppriseNotifier
from services.notifiers.safe_http import BadUrl, parse_target
from services.notifiers.webhook import Terms, WebhookNotifier

WEBHOOK = "webhook+"
"""What stands before http:// or https:// of a plain JSON webhook."""

_NAMED = re.compile(r"([a-z][a-z0-9_-]{0,31})=(.*)", re.DOTALL | re.IGNORECASE)


class BadChannel(TrackerError):
    """An entry that makes no channel; the text does not repeat it, for it may hold a secret."""


def open_notifiers(entries: Sequence[str], terms: Terms, clock: Clock) -> tuple[Notifier, ...]:
    """One notifier an entry: an address, or `name=address`. Nothing is connected to yet. Raises BadChannel.

    A channel is called as its entry says, or by the messenger and a digest of the address: a name that stays with the
    address, wherever it stands, and gives nothing of it away.
    """
    notifiers: dict[str, Notifier] = {}
    for number, entry in enumerate(entries, 1):
        named = _NAMED.fullmatch(entry)
        name, url = named.groups() if named is not None else (None, entry)
        scheme = "webhook" if url.startswith(WEBHOOK) else url.partition("://")[0]
        channel = name or f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:10]}"
        if channel in notifiers:
            raise BadChannel(f"NOTIFY_URLS: entry {number} is called {channel}, as another one is")
        try:
            notifiers[channel] = _open(url, channel, terms, clock)
        except BadUrl as error:
            raise BadChannel(f"NOTIFY_URLS: entry {number} {error}") from None
    return tuple(notifiers.values())


def _open(url: str, channel: str, terms: Terms, clock: Clock) -> Notifier:
    if url.startswith(WEBHOOK):
        return WebhookNotifier(parse_target(url.removeprefix(WEBHOOK)), channel, terms, clock)
    return AppriseNotifier(url, channel)
