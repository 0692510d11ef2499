"""Rules that people write: what is watched, when it is worth an alert, and in which words a mistake is told."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from services.market.errors import TrackerError
from services.market.status import Profile
from services.market.times import DAY, HOUR, MINUTE
from services.market.track import TrackPattern

WINDOWS = {
    300: "5 min",
    900: "15 min",
    1_800: "30 min",
    3_600: "1 h",
    14_400: "4 h",
    43_200: "12 h",
    86_400: "24 h",
}
"""What averages and changes may look back on, in seconds: few lengths, so that many rules share one reading."""

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

DEFAULT_COOLDOWN_SECONDS = HOUR
DEFAULT_MIN_SAMPLES = 5

MAX_RULES = 200

BUILT_IN = 0
"""The number of the rule that the settings ALERT_* make."""

BUILT_IN_NAME = "Built-in rule"
"""What that rule is called; its alerts do not say."""


class BadRule(TrackerError):
    """A rule that cannot be used; the text begins with the field at fault."""


class TooManyRules(TrackerError):
    """There are as many rules as a tick can be expected to look at."""


@dataclass(frozen=True, slots=True)
class TimesAverage:
    """The value is `above` or `below` `factor` x its average of the window, itself not in the average, which rests
    on `min_samples` values at least."""

    direction: str
    factor: float
    window_seconds: int
    min_samples: int


@dataclass(frozen=True, slots=True)
class Change:
    """The value has gone `up`, `down` or `either` way by more than `percent` since the window began."""

    direction: str
    percent: float
    window_seconds: int


@dataclass(frozen=True, slots=True)
class Level:
    """The value goes through `level`: `up`, `down` or `either` way."""

    direction: str
    level: float


@dataclass(frozen=True, slots=True)
class Top:
    """The rank comes to be `places` or better."""

    places: int


@dataclass(frozen=True, slots=True)
class NoData:
    """A metric that trades has had no price for `periods`."""

    periods: int


Condition = TimesAverage | Change | Level | Top | NoData

KINDS: Mapping[str, type[Condition]] = {
    "average": TimesAverage,
    "change": Change,
    "level": Level,
    "top": Top,
    "no_data": NoData,
}

QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "price": ("average", "change", "level", "no_data"),
    "volume": ("average", "change", "level"),
    "stdev": ("average", "change", "level"),
    "volatility": ("average", "change", "level"),
    "rank": ("level", "top"),
}
"""What can be watched, and the kinds of condition that make sense of it."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Fires for each metric of `scope` whose `quantity` has met `condition` for `pending_seconds` on end.

    A metric fires at most once in any `cooldown_seconds`. It resolves when the value is back behind the threshold by
    `hysteresis_percent` of that. Messages go to `channels`; None means all that there are. With `tell_resolved` those
    who were told of an alert are told of its end. With `repeat` it fires again after each cooldown while the condition
    holds.
    """

    id: int
    name: str
    scope: tuple[TrackPattern, ...]
    quantity: str
    condition: Condition
    pending_seconds: int
    cooldown_seconds: int
    hysteresis_percent: float
    channels: tuple[str, ...] | None
    tell_resolved: bool
    enabled: bool
    repeat: bool = False

    @property
    def kind(self) -> str:
        return next(kind for kind, form in KINDS.items() if isinstance(self.condition, form))

    @property
    def window_seconds(self) -> int | None:
        """How far back the condition looks; None where it does not."""
        return self.condition.window_seconds if isinstance(self.condition, TimesAverage | Change) else None


def longest_windows(rules: Iterable[AlertRule]) -> dict[str, int]:
    """How far back those of the rules look that are enabled, in seconds, by quantity."""
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
    """Raises BadRule where the rule names a channel that is not among those known, unless it did so `before`: what the
    settings have lost since is kept until somebody takes it out."""
    had = () if before is None or before.channels is None else before.channels
    for channel in rule.channels or ():
        if channel not in known and channel not in had:
            there_are = f"there are {', '.join(known)}" if known else "NOTIFY_URLS names none"
            raise BadRule(f"channels: none is called {channel[:40]!r}; {there_are}")
