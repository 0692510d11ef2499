"""The state of the tracker itself: exchanges, ticks, backfills, storage and settings."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.market.present import STALE_PERIODS, is_tick_stale
from services.market.times import HOUR, to_epoch
from services.market.types import Floats, Ints, Metric

SLOT_SECONDS = 900
"""Ticks of so long are summed up when a whole day of them is told."""


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
        return min(0.99, 1 - self.period_seconds / (self.window_hours * HOUR))


@dataclass(frozen=True, slots=True)
class Storage:
    """How large the database is, and by how much it grew in the last 24 h (None until that is known), in bytes;
    `sealed_until` is the end of what has been moved to chunks."""

    size_bytes: int
    growth_bytes: int | None = None
    sealed_until: datetime | None = None
    retained_since: datetime | None = None
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

    def as_of(self, now: datetime, period_seconds: int) -> "Status":
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
    return is_tick_stale(to_epoch(minute), now.timestamp(), period_seconds)
