"""A plain JSON webhook: a POST that its receiver can check and recognise when it comes again. See docs/webhooks.md."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import orjson

from services.market.alerting.messages import Entry, Message
from services.market.errors import DeliveryFailed
from services.market.ports import Clock
from services.market.times import to_epoch
from services.notifiers import safe_http
from services.notifiers.safe_http import Resolve, Target

NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.LOCKED, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Of the answers from 400 to 499 those that a later try may change; the others refuse the message."""

SECONDS = 10.0
"""What a receiver gets for one request, as a whole."""

USER_AGENT = "data-tracker"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all webhooks: what they are signed with, if with anything, and whether this machine and its
    network may be asked."""

    secret: str | None = None
    allow_private: bool = False


class WebhookNotifier:
    """One address that messages are posted to. One attempt a call: the outbox does the repeating."""

    def __init__(
        self, target: Target, channel: str, terms: Terms, clock: Clock, resolve: Resolve = safe_http.resolve
    ) -> None:
        self._target, self._channel, self._terms, self._clock, self._resolve = target, channel, terms, clock, resolve

    @property
    def channel(self) -> str:
        """As the settings name it, or the scheme and a digest of the address."""
        return self._channel

    def send(self, message: Message) -> None:
        """Deliver once: any answer from 200 to 299 accepts it. Raises DeliveryFailed."""
        now = self._clock()
        body = body_of(message)
        answer = safe_http.ask(
            self._target,
            body,
            self._headers(message.key, body, now),
            seconds=SECONDS,
            allow_private=self._terms.allow_private,
            resolve=self._resolve,
        )
        if 200 <= answer.status < 300:
            return
        detail = f"answered {answer.status}" + ", and redirects are not followed" * (300 <= answer.status < 400)
        is_gone = answer.status == HTTPStatus.GONE
        refused = 400 <= answer.status < 500 and answer.status not in NOT_NOW
        raise DeliveryFailed(
            detail, permanent=is_gone, refused=refused, retry_after=seconds_of(answer.retry_after, now)
        )

    def _headers(self, key: str, body: bytes, now: datetime) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Idempotency-Key": key}
        if self._terms.secret is None:
            return headers
        timestamp = str(to_epoch(now))
        return headers | {
            "Webhook-Timestamp": timestamp,
            "Webhook-Signature": f"sha256={sign(self._terms.secret, timestamp, body)}",
        }


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of `<timestamp>.<body>`, in hexadecimal digits."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def body_of(message: Message) -> bytes:
    """The message as JSON."""
    return orjson.dumps(
        {
            "key": message.key,
            "at": _iso(message.at),
            "title": message.title,
            "text": message.text,
            "fired": message.fired,
            "resolved": message.resolved,
            "alerts": [_entry(entry) for entry in message.entries],
        }
    )


def seconds_of(retry_after: str | None, now: datetime) -> int | None:
    """The seconds that a header Retry-After names, as a number or by an HTTP date; None where it names none."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # numbers beyond all calendars
        return None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    return max(0, round((until - now).total_seconds()))


def _entry(entry: Entry) -> dict[str, object]:
    alert = entry.alert
    return {
        "kind": entry.kind,
        "id": alert.id,
        "metric": alert.key,
        "metric_id": alert.metric_id,
        "price": alert.price,
        "average": alert.average,
        "factor": alert.factor,
        "samples": alert.samples,
        "fired_at": _iso(alert.fired_at),
        "rule_id": alert.rule_id,
        "rule": alert.rule,
        "condition": alert.condition,
        "quantity": alert.quantity,
        "value": alert.value,
        "reference": alert.reference,
        "threshold": alert.threshold,
        "reason": alert.reason,
    }


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
