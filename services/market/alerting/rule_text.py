"""A rule as text: its condition as a phrase, and all of it as a sentence."""

from collections.abc import Mapping, Sequence

from services.market.alerting.rules import AlertRule, Change, Level, NoData, TimesAverage, Top
from services.market.times import DAY, HOUR, MINUTE, span_text
from services.market.track import TrackPattern

MAX_PATTERNS_NAMED = 3

NOUNS: Mapping[str, str] = {
    "price": "price",
    "volume": "24 h volume",
    "stdev": "standard deviation",
    "volatility": "volatility",
    "rank": "rank",
}
_MOVES = {"up": "rises", "down": "falls", "either": "rises or falls"}
_CROSSINGS = {"up": "rises through", "down": "falls through", "either": "crosses"}
_RANK_CROSSINGS = {"up": "falls behind", "down": "climbs past", "either": "passes"}
"""A smaller rank is a better one."""


def sentence(rule: AlertRule) -> str:
    """All that the rule does: `Alerts when the price of kraken:*/USD rises by more than 5 % within 15 min, for at least
    5 min, at most once an hour per metric.`"""
    when = "when" if rule.cooldown_seconds else "every time"
    parts = [f"Alerts {when} {condition_text(rule, scope_text(rule.scope))}"]
    if rule.pending_seconds:
        parts.append(f"for at least {span_text(rule.pending_seconds)}")
    if rule.cooldown_seconds:
        parts.append(_cooldown_text(rule))
    text = ", ".join(parts)
    if rule.hysteresis_percent:
        text += f"; resolves once back behind the threshold by {rule.hysteresis_percent:g} %"
    return f"{text}."


def condition_text(rule: AlertRule, scope: str | None = None) -> str:
    """The condition: `price rises by more than 5 % within 15 min`; with a `scope`, `the price of kraken:*/USD rises by
    more than 5 % within 15 min`."""
    noun = NOUNS[rule.quantity]
    value = noun if scope is None else f"the {noun} of {scope}"
    metric = "" if scope is None else f"{scope} "
    match rule.condition:
        case TimesAverage(direction, factor, window):
            return f"{value} is {direction} {factor:g} times its average of {span_text(window)}"
        case Change(direction, percent, window):
            return f"{value} {_MOVES[direction]} by more than {percent:g} % within {span_text(window)}"
        case Level(direction, level) if rule.quantity == "rank":
            return f"{metric}{_RANK_CROSSINGS[direction]} rank {level:g}"
        case Level(direction, level):
            return f"{value} {_CROSSINGS[direction]} {level_text(level)}"
        case Top(places):
            return f"{metric}enters the top {places}"
        case NoData(periods):
            return f"{metric}has no price for {periods} period{'s' * (periods != 1)}"


def scope_text(patterns: Sequence[TrackPattern]) -> str:
    """Which metrics are watched; of many patterns, the first few."""
    if any(pattern.market == pattern.base == pattern.quote == "*" for pattern in patterns):
        return "any metric"
    names = [f"any pair of {one.market}" if one.base == one.quote == "*" else str(one) for one in patterns]
    if len(names) > MAX_PATTERNS_NAMED:
        return f"{', '.join(names[:MAX_PATTERNS_NAMED])} or {len(names) - MAX_PATTERNS_NAMED} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def level_text(value: float) -> str:
    """A level with all the digits that were given: 100,000, 0.0000125."""
    text = f"{value:,.12f}" if value < 1 else f"{value:,.6f}"
    return text.rstrip("0").rstrip(".")


def _cooldown_text(rule: AlertRule) -> str:
    each = "" if all(pattern.literal for pattern in rule.scope) else " per metric"
    spans = {HOUR: "an hour", DAY: "a day", MINUTE: "a minute"}
    return f"at most once {spans.get(rule.cooldown_seconds, f'in {span_text(rule.cooldown_seconds)}')}{each}"
