"""The ports: interfaces that the application needs. `services.bootstrap` alone chooses implementations."""

from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from services.market.alerting.alerts import (
    NEWEST_ALERTS,
    Alert,
    AlertCounts,
    AlertQuery,
    Mute,
    OpenAlerts,
    ReplayResult,
)
from services.market.alerting.messages import Delivery, DeliveryState, Message
from services.market.alerting.rules import AlertRule
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.status import Day, Profile, Status
from services.market.tokens import Scope, Token
from services.market.types import CandlePage, Candles, Hours, Listing, Pair, Quotes, Series

Clock = Callable[[], datetime]
"""Returns the time, aware UTC."""

T = TypeVar("T")

Steps = Generator[float | None, None, T]
"""Work in steps: yields the share that is done, 0 to 1, or None while it waits for its turn, at least twice a second;
returns its result. Its caller closes it to cancel the work."""


class Exchange(Protocol):
    """One exchange. Each method may be called from one thread at a time; two methods from two threads."""

    @property
    def name(self) -> str:
        """The market's name in metrics: a ccxt id, or `demo`."""

    @property
    def requests_a_second(self) -> float | None:
        """The rate limit in requests per second; None without one."""

    def listings(self) -> tuple[Listing, ...]:
        """The exchange's spot pairs, as a fresh request finds them.

        Raises Unavailable or BadPayload (which includes an empty list).
        """

    def quotes(self, minute: datetime, deadline_seconds: float) -> Quotes:
        """Request every pair's last price, once, for the period `minute`.

        Raises Unavailable if no complete response came within `deadline_seconds`, BadPayload if it
        was invalid or empty.
        """

    def pages(self, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
        """The requests, newest first, for the history of (`since`, `until`] at the finest available resolution."""

    def candles(self, pair: Pair, page: CandlePage) -> Candles:
        """Request one page within the exchange's rate limit, which may mean waiting first.

        Raises Unavailable or BadPayload. An empty response is valid: there was no trade, or no history.
        """


class MarketReader(Protocol):
    """Everything that the web layers read. Every method raises StoreUnavailable if the database is unavailable."""

    @property
    def profile(self) -> Profile:
        """The fixed parameters of this installation."""

    def revision(self) -> int:
        """Grows by one with each commit that changes the results of the other methods; 0 before the first."""

    def ranking(self) -> Ranking:
        """All tracked metrics in rank order."""

    def metric(self, wanted: int | str) -> RankedMetric:
        """The metric of this number or key (`kraken:BTC-USD`, any case); raises UnknownMetric."""

    def prices(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        """Prices with `since` < time <= `until`, quote currency per base unit; raises UnknownMetric.

        `revision`, if given, is the present one as the caller knows it: the reader need not ask for it.
        """

    def hours(self, metric_id: int, since: datetime, until: datetime) -> Hours:
        """The hours that start at or after `since` and before `until`; raises UnknownMetric."""

    def volumes(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        """24 h volumes reported with `since` < time <= `until`, base units; `revision` and errors as for `prices`."""

    def alerts(self, query: AlertQuery = NEWEST_ALERTS) -> tuple[Alert, ...]:
        """The alerts that `query` selects, newest first."""

    def count_alerts(self, query: AlertQuery) -> AlertCounts:
        """The number of selected alerts, regardless of limit and offset."""

    def rules_that_fired(self) -> Mapping[int, str | None]:
        """The rules with alerts, and the name that each had at the last one; None for the built-in rule."""

    def open_alerts(self) -> OpenAlerts:
        """The alerts that need attention."""

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        """Thumbnails of the tracked ones of `metric_ids`."""

    def status(self, now: datetime) -> Status:
        """The state of the whole tracker, as of `now`."""

    def day(self, now: datetime) -> Day:
        """What happened in the 24 h before `now`."""


class TokenBook(Protocol):
    """The API tokens. Every method raises StoreUnavailable if the database is unavailable."""

    def holder(self, secret: str, now: datetime) -> Token | None:
        """The token with this secret, if it exists and is not revoked. Its use is recorded."""

    def all(self) -> tuple[Token, ...]:
        """All tokens, also revoked ones, newest first."""

    def issue(self, name: str, scope: Scope, now: datetime) -> tuple[str, Token]:
        """Create a token; return its secret, shown only once, and the token. Raises ValueError for a bad name."""

    def revoke(self, number: int, now: datetime) -> bool:
        """Revoke a token; False if there is none to revoke."""


class AlertService(Protocol):
    """Everything that the web layers do with alerts. Every method raises StoreUnavailable if the database is
    unavailable."""

    def rules(self) -> tuple[AlertRule, ...]:
        """The stored rules, by number."""

    def rule(self, number: int) -> AlertRule:
        """The rule of this number; raises UnknownRecord."""

    def state_counts(self) -> Mapping[int, Mapping[str, int]]:
        """The number of metrics by state, for each rule with metrics in a state other than ok."""

    def add_rule(self, rule: AlertRule) -> AlertRule:
        """Store a new rule; return it with its number. Raises TooManyRules, and BadRule for an unknown channel."""

    def change_rule(self, rule: AlertRule, now: datetime) -> None:
        """Replace the rule of this number. Raises UnknownRecord, and BadRule for an unknown new channel."""

    def remove_rule(self, number: int, now: datetime) -> None:
        """Remove the rule; its alerts stay on record. Raises UnknownRecord."""

    def acknowledge(self, number: int, note: str | None, now: datetime, by: str | None = None) -> Alert:
        """Acknowledge the alert, on behalf of `by`; a second time changes nothing. Raises UnknownRecord."""

    def acknowledge_all(self, query: AlertQuery, note: str | None, now: datetime, by: str | None = None) -> int:
        """Acknowledge all selected alerts, regardless of limit and offset; return how many they were."""

    def mutes(self, now: datetime) -> tuple[Mute, ...]:
        """The mutes in force, by number."""

    def mute(
        self, rule_id: int | None, metric_id: int | None, until: datetime | None, note: str | None, now: datetime
    ) -> Mute:
        """Notify nobody of these alerts from now on, see `Mute`; raises UnknownRecord."""

    def replay(self, rule: AlertRule, since: datetime, until: datetime, period_seconds: int) -> Steps[ReplayResult]:
        """When this rule, stored or not, would have fired on the stored history of that time.

        Raises BadRule, Busy without a free place, and Unfinished if it takes too long. It takes its first step only
        with a place.
        """

    def unmute(self, number: int, now: datetime) -> None:
        """End a mute early; raises UnknownRecord."""


class Notifier(Protocol):
    """Sends messages to one channel."""

    @property
    def channel(self) -> str:
        """A stable name that reveals nothing of the address."""

    def send(self, message: Message) -> None:
        """Send once. The message's key lets the receiver recognise a repeat. Raises DeliveryFailed."""


class Deliveries(Protocol):
    """Deliveries of messages, and the configured channels. Methods that read or write the database raise
    StoreUnavailable if it is unavailable."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels in the settings."""

    def newest(self, limit: int, state: DeliveryState | None = None, offset: int = 0) -> tuple[Delivery, ...]:
        """The newest deliveries after the first `offset`, at most `limit`, of one state if given."""

    def count(self, state: DeliveryState | None = None) -> int:
        """The number of deliveries, of one state if given."""

    def retry(self, number: int, now: datetime) -> Delivery:
        """Queue a failed delivery again, for another day. Raises UnknownDelivery or NotFailed."""

    def try_out(self, channel: str, now: datetime) -> None:
        """Send a test message and wait for the result. Raises UnknownChannel or DeliveryFailed."""
