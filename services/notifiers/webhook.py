"""A JSON webhook: a POST with a signature, and a key that identifies repeats. See docs/webhooks.md."""

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

TEMPORARY_STATUSES = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.LOCKED, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Statuses from 400 to 499 that are worth a retry; the others refuse the message."""

SECONDS = 10.0
"""The time limit for one request."""

USER_AGENT = "data-tracker"


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Options of all webhooks: the `secret` for signatures, if any, and `allow_private` to permit this machine and
    private networks."""

    secret: str | None = None
    allow_private: bool = False


class WebhookNotifier:
    """Posts messages to one URL. Each call is one attempt: the outbox retries."""

    def __init__(
        self, target: Target, channel: str, options: WebhookOptions, clock: Clock, resolve: Resolve = safe_http.resolve
    ) -> None:
        self._target, self._channel, self._options, self._clock = target, channel, options, clock
        self._resolve = resolve

    @property
    def channel(self) -> str:
        """The name from the settings, or the scheme and a digest of the URL."""
        return self._channel

    def send(self, message: Message) -> None:
        """Try once: any status from 200 to 299 accepts the message. Raises DeliveryFailed."""
        now = self._clock()
        body = body_of(message)
        reply = safe_http.send_request(
            self._target,
            body,
            self._headers(message.key, body, now),
            seconds=SECONDS,
            allow_private=self._options.allow_private,
            resolve=self._resolve,
        )
        if 200 <= reply.status < 300:
            return
        detail = f"answered {reply.status}" + ", and redirects are not followed" * (300 <= reply.status < 400)
        is_gone = reply.status == HTTPStatus.GONE
        refused = 400 <= reply.status < 500 and reply.status not in TEMPORARY_STATUSES
        raise DeliveryFailed(
            detail, permanent=is_gone, refused=refused, retry_after=parse_retry_after(reply.retry_after, now)
        )

    def _headers(self, key: str, body: bytes, now: datetime) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Idempotency-Key": key}
        if self._options.secret is None:
            return headers
        timestamp = str(to_epoch(now))
        return headers | {
            "Webhook-Timestamp": timestamp,
            "Webhook-Signature": f"sha256={sign(self._options.secret, timestamp, body)}",
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


def parse_retry_after(retry_after: str | None, now: datetime) -> int | None:
    """The seconds in a Retry-After header, which is a number or an HTTP date; None if it is neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year that datetime cannot represent
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
