"""A rule as the fields of its form hold it, perhaps incomplete: blank, from a template, or from a stored rule."""

from collections.abc import Mapping
from typing import Any, cast

from services.market.alerting.rules import (
    DEFAULT_COOLDOWN_SECONDS,
    DEFAULT_HYSTERESIS_PERCENT,
    DEFAULT_MIN_SAMPLES,
    DEFAULT_PENDING_SECONDS,
    DEFAULT_QUANTITY,
    DEFAULT_SIDE,
    MAX_NAME_LENGTH,
    QUANTITIES,
    AlertRule,
    Change,
    Kind,
    Level,
    NoData,
    Quantity,
    TimesAverage,
    Top,
)
from services.market.times import HOUR, MINUTE

Draft = dict[str, Any]
"""The values of the form's fields by name: texts as they were typed, choices as strings."""

ALL, SOME, NOBODY = "all", "some", "nobody"

BLANK: Draft = {
    "name": "",
    "scope": "",
    "quantity": DEFAULT_QUANTITY,
    "kind": "change",
    "side": DEFAULT_SIDE,
    "way": "up",
    "factor": "3",
    "percent": "5",
    "level": "",
    "places": "10",
    "periods": "5",
    "window": str(HOUR),
    "min_samples": str(DEFAULT_MIN_SAMPLES),
    "pending": str(DEFAULT_PENDING_SECONDS),
    "cooldown": str(DEFAULT_COOLDOWN_SECONDS),
    "hysteresis": f"{DEFAULT_HYSTERESIS_PERCENT:g}",
    "notify": ALL,
    "channels": [],
    "send_resolved": False,
}

TEMPLATES: Mapping[str, tuple[str, Draft]] = {
    "pumps": ("Pumps", {"way": "up", "percent": "10", "window": str(15 * MINUTE)}),
    "dumps": ("Dumps", {"way": "down", "percent": "10", "window": str(15 * MINUTE)}),
    "volume": ("Volume spike", {"quantity": "volume", "kind": "average", "factor": "2", "window": str(4 * HOUR)}),
    "top": ("Enters the top 10", {"quantity": "rank", "kind": "top"}),
    "silence": ("No data", {"kind": "no_data", "periods": "5"}),
}
"""The most common rules, by their name in the address: the name of the new rule, and the fields that differ from
BLANK."""

FIELDS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "average": ("side", "factor", "window", "min_samples"),
    "change": ("way", "percent", "window"),
    "level": ("way", "level"),
    "top": ("places",),
    "no_data": ("periods",),
}
OF_SOME_KINDS = frozenset(name for names in FIELDS_OF_KIND.values() for name in names)
WITHOUT_HYSTERESIS = ("top", "no_data")


def from_template(name: str) -> Draft:
    """The draft of a template; BLANK if there is no such template."""
    if name not in TEMPLATES:
        return dict(BLANK)
    title, changes = TEMPLATES[name]
    return BLANK | {"name": title} | changes


def draft_of(rule: AlertRule) -> Draft:
    """The draft of a stored rule."""
    draft = BLANK | {
        "name": rule.name,
        "scope": ", ".join(str(pattern) for pattern in rule.scope),
        "quantity": rule.quantity,
        "kind": rule.kind,
        "pending": str(rule.pending_seconds),
        "cooldown": str(rule.cooldown_seconds),
        "hysteresis": f"{rule.hysteresis_percent:g}",
        "notify": ALL if rule.channels is None else SOME if rule.channels else NOBODY,
        "channels": list(rule.channels or ()),
        "send_resolved": rule.tell_resolved,
    }
    match rule.condition:
        case TimesAverage(side, factor, window, samples):
            average = {"side": side, "factor": _text(factor), "min_samples": str(samples)}
            return draft | average | {"window": str(window)}
        case Change(way, percent, window):
            return draft | {"way": way, "percent": _text(percent), "window": str(window)}
        case Level(way, level):
            return draft | {"way": way, "level": _text(level)}
        case Top(places):
            return draft | {"places": str(places)}
        case NoData(periods):
            return draft | {"periods": str(periods)}


def duplicate(rule: AlertRule) -> Draft:
    """The draft of a copy of a stored rule."""
    return draft_of(rule) | {"name": f"{rule.name} (copy)"[:MAX_NAME_LENGTH]}


def kinds_for(quantity: object) -> tuple[Kind, ...]:
    """The kinds of condition that a quantity can have."""
    name = str(quantity)
    return QUANTITIES[cast(Quantity, name) if name in QUANTITIES else DEFAULT_QUANTITY]


def visible_fields(draft: Draft) -> frozenset[str]:
    """The fields that a rule of this kind has."""
    kind = str(draft.get("kind"))
    names = (frozenset(BLANK) - OF_SOME_KINDS) | frozenset(FIELDS_OF_KIND.get(kind, ()))
    hidden = {"channels"} if draft.get("notify") != SOME else set()
    hidden |= {"send_resolved"} if draft.get("notify") == NOBODY else set()
    return names - hidden - ({"hysteresis"} if kind in WITHOUT_HYSTERESIS else set())


def _text(value: float) -> str:
    return f"{value:.12f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else repr(value)
