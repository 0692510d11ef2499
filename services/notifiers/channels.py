"""The channels that NOTIFY_URLS names."""

import hashlib
import re
from collections.abc import Sequence

from services.market.errors import TrackerError
from services.market.ports import Clock, Notifier
from services.notifiers.apprise_notifier import AppriseNotifier
from services.notifiers.safe_http import BadUrl, parse_target
from services.notifiers.webhook import WebhookNotifier, WebhookOptions

WEBHOOK = "webhook+"
"""The prefix of a webhook's http:// or https:// URL."""

_NAMED = re.compile(r"([a-z][a-z0-9_-]{0,31})=(.*)", re.DOTALL | re.IGNORECASE)


class BadChannel(TrackerError):
    """An entry of NOTIFY_URLS cannot be used; the text does not repeat it, as it may hold a secret."""


def open_notifiers(entries: Sequence[str], options: WebhookOptions, clock: Clock) -> tuple[Notifier, ...]:
    """One notifier per entry, which is `URL` or `name=URL`. Sends nothing yet. Raises BadChannel.

    An entry without a name is named by its service and a digest of its URL, so that the name does not depend on the
    entry's position and reveals nothing of the URL.
    """
    notifiers: dict[str, Notifier] = {}
    for number, entry in enumerate(entries, 1):
        named = _NAMED.fullmatch(entry)
        name, url = named.groups() if named is not None else (None, entry)
        scheme = "webhook" if url.startswith(WEBHOOK) else url.partition("://")[0]
        channel = name or f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:10]}"
        if channel in notifiers:
            raise BadChannel(f"NOTIFY_URLS: entry {number} has the name {channel} of another entry")
        try:
            notifiers[channel] = _open(url, channel, options, clock)
        except BadUrl as error:
            raise BadChannel(f"NOTIFY_URLS: entry {number} {error}") from None
    return tuple(notifiers.values())


def _open(url: str, channel: str, options: WebhookOptions, clock: Clock) -> Notifier:
    if url.startswith(WEBHOOK):
        return WebhookNotifier(parse_target(url.removeprefix(WEBHOOK)), channel, options, clock)
    return AppriseNotifier(url, channel)
