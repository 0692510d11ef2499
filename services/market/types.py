"""The words of the trade, as values. Times are aware UTC datetimes; in arrays, epoch seconds (int64)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from services.market.present import STALE_PERIODS, is_tick_stale

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLOT_SECONDS = 900
"""Ticks of so long are summed up when a whole day of them is told."""


class Pair(NamedTuple):
    """What is traded for what: `base` is priced in units of `quote`."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True)
class Metric:
    """One tracked (market, base, quote). `reason` says why an inactive one is not ranked."""

    id: int
    market: str
    base: str
    quote: str
    active: bool = True
    reason: str | None = None
    new_at: datetime | None = None
    """When its exchange began to list it, if that was seen."""
    gone_at: datetime | None = None
    """When it ceased to trade there, if that was seen and it does not trade again."""

    @property
    def pair(self) -> Pair:
        return Pair(self.base, self.quote)

    @property
    def key(self) -> str:
        """The name used in addresses: `kraken:BTC-USD`."""
        return f"{self.market}:{self.base}-{self.quote}"


@dataclass(frozen=True)
class Catalogue:
    """The tracked metrics, ascending by number; `number` tells one catalogue from the next."""

    number: int
    metrics: tuple[Metric, ...]

    @cached_property
    def ids(self) -> Ints:
        return np.array([metric.id for metric in self.metrics], dtype=np.int64)

    @cached_property
    def active(self) -> npt.NDArray[np.bool_]:
        return np.array([metric.active for metric in self.metrics], dtype=np.bool_)

    @cached_property
    def rows(self) -> Mapping[str, Mapping[Pair, int]]:
        """For each market, the place in `metrics` of each pair."""
        found: dict[str, dict[Pair, int]] = {}
        for row, metric in enumerate(self.metrics):
            found.setdefault(metric.market, {})[metric.pair] = row
        return found

    @cached_property
    def places(self) -> Mapping[str, Ints]:
        """For each market, the places in `metrics` of all its pairs."""
        return {market: np.array(list(rows.values()), dtype=np.int64) for market, rows in self.rows.items()}


@dataclass(frozen=True, slots=True)
class Listing:
    """One spot pair of an exchange's market list; `active` is False where it is not trading.

    `fault` says why it cannot be tracked, None where it can; `aliases` are the exchange's own names of it, where they
    are others.
    """

    pair: Pair
    active: bool = True
    fault: str | None = None
    aliases: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Quotes:
    """One exchange's answer to one tick.

    `prices` (quote currency per base unit, finite and > 0) and `volumes` (base units of the last
    24 h, NaN where the exchange tells none) run parallel to `pairs`. What was left out of those that
    trade is `refused`, each with the reason. The pairs that the exchange lists as not trading are among
    them; they are `idle` while their price stands still, as far as is known.
    """

    pairs: tuple[Pair, ...]
    prices: Floats
    volumes: Floats
    refused: Mapping[Pair, str] = field(default_factory=dict)
    idle: frozenset[Pair] = frozenset()

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many were left out for each reason."""
        return Counter(self.refused.values())


@dataclass(frozen=True, slots=True)
class CandlePage:
    """One request for candles of `width` seconds that close within (`since`, `until`]."""

    since: datetime
    until: datetime
    width: int


@dataclass(frozen=True, slots=True)
class Candles:
    """Finished candles of one pair, oldest first.

    `times` are epoch seconds of each candle's close, `closes` are finite and > 0. What was left
    out is counted in `rejected` by reason.
    """

    width: int
    times: Ints
    closes: Floats
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """Stored samples of one metric, oldest first: epoch seconds, values, and the seconds each stands for."""

    times: Ints
    values: Floats
    widths: Ints


@dataclass(frozen=True, slots=True)
class Hours:
    """One metric's history by the hour, oldest first, all of shape (hours,).

    `starts` are epoch seconds; prices are in quote currency; `mean` is weighted by what each price
    stands for; `count` is the number of prices; `volume` is the last told of the 24 h before, in base
    units, NaN where none was told.
    """

    starts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    mean: Floats
    count: Ints
    volume: Floats


@dataclass(frozen=True, slots=True)
class RankedMetric:
    """One line of the ranking, as of the last tick.

    Prices, `stdev`, `mean` and `average_1h` are in quote currency; `change_1h`, `change_24h`,
    `volatility` (stdev / mean) and the ranges ((high - low) / low) are fractions, 0.01 meaning one per
    cent; `log_volatility` is the standard deviation of the window's log returns as a fraction a year of
    365 days; `volume_24h` is in base units. The changes are from the prices an hour and a day before
    `updated_at`: they stay for as long as the price does. `coverage` is how much of the window the
    `samples` stand for, 0 to 1. A price that is `stale`, or missing, is none of the present: see
    services.market.present. Highs and lows reach back as services.market.extremes says.
    `rank_1h_ago` is the rank that the tick of an hour ago gave. None stands for "not known": no price
    yet, or too short a history. What is not `active` has no rank and a `reason`: `delisted`, `halted`
    (listed without trading), or `frozen` (its exchange answers without a price for it).
    """

    id: int
    market: str
    base: str
    quote: str
    rank: int | None
    rank_1h_ago: int | None
    price: float | None
    stdev: float | None
    mean: float | None
    volatility: float | None
    log_volatility: float | None
    average_1h: float | None
    change_1h: float | None
    change_24h: float | None
    range_1h: float | None
    range_24h: float | None
    high_24h: float | None
    low_24h: float | None
    volume_24h: float | None
    samples: int
    coverage: float
    active: bool
    reason: str | None
    updated_at: datetime | None
    stale: bool
    alerted_at: datetime | None = None
    """When the metric last fired an alert, if that was within the last hour of ticks."""
    new_at: datetime | None = None
    """When its exchange began to list it, if that was seen and within the last day of ticks."""
    rule_average: float | None = None
    """What the alert rule compares the price with: the average of its own window, the latest price left out."""

    @property
    def pair(self) -> Pair:
        return Pair(self.base, self.quote)

    @property
    def key(self) -> str:
        """The name used in addresses: `kraken:BTC-USD`."""
        return f"{self.market}:{self.base}-{self.quote}"

    def gone_stale(self) -> "RankedMetric":
        """The same when its tick has become stale: so has its price."""
        return replace(self, stale=True)


@dataclass(frozen=True, slots=True)
class Ranking:
    """All tracked metrics in rank order, those without prices last, as one tick left them."""

    revision: int
    minute: datetime | None
    metrics: tuple[RankedMetric, ...]

    def gone_stale(self) -> "Ranking":
        """The same when this tick is stale: so are all its prices."""
        return replace(self, metrics=tuple(row.gone_stale() for row in self.metrics))


@dataclass(frozen=True, slots=True)
class Sparklines:
    """The shape of some metrics' last 24 h, for a thumbnail.

    `points` is uint8 of shape (metrics, 24), one point an hour, oldest first, the last of them at `minute` (the last
    tick; None before the first): 0 is the lowest and 100 the highest of that metric's own points, 255 where there is no
    price. `low` and `high` are the prices of 0 and 100 in quote currency, NaN where there is none.
    """

    minute: datetime | None
    metric_ids: Ints
    points: npt.NDArray[np.uint8]
    low: Floats
    high: Floats


AlertState = Literal["firing", "no_data", "resolved"]
"""`no_data` is an alert whose price is stale: it has not ended, and nobody knows whether it
would fire still."""

Reason = Literal["average_caught_up", "window_moved_on"]
"""Why an alert resolved although its value is still beyond what it was compared with when it fired: the average has
taken in the values since; the window of a change begins after it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One firing of a rule on a metric that stood at `price`.

    The built-in rule (`rule_id` 0) compares that with `factor` x `average` of the `samples` prices before it. The
    rules that people write tell in `condition` what was met, by the `value` of which `quantity`, what that was compared
    with (`reference`, `threshold`), and `average` and `factor` where it was these; `rule` is the rule's name then.
    """

    id: int
    metric_id: int
    market: str
    base: str
    quote: str
    price: float
    average: float | None
    factor: float | None
    samples: int
    fired_at: datetime
    rule_id: int = 0
    rule: str | None = None
    condition: str | None = None
    quantity: str = "price"
    value: float | None = None
    reference: float | None = None
    threshold: float | None = None
    muted: bool = False
    no_data_since: datetime | None = None
    """Since when nothing is known of an alert that has not ended."""
    resolved_at: datetime | None = None
    reason: Reason | None = None
    """Why it resolved, where that is not that the value is back."""
    acknowledged_at: datetime | None = None
    note: str | None = None
    acknowledged_by: str | None = None
    """Who did; None where the server asks nobody for a name."""

    @property
    def pair(self) -> Pair:
        return Pair(self.base, self.quote)

    @property
    def key(self) -> str:
        """The metric's name in addresses: `kraken:BTC-USD`."""
        return f"{self.market}:{self.base}-{self.quote}"

    @property
    def state(self) -> AlertState:
        if self.resolved_at is not None:
            return "resolved"
        return "firing" if self.no_data_since is None else "no_data"


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts are asked for, newest first: fired at or after `since` and before `until`; `state` is one of theirs,
    or `open` for those that have not ended; each of the `words` is part of the metric's name;
    `up_to` is the largest number, `offset` how many are passed over."""

    since: datetime | None = None
    until: datetime | None = None
    metric_id: int | None = None
    rule_id: int | None = None
    state: str | None = None
    unacknowledged: bool = False
    muted: bool | None = None
    words: str = ""
    up_to: int | None = None
    limit: int = 1_000
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """How many alerts there are, and how many of them nobody has acknowledged."""

    total: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """What somebody should look at: alerts that have not ended, are not muted, and acknowledged by nobody. `total` are
    all of them, `newest` the first few, newest first."""

    total: int
    newest: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Firing:
    """When a rule would have fired on a metric, and the price then."""

    metric_id: int
    at: datetime
    price: float


@dataclass(frozen=True, slots=True)
class Firings:
    """All of them in one replay, oldest first: parallel arrays of metric numbers, epoch seconds and prices. There may
    be millions."""

    metric_ids: Ints
    times: Ints
    prices: Floats

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Firing]:
        return iter(self.newest(len(self)))

    def newest(self, count: int) -> list[Firing]:
        """The last `count` of them, oldest first."""
        last = slice(max(0, len(self) - count), None)
        columns = (self.metric_ids[last].tolist(), self.times[last].tolist(), self.prices[last].tolist())
        return [
            Firing(metric_id, datetime.fromtimestamp(second, UTC), price)
            for metric_id, second, price in zip(*columns, strict=True)
        ]

    def counts(self) -> list[tuple[int, int]]:
        """The metrics with how often it fired on each, the most first; of equal ones, the smaller number."""
        numbers, counts = np.unique(self.metric_ids, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return list(zip(numbers[order].tolist(), counts[order].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Mute:
    """Alerts of this rule (None: of all) on this metric (None: on all) are told to nobody, `until` then or, where that
    is None, until those that there are have resolved."""

    id: int
    rule_id: int | None
    metric_id: int | None
    until: datetime | None
    note: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """How one exchange does. `failing_since` is None while it answers; `error` is what it complained of at
    `failed_at`, its last failure."""

    market: str
    metrics: int
    last_success: datetime | None
    failing_since: datetime | None
    error: str | None
    latency_ms: float | None
    rejected: int = 0
    """Values left out of its last answer."""
    note: str | None = None
    """What is odd about its last answer, in words: values refused, pairs without a price, prices that stand still."""
    failed_at: datetime | None = None
    permitted: float | None = None
    """Requests a second that it permits; None where it sets no limit, or that is not known yet."""


@dataclass(frozen=True, slots=True)
class BackfillState:
    """How far the filling of missing history has come on one exchange, in requests."""

    market: str
    done: int
    total: int
    failed: int
    updated_at: datetime

    @property
    def running(self) -> bool:
        """Whether requests are left, also while the exchange does not answer them."""
        return self.done + self.failed < self.total


@dataclass(frozen=True, slots=True)
class TickState:
    """One tick as it went. Durations in milliseconds; `late_ms` after its period began; `missed` periods before it."""

    minute: datetime
    late_ms: float
    fetch_ms: float
    commit_ms: float
    stored: int
    rejected: int
    missed: int
    failed: tuple[str, ...]
    """The exchanges that did not answer."""


@dataclass(frozen=True, slots=True)
class TickDay:
    """The ticks of 24 h in slots of SLOT_SECONDS, oldest first, all of shape (slots,).

    `starts` are epoch seconds. Durations are in milliseconds, NaN where no tick was: the means of fetch and store, and
    the longest of both together. `missed` counts the periods without a tick (those before the first tick ever are
    none), `failed` the ticks in which some exchange did not answer.
    """

    starts: Ints
    ticks: Ints
    fetch_ms: Floats
    store_ms: Floats
    longest_ms: Floats
    missed: Ints
    failed: Ints


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the database was, oldest first: epoch seconds and bytes, both of shape (records,), one an hour."""

    times: Ints
    bytes: Ints


@dataclass(frozen=True, slots=True)
class Day:
    """What happened within 24 h: the ticks, and the tracked metrics that came and that went, the latest first.

    `sizes` tell of the 30 days before, so that a growth can be seen.
    """

    ticks: TickDay
    came: tuple[Metric, ...]
    went: tuple[Metric, ...]
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting as anybody may see it: of an address no more than where it leads, of a secret that there is one."""

    name: str
    value: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """What this installation tracks by; fixed while the program runs."""

    version: str
    simulated: bool
    period_seconds: int
    window_hours: float
    alert_factor: float
    alert_window_minutes: int
    alert_cooldown_minutes: int
    alert_min_samples: int
    settings: tuple[ShownSetting, ...] = ()
    retention_days: float | None = None
    exposed: bool = False
    """Whether everybody who reaches the server from elsewhere is let in."""

    @property
    def full_coverage(self) -> float:
        """From which `RankedMetric.coverage` on the window counts as full: a hundredth of it may be missing, and a
        period where that is longer."""
        return min(0.99, 1 - self.period_seconds / (self.window_hours * 3_600))


@dataclass(frozen=True, slots=True)
class Storage:
    """How large the database is, and by how much it grew in the last 24 h (None until that is known), in bytes;
    `sealed_until` is the end of what has been moved to chunks."""

    size_bytes: int
    growth_bytes: int | None = None
    sealed_until: datetime | None = None
    kept_longer_since: datetime | None = None
    """The beginning of what is older than RETENTION_DAYS and kept, for it was not in use for so long."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """What clocks that were ahead had stored, and what counts no more: `ticks` and `prices` of periods from `first` to
    `last` as those clocks told them, set aside by the tick of `at`, the last one that did so."""

    at: datetime
    first: datetime
    last: datetime
    ticks: int
    prices: int


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the whole at one instant.

    `stale` is True when the last tick is, see services.market.present, or none has come yet although metrics are
    tracked. `ticks` are the newest ones, newest first.
    """

    revision: int
    minute: datetime | None
    stale: bool
    tracked: int
    trading: int
    """Those that trade: a price of each is expected."""
    priced: int
    """Those among them whose price was not stale at the last tick."""
    exchanges: tuple[ExchangeState, ...]
    backfills: tuple[BackfillState, ...]
    ticks: tuple[TickState, ...]
    warnings: tuple[str, ...] = ()
    """What the operator should know of `TRACK`: unknown exchanges and pairs."""
    storage: Storage | None = None
    shared_cache: bool | None = None
    """Whether the cache that processes share answers; None where there is none."""
    holder: str | None = None
    """The process that has the clock; None where none has."""
    set_aside: SetAside | None = None
    """None where no clock was ever found to be ahead."""
    cannot_write: str | None = None
    """Why nothing can be written to the database now, as far as this process knows; None where it can."""
    away_since: datetime | None = None
    """Since when the database does not answer: all else is what it said last. None while it answers."""

    @property
    def live(self) -> int:
        """Metrics whose price is of the present."""
        return 0 if self.stale else self.priced

    @property
    def stale_metrics(self) -> int:
        """Metrics that trade, and whose price is stale."""
        return self.trading - self.live

    def judged_at(self, now: datetime, period_seconds: int) -> "Status":
        """The same state, with `stale` as it is at `now`."""
        return replace(self, stale=self.tracked > 0 and _is_tick_stale(self.minute, now, period_seconds))

    def present(self, now: datetime) -> datetime:
        """The moment beside which ages are told: that of the last tick, or `now` where that is stale."""
        return now if self.stale or self.minute is None else self.minute

    def why_stale(self, now: datetime) -> str:
        """What is wrong with the time of the last tick of a stale state, in words that follow that time."""
        if self.minute is not None and self.minute > now:
            return "which is yet to come: a clock was ahead, or this one is behind"
        return f"more than {STALE_PERIODS} periods ago"


def _is_tick_stale(minute: datetime | None, now: datetime, period_seconds: int) -> bool:
    return is_tick_stale(None if minute is None else int(minute.timestamp()), now.timestamp(), period_seconds)
