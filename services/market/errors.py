"""Errors, sorted by what the caller does next."""

from typing import Literal

FailureKind = Literal[
    "dns",
    "refused",
    "network",
    "tls",
    "proxy",
    "timeout",
    "broken",
    "blocked",
    "rate limit",
    "maintenance",
    "server",
    "other",
]
"""Why an exchange did not answer: the first seven happen on the way to it, the others at the exchange."""


class TrackerError(Exception):
    """Every error this program raises on purpose."""


class ExchangeError(TrackerError):
    """A request to one exchange failed; the others are not affected.

    `detail` is what happened in plain English, `advice` what to do about it (or empty).
    """

    def __init__(self, market: str, detail: str, kind: FailureKind = "other", advice: str = "") -> None:
        super().__init__(f"{market}: {detail}")
        self.market = market
        self.detail = detail
        self.kind = kind
        self.advice = advice

    @property
    def explanation(self) -> str:
        """What happened and what to do, as one text."""
        return f"{self.detail}. {self.advice}." if self.advice else self.detail


class Unavailable(ExchangeError):
    """The exchange cannot answer now (network, time-out, rate limit, maintenance): try next period."""


class BadPayload(ExchangeError):
    """The exchange did not answer with market data: try again, but a person should look."""


class UnknownExchange(ExchangeError):
    """No exchange has this name, or it lacks what a tracker needs: trying again does not help."""


class UnknownMetric(TrackerError):
    """No metric has this number or key."""

    def __init__(self, wanted: object) -> None:
        super().__init__(f"no metric {wanted}")
        self.wanted = wanted


class UnknownRecord(TrackerError):
    """No rule, alert or mute has this number; the text says which."""


class StoreUnavailable(TrackerError):
    """The database cannot be read or written now: it is locked, read-only, full or unreachable."""


class LeaseLost(TrackerError):
    """Another process has taken the lease: this one must store nothing."""


class UnknownChannel(TrackerError):
    """The settings have no channel of this name."""


class UnknownDelivery(TrackerError):
    """No message has this number."""


class NotFailed(TrackerError):
    """The message has not failed: it was sent, or is still queued."""


class DeliveryFailed(TrackerError):
    """A message was not accepted.

    `permanent`: trying again does not help. `refused`: the receiver understood the message and rejected it, so that
    trying again hardly helps. `retry_after`: seconds in which the receiver wants no further message.
    """

    def __init__(
        self, detail: str, *, permanent: bool = False, refused: bool = False, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.permanent = permanent
        self.refused = refused
        self.retry_after = retry_after


class Busy(TrackerError):
    """All places for long work are taken: try again in `retry_after` seconds."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unfinished(TrackerError):
    """Long work was stopped before it finished: it took too long, or the system stopped it."""


class Abandoned(TrackerError):
    """Nobody waits for this work any more: the client has disconnected."""
