"""What can go wrong, sorted by what the caller does next."""

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
"""What kept an exchange from answering: the first seven lie on the way to it, the others are its own doing."""


class TrackerError(Exception):
    """Every error this program raises on purpose."""


class ExchangeError(TrackerError):
    """One exchange did not give what was asked of it; the others are unharmed.

    `detail` says in plain words what happened, `advice` what to do about it (empty where there is nothing), `kind`
    which of the known failures it is.
    """

    def __init__(self, market: str, detail: str, kind: FailureKind = "other", advice: str = "") -> None:
        super().__init__(f"{market}: {detail}")
        self.market = market
        self.detail = detail
        self.kind = kind
        self.advice = advice

    @property
    def explanation(self) -> str:
        """What happened and what to do, as people are told."""
        return f"{self.detail}. {self.advice}." if self.advice else self.detail


class Unavailable(ExchangeError):
    """The exchange cannot answer now (network, time-out, rate limit, maintenance): try next period."""


class BadPayload(ExchangeError):
    """The exchange answered something that is no market data: try again, but a person should look."""


class UnknownExchange(ExchangeError):
    """No exchange of that name exists, or it lacks what a tracker needs: trying again does not help."""


class UnknownMetric(TrackerError):
    """No metric has this number or key."""

    def __init__(self, wanted: object) -> None:
        super().__init__(f"no metric {wanted}")
        self.wanted = wanted


class UnknownRecord(TrackerError):
    """No rule, alert or mute has this number; the text says which."""


class StoreUnavailable(TrackerError):
    """The database cannot be read or written now (locked, read-only, full, unreachable)."""


class LeaseLost(TrackerError):
    """Another process has taken over the clock: this one must store nothing."""


class UnknownChannel(TrackerError):
    """The settings name no such channel."""


class UnknownDelivery(TrackerError):
    """No message has this number."""


class NotFailed(TrackerError):
    """The message was not given up: it is sent, or still being tried."""


class DeliveryFailed(TrackerError):
    """A message was not accepted; `permanent` says that trying again does not help, `refused` that it hardly will: the
    receiver has understood it and wants none of it. `retry_after` is for how many seconds it wants nothing at all."""

    def __init__(
        self, detail: str, *, permanent: bool = False, refused: bool = False, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.permanent = permanent
        self.refused = refused
        self.retry_after = retry_after


class Busy(TrackerError):
    """As much long work is under way as there are places for: try again in `retry_after` seconds."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unfinished(TrackerError):
    """Long work was ended before it was done: it took too long, or the system ended it."""


class Abandoned(TrackerError):
    """Nobody waits for this work any more: whoever asked for it has gone."""
