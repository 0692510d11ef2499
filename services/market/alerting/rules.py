"""Alert rules: their conditions, quantities and limits, and the built-in rule."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from services.market.errors import TrackerError
from services.market.status import Profile
from services.market.times import DAY, HOUR, MINUTE
from services.market.track import TrackPattern
from services.market.types import HasMetricKey

Quantity = Literal["price", "volume", "stdev", "volatility", "rank"]
"""What a rule watches."""

Kind = Literal["average", "change", "level", "top", "no_data"]
"""The kind of a condition."""

Side = Literal["above", "below"]
"""On which side of a multiple of its average a value meets the condition."""

Direction = Literal["up", "down", "either"]
"""In which direction a value moves, or crosses a level."""

WINDOWS = (5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY)
"""The windows of averages and changes, in seconds. They are few, so that many rules share one reading of history."""

MAX_NAME_LENGTH = 80
MAX_PATTERNS = 50
MAX_CHANNELS = 20
MAX_CHANNEL_LENGTH = 200
MAX_WAIT_SECONDS = 7 * DAY
MIN_MULTIPLE, MAX_MULTIPLE = 0.001, 1e6
"""The range of a factor, and of a change in per cent."""
MAX_LEVEL = 1e15
MAX_COUNT = 10_000
"""The most samples, places or periods that a condition may ask for; the fewest are 1."""
MAX_HYSTERESIS_PERCENT = 50

DEFAULT_QUANTITY: Quantity = "price"
DEFAULT_SIDE: Side = "above"
DEFAULT_DIRECTION: Direction = "either"
DEFAULT_PENDING_SECONDS = 0
DEFAULT_COOLDOWN_SECONDS = HOUR
DEFAULT_HYSTERESIS_PERCENT = 0.0
DEFAULT_MIN_SAMPLES = 5

MAX_RULES = 200

BUILT_IN = 0
"""The number of the rule that the ALERT_* settings define."""

BUILT_IN_NAME = "Built-in rule"
"""The name of that rule; its alerts do not carry it."""


class BadRule(TrackerError):
    """An invalid rule; the text begins with the name of the invalid field."""


class TooManyRules(TrackerError):
    """There are MAX_RULES already: a tick has to evaluate all of them."""


@dataclass(frozen=True, slots=True)
class TimesAverage:
    """The value is `above` or `below` `factor` x its average over the window.

    The average excludes the value itself and must rest on at least `min_samples` values.
    """

    direction: Side
    factor: float
    window_seconds: int
    min_samples: int


@dataclass(frozen=True, slots=True)
class Change:
    """The value has changed by more than `percent` since the start of the window: `up`, `down` or `either`."""

    direction: Direction
    percent: float
    window_seconds: int


@dataclass(frozen=True, slots=True)
class Level:
    """The value crosses `level`: `up`, `down` or `either`."""

    direction: Direction
    level: float


@dataclass(frozen=True, slots=True)
class Top:
    """The rank becomes `places` or better."""

    places: int


@dataclass(frozen=True, slots=True)
class NoData:
    """A metric that trades has had no price for `periods` periods."""

    periods: int


Condition = TimesAverage | Change | Level | Top | NoData

KINDS: Mapping[Kind, type[Condition]] = {
    "average": TimesAverage,
    "change": Change,
    "level": Level,
    "top": Top,
    "no_data": NoData,
}

QUANTITIES: Mapping[Quantity, tuple[Kind, ...]] = {
    "price": ("average", "change", "level", "no_data"),
    "volume": ("average", "change", "level"),
    "stdev": ("average", "change", "level"),
    "volatility": ("average", "change", "level"),
    "rank": ("level", "top"),
}
"""The quantities that rules can watch, with the kinds of condition that apply to each."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Fires for each metric of `scope` whose `quantity` has met `condition` throughout `pending_seconds`.

    A metric fires at most once in any `cooldown_seconds`. Its alert resolves when the value is back behind the
    threshold by `hysteresis_percent` of it. Messages go to `channels`, None for all. With `tell_resolved`, the channels
    of an alert are also notified when it resolves. With `repeat`, the rule fires again after each cooldown while the
    condition holds.
    """

    id: int
    name: str
    scope: tuple[TrackPattern, ...]
    quantity: Quantity
    condition: Condition
    pending_seconds: int
    cooldown_seconds: int
    hysteresis_percent: float
    channels: tuple[str, ...] | None
    tell_resolved: bool
    enabled: bool
    repeat: bool = False

    @property
    def kind(self) -> Kind:
        return next(kind for kind, form in KINDS.items() if isinstance(self.condition, form))

    def watches(self, metric: HasMetricKey) -> bool:
        """True if the metric is in the rule's scope."""
        return any(pattern.names(metric) for pattern in self.scope)

    @property
    def window_seconds(self) -> int | None:
        """The window of the condition; None for conditions without one."""
        return self.condition.window_seconds if isinstance(self.condition, TimesAverage | Change) else None


def longest_windows(rules: Iterable[AlertRule]) -> dict[str, int]:
    """The longest window of the enabled rules, in seconds, by quantity."""
    longest: dict[str, int] = {}
    for rule in rules:
        if rule.enabled and rule.window_seconds is not None:
            longest[rule.quantity] = max(longest.get(rule.quantity, 0), rule.window_seconds)
    return longest


def built_in_rule(factor: float, window_seconds: int, cooldown_seconds: int, min_samples: int) -> AlertRule:
    """The rule of the settings ALERT_*, for all metrics. It is not stored and cannot be changed."""
    return AlertRule(
        id=BUILT_IN,
        name=BUILT_IN_NAME,
        scope=(TrackPattern("*", "*", "*"),),
        quantity="price",
        condition=TimesAverage("above", factor, window_seconds, min_samples),
        pending_seconds=0,
        cooldown_seconds=cooldown_seconds,
        hysteresis_percent=0.0,
        channels=None,
        tell_resolved=False,
        enabled=True,
        repeat=True,
    )


def built_in(profile: Profile) -> AlertRule:
    """The built-in rule of the server with this profile."""
    return built_in_rule(
        profile.alert_factor,
        profile.alert_window_minutes * MINUTE,
        profile.alert_cooldown_minutes * MINUTE,
        profile.alert_min_samples,
    )


def require_channels(rule: AlertRule, known: Collection[str], before: AlertRule | None = None) -> None:
    """Raises BadRule if the rule names an unknown channel, unless it did so `before`.

    A channel that has been removed from the settings stays in a rule until somebody removes it there.
    """
    had = () if before is None or before.channels is None else before.channels
    for channel in rule.channels or ():
        if channel not in known and channel not in had:
            available = f"available: {', '.join(known)}" if known else "NOTIFY_URLS sets no channel"
            raise BadRule(f"channels: unknown channel {channel[:40]!r}; {available}")
