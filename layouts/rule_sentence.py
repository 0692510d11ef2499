"""A rule in a sentence that a person would say."""

from collections.abc import Sequence

from services.market.alerting.rules import AlertRule, Change, Level, NoData, TimesAverage, Top
from services.market.track import TrackPattern

DAY, HOUR, MINUTE = 86_400, 3_600, 60
MAX_NAMED = 3

NOUNS = {
    "price": "price",
    "volume": "24 h volume",
    "stdev": "standard deviation",
    "volatility": "volatility",
    "rank": "rank",
}
MOVES = {"up": "rises", "down": "falls", "either": "rises or falls"}
CROSSINGS = {"up": "rises through", "down": "falls through", "either": "crosses"}
RANK_CROSSINGS = {"up": "falls behind", "down": "climbs past", "either": "passes"}
"""A rank that gets better is a smaller number."""


def sentence(rule: AlertRule) -> str:
    """What the rule does, as a whole: `Alerts when the price of kraken:*/USD rises by more than 5 % within 15 min, at
    once, at most once an hour a metric.`"""
    held = f"once that has held for {span(rule.pending_seconds)}" if rule.pending_seconds else "at once"
    ending = f"; it ends when that is undone by {rule.hysteresis_percent:g} %" if rule.hysteresis_percent else ""
    return f"Alerts when {met(rule)}, {held}, {pace(rule)}{ending}."


def met(rule: AlertRule) -> str:
    """The condition: `the price of kraken:*/USD rises by more than 5 % within 15 min`."""
    where = scope(rule.scope)
    subject = f"the {NOUNS[rule.quantity]} of {where}"
    match rule.condition:
        case TimesAverage(direction, factor, window):
            return f"{subject} is {direction} {factor:g} times its average of {span(window)}"
        case Change(direction, percent, window):
            return f"{subject} {MOVES[direction]} by more than {percent:g} % within {span(window)}"
        case Level(direction, level) if rule.quantity == "rank":
            return f"{where} {RANK_CROSSINGS[direction]} rank {level:g}"
        case Level(direction, level):
            return f"{subject} {CROSSINGS[direction]} {number(level)}"
        case Top(places):
            return f"{where} enters the top {places}"
        case NoData(periods):
            return f"no price of {where} has come for {periods} period{'s' * (periods != 1)}, though it trades"


def scope(patterns: Sequence[TrackPattern]) -> str:
    """What is watched; where that is long, its beginning."""
    if any(pattern.market == pattern.base == pattern.quote == "*" for pattern in patterns):
        return "any metric"
    named = [f"any pair of {one.market}" if one.base == one.quote == "*" else str(one) for one in patterns]
    if len(named) > MAX_NAMED:
        return f"{', '.join(named[:MAX_NAMED])} or {len(named) - MAX_NAMED} more"
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} or {named[-1]}"


def pace(rule: AlertRule) -> str:
    """How often one metric can alert."""
    if not rule.cooldown_seconds:
        return "every time"
    each = "" if all(pattern.literal for pattern in rule.scope) else " a metric"
    often = {HOUR: "an hour", DAY: "a day", MINUTE: "a minute"}.get(
        rule.cooldown_seconds, f"in {span(rule.cooldown_seconds)}"
    )
    return f"at most once {often}{each}"


def span(seconds: int) -> str:
    """A length of time in its largest whole unit: 15 min, 4 h, 7 d, 90 s."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds and seconds % size == 0 and (size != DAY or seconds > DAY):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def number(value: float) -> str:
    """A level with the digits that were given: 100,000, 0.0000125."""
    text = f"{value:,.12f}" if value < 1 else f"{value:,.6f}"
    return text.rstrip("0").rstrip(".")
