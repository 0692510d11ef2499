"""What the inside asks of the outside. Implementations are chosen in `services.bootstrap` alone."""

from collections.abc import Callable, Generator, Mapping, Sequence
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
"""Tells the time, aware UTC."""

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
        """How often it permits to be asked; None where it does not care."""

    def listings(self) -> tuple[Listing, ...]:
        """The exchange's spot pairs, as a fresh request finds them.

        Raises Unavailable or BadPayload (which includes an empty list).
        """

    def quotes(self, minute: datetime, deadline_seconds: float) -> Quotes:
        """Ask once for every pair's last price; `minute` is the period that asks.

        Raises Unavailable when no whole answer came within `deadline_seconds`, BadPayload when it
        made no sense or was empty.
        """

    def pages(self, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
        """The requests, newest first, that bring the history of (`since`, `until`] as finely as it can be had."""

    def candles(self, pair: Pair, page: CandlePage) -> Candles:
        """Carry out one page at the exchange's permitted pace (which may mean waiting before asking).

        Raises Unavailable or BadPayload. An empty answer is an answer: there was no trade, or no history.
        """


class MarketReader(Protocol):
    """All that web rooms may ask. Every method raises StoreUnavailable when the database is."""

    @property
    def profile(self) -> Profile:
        """The installation's fixed figures."""

    def revision(self) -> int:
        """Grows by one with every commit that changes what the other methods answer; 0 before the first."""

    def ranking(self) -> Ranking:
        """All tracked metrics in rank order."""

    def metric(self, wanted: int | str) -> RankedMetric:
        """The metric of this number or key (`kraken:BTC-USD`, any case); raises UnknownMetric."""

    def prices(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        """Prices with `since` < time <= `until`, quote currency per base unit; raises UnknownMetric.

        Whoever was told just now that `revision` is the present one spares the reader asking for it.
        """

    def hours(self, metric_id: int, since: datetime, until: datetime) -> Hours:
        """The hours that begin at or after `since` and before `until`; raises UnknownMetric."""

    def volumes(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        """24 h volumes as told with `since` < time <= `until`, base units; `revision` and errors as of `prices`."""

    def alerts(self, query: AlertQuery = NEWEST_ALERTS) -> tuple[Alert, ...]:
        """The alerts that `query` selects, newest first."""

    def open_alerts(self) -> OpenAlerts:
        """The alerts that somebody should look at."""

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        """Thumbnails of those of `metric_ids` that are tracked."""

    def status(self, now: datetime) -> Status:
        """The state of the whole, judged at `now`."""

    def day(self, now: datetime) -> Day:
        """What happened in the 24 h before `now`."""


class TokenBook(Protocol):
    """The API tokens. Every method raises StoreUnavailable when the database is."""

    def holder(self, secret: str, now: datetime) -> Token | None:
        """The token of this text, if it exists and is not revoked; that it was used is put on record."""

    def all(self) -> tuple[Token, ...]:
        """Every token there is or was, newest first."""

    def issue(self, name: str, scope: Scope, now: datetime) -> tuple[str, Token]:
        """Make a token; its text comes first, and never again. Raises ValueError for a name that cannot be used."""

    def revoke(self, number: int, now: datetime) -> bool:
        """End a token; False where there is none to end."""


class AlertService(Protocol):
    """All that web rooms may do about alerts. Every method raises StoreUnavailable when the database is."""

    def rules(self) -> tuple[AlertRule, ...]:
        """The rules that people wrote, by number."""

    def rule(self, number: int) -> AlertRule:
        """The rule of this number; raises UnknownRecord."""

    def state_counts(self) -> Mapping[int, Mapping[str, int]]:
        """For each rule that has such, how many metrics are in which state other than ok."""

    def add_rule(self, rule: AlertRule) -> AlertRule:
        """Keep it; answers it with its number. Raises TooManyRules, and BadRule for a channel that there is not."""

    def change_rule(self, rule: AlertRule, now: datetime) -> None:
        """Put it in the place of the one of its number; raises UnknownRecord, and BadRule for a new channel that there
        is not."""

    def remove_rule(self, number: int, now: datetime) -> None:
        """Forget it; what it has fired stays on record. Raises UnknownRecord."""

    def tally(self, query: AlertQuery) -> AlertCounts:
        """How many alerts are asked for, whatever the limit and the offset."""

    def rules_that_fired(self) -> Mapping[int, str | None]:
        """The rules that there are alerts of, with the name that each had at the last of them, None for the built-in
        one."""

    def acknowledge(self, number: int, note: str | None, now: datetime, by: str | None = None) -> Alert:
        """Somebody, named `by`, has seen this alert; a second time changes nothing. Raises UnknownRecord."""

    def acknowledge_all(self, query: AlertQuery, note: str | None, now: datetime, by: str | None = None) -> int:
        """The same of all alerts that are asked for, whatever the limit and the offset; answers how many they were."""

    def mutes(self, now: datetime) -> tuple[Mute, ...]:
        """Those that hold, by number."""

    def mute(
        self, rule_id: int | None, metric_id: int | None, until: datetime | None, note: str | None, now: datetime
    ) -> Mute:
        """Tell nobody of these alerts from now on, as services.market.types.Mute says; raises UnknownRecord."""

    def replay(self, rule: AlertRule, since: datetime, until: datetime, period_seconds: int) -> Steps[ReplayResult]:
        """When this rule, kept or not, would have fired in that time on what is stored. Raises BadRule, Busy where
        there is no place for it, Unfinished where it takes too long; the former two mostly before the first step, to
        which it never comes without a place."""

    def unmute(self, number: int, now: datetime) -> None:
        """End a mute early; raises UnknownRecord."""


class Notifier(Protocol):
    """One way out for messages."""

    @property
    def channel(self) -> str:
        """A stable name that gives nothing of the address away."""

    def send(self, message: Message) -> None:
        """Deliver once; the message's key lets the receiver recognise a repeat. Raises DeliveryFailed."""


Notifiers = Sequence[Notifier]


class Deliveries(Protocol):
    """What became of the messages, and the channels that they go to. Where the database is asked, every method raises
    StoreUnavailable when it is away."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels that the settings name."""

    def newest(self, limit: int, state: DeliveryState | None = None, offset: int = 0) -> tuple[Delivery, ...]:
        """The newest messages after the first `offset`, at most `limit`, of one state where it is given."""

    def count(self, state: DeliveryState | None = None) -> int:
        """How many messages there are, of one state where it is given."""

    def retry(self, number: int, now: datetime) -> Delivery:
        """Owe a message that was given up for another day. Raises UnknownDelivery, or NotFailed where there is nothing
        to try again."""

    def try_out(self, channel: str, now: datetime) -> None:
        """Send a test, and wait for what comes of it. Raises UnknownChannel or DeliveryFailed."""
