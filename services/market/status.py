"""The state of the tracker itself: exchanges, ticks, backfills, storage and settings."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.market.present import STALE_PERIODS, is_tick_stale
from services.market.times import HOUR, to_epoch
from services.market.types import Floats, Ints, Metric

SLOT_SECONDS = 900
"""The ticks of a day are summarised in slots of this length."""


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """The state of one exchange. `failing_since` is None while it answers; `error` is that of its last failure, at
    `failed_at`."""

    market: str
    metrics: int
    last_success: datetime | None
    failing_since: datetime | None
    error: str | None
    latency_ms: float | None
    rejected: int = 0
    """Rejected values in its last response."""
    note: str | None = None
    """Anything odd in its last response, as text: rejected values, pairs without a price, prices that do not move."""
    failed_at: datetime | None = None
    permitted: float | None = None
    """Its rate limit in requests per second; None if there is none, or if it is not known yet."""


@dataclass(frozen=True, slots=True)
class BackfillState:
    """The progress of one exchange's backfill, in requests."""

    market: str
    done: int
    total: int
    failed: int
    updated_at: datetime

    @property
    def running(self) -> bool:
        """True while requests are left, even if the exchange does not answer."""
        return self.done + self.failed < self.total


@dataclass(frozen=True, slots=True)
class TickState:
    """One finished tick. Durations in milliseconds; it started `late_ms` after its period did, after `missed` periods
    without a tick."""

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

    `starts` are epoch seconds. Durations are in milliseconds, NaN without ticks: the means of fetch and store, and the
    longest sum of both. `missed` counts the periods without a tick since the first tick ever, `failed` the ticks in
    which some exchange did not answer.
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
    """The size of the database by the hour, oldest first: epoch seconds and bytes, both of shape (records,)."""

    times: Ints
    bytes: Ints


@dataclass(frozen=True, slots=True)
class Day:
    """The events of 24 h: ticks, and metrics that were listed (`came`) or ceased to trade (`went`), latest first.

    `sizes` cover the 30 days before, so that growth is visible.
    """

    ticks: TickDay
    came: tuple[Metric, ...]
    went: tuple[Metric, ...]
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting as shown to users: only the host of an address, and of a secret only that it is set."""

    name: str
    value: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """The parameters of this installation; fixed while the program runs."""

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
    """True if everyone who reaches the server has access."""

    @property
    def full_coverage(self) -> float:
        """The `RankedMetric.coverage` from which the window counts as full: a hundredth of it may be missing, or a
        period if that is longer."""
        return min(0.99, 1 - self.period_seconds / (self.window_hours * HOUR))


@dataclass(frozen=True, slots=True)
class Storage:
    """The size of the database, and its growth in the last 24 h (None until known), in bytes; samples up to
    `sealed_until` are in chunks."""

    size_bytes: int
    growth_bytes: int | None = None
    sealed_until: datetime | None = None
    retained_since: datetime | None = None
    """The oldest sample beyond RETENTION_DAYS that is still retained, because the tracker did not run all that time."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Data that clocks which were ahead had stored, and that is no longer used: `ticks` and `prices` of periods from
    `first` to `last` by those clocks. The tick of `at` was the last one that set some aside."""

    at: datetime
    first: datetime
    last: datetime
    ticks: int
    prices: int


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the whole tracker at one moment.

    `stale` is True if the last tick is stale, see services.market.present, or if there is none yet although metrics are
    tracked. `ticks` are the newest ones, newest first.
    """

    revision: int
    minute: datetime | None
    stale: bool
    tracked: int
    trading: int
    """Metrics that trade: each should have a price."""
    priced: int
    """Those of them whose price was not stale at the last tick."""
    exchanges: tuple[ExchangeState, ...]
    backfills: tuple[BackfillState, ...]
    ticks: tuple[TickState, ...]
    warnings: tuple[str, ...] = ()
    """Warnings about `TRACK`: unknown exchanges and pairs."""
    storage: Storage | None = None
    shared_cache: bool | None = None
    """True if the shared cache answers; None without one."""
    holder: str | None = None
    """The process that holds the lease; None if none does."""
    set_aside: SetAside | None = None
    """None if no clock was ever ahead."""
    cannot_write: str | None = None
    """Why the database cannot be written now, as far as this process knows; None if it can."""
    away_since: datetime | None = None
    """Start of the time without a database: all else is what was read last. None while it is available."""

    @property
    def live(self) -> int:
        """Metrics with a present price."""
        return 0 if self.stale else self.priced

    @property
    def stale_metrics(self) -> int:
        """Metrics that trade and have a stale price."""
        return self.trading - self.live

    def as_of(self, now: datetime, period_seconds: int) -> "Status":
        """The same state, with `stale` as of `now`."""
        return replace(self, stale=self.tracked > 0 and _is_tick_stale(self.minute, now, period_seconds))

    def present(self, now: datetime) -> datetime:
        """The moment that ages refer to: the last tick, or `now` if that is stale."""
        return now if self.stale or self.minute is None else self.minute

    def why_stale(self, now: datetime) -> str:
        """Why the last tick of a stale state is stale, as text that follows its time."""
        if self.minute is not None and self.minute > now:
            return "which is yet to come: a clock was ahead, or this one is behind"
        return f"more than {STALE_PERIODS} periods ago"


def _is_tick_stale(minute: datetime | None, now: datetime, period_seconds: int) -> bool:
    return is_tick_stale(to_epoch(minute), now.timestamp(), period_seconds)
