"""Rules as JSON: `parse_rule` checks what a client sends, `read_rule` reads what `rule_fields` wrote."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, get_args

from services.market.alerting.rules import (
    BUILT_IN,
    DEFAULT_COOLDOWN_SECONDS,
    DEFAULT_DIRECTION,
    DEFAULT_HYSTERESIS_PERCENT,
    DEFAULT_MIN_SAMPLES,
    DEFAULT_PENDING_SECONDS,
    DEFAULT_QUANTITY,
    DEFAULT_SIDE,
    KINDS,
    MAX_CHANNEL_LENGTH,
    MAX_CHANNELS,
    MAX_COUNT,
    MAX_HYSTERESIS_PERCENT,
    MAX_LEVEL,
    MAX_MULTIPLE,
    MAX_NAME_LENGTH,
    MAX_PATTERNS,
    MAX_WAIT_SECONDS,
    MIN_MULTIPLE,
    QUANTITIES,
    WINDOWS,
    AlertRule,
    BadRule,
    Change,
    Condition,
    Direction,
    Kind,
    Level,
    NoData,
    Quantity,
    Side,
    TimesAverage,
    Top,
)
from services.market.track import TrackPattern, parse_track, read_pattern


def parse_rule(given: Mapping[str, Any], number: int = BUILT_IN) -> AlertRule:
    """Check a JSON object that a client sent, and return it as the rule of this number.

    Raises BadRule, which names the invalid field.
    """
    fields = _Fields(given)
    rule = AlertRule(
        id=number,
        name=fields.take("name", _name),
        scope=fields.take("scope", _scope),
        quantity=(quantity := fields.take("quantity", partial(_choice, among=tuple(QUANTITIES)), DEFAULT_QUANTITY)),
        condition=fields.take("condition", partial(_condition, quantity=quantity)),
        pending_seconds=fields.take("pending_seconds", _wait, DEFAULT_PENDING_SECONDS),
        cooldown_seconds=fields.take("cooldown_seconds", _wait, DEFAULT_COOLDOWN_SECONDS),
        hysteresis_percent=fields.take(
            "hysteresis_percent", partial(_number, low=0, high=MAX_HYSTERESIS_PERCENT), DEFAULT_HYSTERESIS_PERCENT
        ),
        channels=fields.take("channels", _channels, None),
        tell_resolved=fields.take("tell_resolved", _flag, False),
        enabled=fields.take("enabled", _flag, True),
    )
    fields.end()
    return rule


def read_rule(stored: Mapping[str, Any], number: int) -> AlertRule:
    """Read a JSON object that `rule_fields` wrote, in this version or an earlier one.

    Nothing is checked: a rule that was accepted within other limits stays readable. Missing fields have the defaults of
    `parse_rule`.
    """
    return AlertRule(
        id=number,
        name=stored["name"],
        scope=tuple(read_pattern(text) for text in stored["scope"]),
        quantity=stored.get("quantity", DEFAULT_QUANTITY),
        condition=_read_condition(stored["condition"]),
        pending_seconds=stored.get("pending_seconds", DEFAULT_PENDING_SECONDS),
        cooldown_seconds=stored.get("cooldown_seconds", DEFAULT_COOLDOWN_SECONDS),
        hysteresis_percent=stored.get("hysteresis_percent", DEFAULT_HYSTERESIS_PERCENT),
        channels=None if stored.get("channels") is None else tuple(stored["channels"]),
        tell_resolved=stored.get("tell_resolved", False),
        enabled=stored.get("enabled", True),
    )


def _read_condition(stored: Mapping[str, Any]) -> Condition:
    match stored["kind"]:
        case "average":
            return TimesAverage(
                stored.get("direction", DEFAULT_SIDE),
                stored["factor"],
                stored["window_seconds"],
                stored.get("min_samples", DEFAULT_MIN_SAMPLES),
            )
        case "change":
            return Change(stored.get("direction", DEFAULT_DIRECTION), stored["percent"], stored["window_seconds"])
        case "level":
            return Level(stored.get("direction", DEFAULT_DIRECTION), stored["level"])
        case "top":
            return Top(stored["places"])
        case _:
            return NoData(stored["periods"])


def rule_fields(rule: AlertRule) -> dict[str, Any]:
    """The rule as a JSON object, for `parse_rule` and `read_rule`."""
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
    """The members of a JSON object, each taken once; any that are left at the end are unknown."""

    def __init__(self, given: Mapping[str, Any], within: str = "") -> None:
        self._left = dict(given)
        self._within = within

    def take(self, name: str, read: Callable[[Any], Any], *default: Any) -> Any:
        """The member, parsed by `read`. It is required unless there is a `default`."""
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
            raise BadRule(f"{self._within}{str(name)[:40]}: is not a field of a rule")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("give the rule a name")
    if len(value.strip()) > MAX_NAME_LENGTH or not value.isprintable():
        raise ValueError(f"must be one line of at most {MAX_NAME_LENGTH} characters")
    return value.strip()


def _scope(value: Any) -> tuple[TrackPattern, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of patterns such as kraken:*/USD")
    if len(parts) > MAX_PATTERNS or any(len(part) > MAX_CHANNEL_LENGTH for part in parts):
        raise ValueError(f"must be at most {MAX_PATTERNS} patterns of at most {MAX_CHANNEL_LENGTH} characters")
    return parse_track(",".join(parts))


def _condition(value: Any, quantity: Quantity) -> Condition:
    if not isinstance(value, Mapping):
        raise ValueError('must be an object such as {"kind": "level", "direction": "up", "level": 100000}')
    fields = _Fields(value, "condition.")
    kind: Kind = fields.take("kind", partial(_choice, among=tuple(KINDS)))
    if kind not in QUANTITIES[quantity]:
        raise BadRule(f"condition.kind: {kind} cannot be used with {quantity}, only {_listed(QUANTITIES[quantity])}")
    condition = _READERS[kind](fields)
    fields.end()
    return condition


def _average(fields: _Fields) -> Condition:
    return TimesAverage(
        fields.take("direction", partial(_choice, among=get_args(Side)), DEFAULT_SIDE),
        fields.take("factor", partial(_number, low=MIN_MULTIPLE, high=MAX_MULTIPLE)),
        fields.take("window_seconds", _window),
        fields.take("min_samples", _count, DEFAULT_MIN_SAMPLES),
    )


def _change(fields: _Fields) -> Condition:
    return Change(
        fields.take("direction", partial(_choice, among=get_args(Direction)), DEFAULT_DIRECTION),
        fields.take("percent", partial(_number, low=MIN_MULTIPLE, high=MAX_MULTIPLE)),
        fields.take("window_seconds", _window),
    )


def _level(fields: _Fields) -> Condition:
    return Level(
        fields.take("direction", partial(_choice, among=get_args(Direction)), DEFAULT_DIRECTION),
        fields.take("level", partial(_number, low=0.0, high=MAX_LEVEL)),
    )


_READERS: Mapping[Kind, Callable[[_Fields], Condition]] = {
    "average": _average,
    "change": _change,
    "level": _level,
    "top": lambda fields: Top(fields.take("places", _count)),
    "no_data": lambda fields: NoData(fields.take("periods", _count)),
}


def _channels(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_CHANNELS:
        raise ValueError(f"must be null for all, or a list of at most {MAX_CHANNELS} channels")
    for channel in value:
        if not isinstance(channel, str) or not channel.isprintable() or not 0 < len(channel) <= MAX_CHANNEL_LENGTH:
            raise ValueError(f"must name each channel by a text of at most {MAX_CHANNEL_LENGTH} characters")
    return tuple(dict.fromkeys(value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _choice(value: Any, among: Sequence[str]) -> str:
    if isinstance(value, str) and value in among:
        return value
    raise ValueError(f"must be {_listed(among)}")


def as_whole(value: Any) -> int | None:
    """A JSON value as a whole number, None if it is not one. JSON makes no difference between 5 and 5.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value)


def _window(value: Any) -> int:
    seconds = as_whole(value)
    if seconds in WINDOWS:
        return seconds
    raise ValueError(f"must be {_listed([str(seconds) for seconds in WINDOWS])} seconds")


def _whole(value: Any, low: int, high: int) -> int:
    number = as_whole(value)
    if number is not None and low <= number <= high:
        return number
    raise ValueError(f"must be a whole number from {low} to {high}")


def _wait(value: Any) -> int:
    return _whole(value, 0, MAX_WAIT_SECONDS)


def _count(value: Any) -> int:
    return _whole(value, 1, MAX_COUNT)


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:  # NaN is in no range
        return float(value)
    raise ValueError(f"must be a number from {low:g} to {high:,.16g}")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
