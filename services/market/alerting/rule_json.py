"""Rules as JSON: what a client sends is checked, what is stored is written and read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from services.market.alerting.rules import (
    BUILT_IN,
    KINDS,
    MAX_CHANNEL_LENGTH,
    MAX_CHANNELS,
    MAX_LEVEL,
    MAX_NAME_LENGTH,
    MAX_PATTERNS,
    MAX_WAIT_SECONDS,
    QUANTITIES,
    WINDOWS,
    AlertRule,
    BadRule,
    Change,
    Condition,
    Level,
    NoData,
    TimesAverage,
    Top,
)
from services.market.track import TrackPattern, parse_track


def parse_rule(given: Mapping[str, Any], number: int = BUILT_IN) -> AlertRule:
    """The rule of this number that a JSON object tells. Raises BadRule naming the field at fault."""
    fields = _Fields(given)
    rule = AlertRule(
        id=number,
        name=fields.take("name", _name),
        scope=fields.take("scope", _scope),
        quantity=(quantity := fields.take("quantity", partial(_choice, among=tuple(QUANTITIES)), "price")),
        condition=fields.take("condition", partial(_condition, quantity=quantity)),
        pending_seconds=fields.take("pending_seconds", partial(_whole, low=0, high=MAX_WAIT_SECONDS), 0),
        cooldown_seconds=fields.take("cooldown_seconds", partial(_whole, low=0, high=MAX_WAIT_SECONDS), 3_600),
        hysteresis_percent=fields.take("hysteresis_percent", partial(_number, low=0, high=50), 0.0),
        channels=fields.take("channels", _channels, None),
        tell_resolved=fields.take("tell_resolved", _flag, False),
        enabled=fields.take("enabled", _flag, True),
    )
    fields.end()
    return rule


def rule_fields(rule: AlertRule) -> dict[str, Any]:
    """The JSON object that `parse_rule` makes the same rule of."""
    return {
        "name": rule.name,
        "scope": [str(pattern) for pattern in rule.scope],
        "quantity": rule.quantity,
        "condition": {"kind": rule.kind, **asdict(rule.condition)},
        "pending_seconds": rule.pending_seconds,
        "cooldown_seconds": rule.cooldown_seconds,
        "hysteresis_percent": rule.hysteresis_percent,
        "channels": None if rule.channels is None else list(rule.channels),
        "tell_resolved": rule.tell_resolved,
        "enabled": rule.enabled,
    }


class _Fields:
    """The members of a JSON object, each taken once; what is left over at the end is nobody's."""

    def __init__(self, given: Mapping[str, Any], within: str = "") -> None:
        self._left = dict(given)
        self._within = within

    def take(self, name: str, read: Callable[[Any], Any], *default: Any) -> Any:
        """What `read` makes of the member; without a `default` it has to be there."""
        if name not in self._left:
            if default:
                return default[0]
            raise BadRule(f"{self._within}{name}: is missing")
        value = self._left.pop(name)
        try:
            return read(value)
        except ValueError as error:
            raise BadRule(f"{self._within}{name}: {error}") from None

    def end(self) -> None:
        for name in self._left:
            raise BadRule(f"{self._within}{str(name)[:40]}: is no field of a rule")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("give the rule a name")
    if len(value.strip()) > MAX_NAME_LENGTH or not value.isprintable():
        raise ValueError(f"has to be one line of at most {MAX_NAME_LENGTH} characters")
    return value.strip()


def _scope(value: Any) -> tuple[TrackPattern, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise ValueError("has to be a list of patterns such as kraken:*/USD")
    if len(parts) > MAX_PATTERNS or any(len(part) > MAX_CHANNEL_LENGTH for part in parts):
        raise ValueError(f"has to be at most {MAX_PATTERNS} patterns of at most {MAX_CHANNEL_LENGTH} characters")
    return parse_track(",".join(parts))


def _condition(value: Any, quantity: str) -> Condition:
    if not isinstance(value, Mapping):
        raise ValueError('has to be an object such as {"kind": "level", "direction": "up", "level": 100000}')
    fields = _Fields(value, "condition.")
    kind = fields.take("kind", partial(_choice, among=tuple(KINDS)))
    if kind not in QUANTITIES[quantity]:
        raise BadRule(f"condition.kind: {kind} does not go with {quantity}, only {_listed(QUANTITIES[quantity])}")
    condition = _READERS[kind](fields)
    fields.end()
    return condition


def _average(fields: _Fields) -> Condition:
    return TimesAverage(
        fields.take("direction", partial(_choice, among=("above", "below")), "above"),
        fields.take("factor", partial(_number, low=0.001, high=1e6)),
        fields.take("window_seconds", _window),
        fields.take("min_samples", partial(_whole, low=1, high=10_000), 5),
    )


def _change(fields: _Fields) -> Condition:
    return Change(
        fields.take("direction", partial(_choice, among=("up", "down", "either")), "either"),
        fields.take("percent", partial(_number, low=0.001, high=1e6)),
        fields.take("window_seconds", _window),
    )


def _level(fields: _Fields) -> Condition:
    return Level(
        fields.take("direction", partial(_choice, among=("up", "down", "either")), "either"),
        fields.take("level", partial(_number, low=0.0, high=MAX_LEVEL)),
    )


_READERS: Mapping[str, Callable[[_Fields], Condition]] = {
    "average": _average,
    "change": _change,
    "level": _level,
    "top": lambda fields: Top(fields.take("places", partial(_whole, low=1, high=10_000))),
    "no_data": lambda fields: NoData(fields.take("periods", partial(_whole, low=1, high=10_000))),
}


def _channels(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_CHANNELS:
        raise ValueError(f"has to be null for all, or a list of at most {MAX_CHANNELS} channels")
    for channel in value:
        if not isinstance(channel, str) or not channel.isprintable() or not 0 < len(channel) <= MAX_CHANNEL_LENGTH:
            raise ValueError(f"has to name each channel by a text of at most {MAX_CHANNEL_LENGTH} characters")
    return tuple(dict.fromkeys(value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("has to be true or false")
    return value


def _choice(value: Any, among: Sequence[str]) -> str:
    if isinstance(value, str) and value in among:
        return value
    raise ValueError(f"has to be {_listed(among)}")


def as_whole(value: Any) -> int | None:
    """The whole number that a JSON value is; None where it is none. JSON makes no difference between 5 and 5.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value)


def _window(value: Any) -> int:
    seconds = as_whole(value)
    if seconds in WINDOWS:
        return seconds
    raise ValueError(f"has to be {_listed([str(seconds) for seconds in WINDOWS])} seconds")


def _whole(value: Any, low: int, high: int) -> int:
    number = as_whole(value)
    if number is not None and low <= number <= high:
        return number
    raise ValueError(f"has to be a whole number from {low} to {high}")


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:  # NaN is nowhere
        return float(value)
    raise ValueError(f"has to be a number from {low:g} to {high:,.16g}")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
