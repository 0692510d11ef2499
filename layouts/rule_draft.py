"""A rule as it stands in the form, half-written perhaps: from a rule, to one, and what is still wrong with it."""

import re
from collections.abc import Mapping
from typing import Any

from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import QUANTITIES, AlertRule, BadRule, Change, Level, NoData, TimesAverage, Top

Draft = dict[str, Any]
"""What the fields of the form hold, by name: texts as they were typed, choices as strings."""

ALL, SOME, NOBODY = "all", "some", "nobody"

BLANK: Draft = {
    "name": "",
    "scope": "",
    "quantity": "price",
    "kind": "change",
    "side": "above",
    "way": "up",
    "factor": "3",
    "percent": "5",
    "level": "",
    "places": "10",
    "periods": "5",
    "window": "3600",
    "min_samples": "5",
    "pending": "0",
    "cooldown": "3600",
    "hysteresis": "0",
    "told": ALL,
    "channels": [],
    "ended": False,
}

TEMPLATES: Mapping[str, tuple[str, Draft]] = {
    "pumps": ("Pumps", {"way": "up", "percent": "10", "window": "900"}),
    "dumps": ("Dumps", {"way": "down", "percent": "10", "window": "900"}),
    "volume": ("Volume spike", {"quantity": "volume", "kind": "average", "factor": "2", "window": "14400"}),
    "top": ("Enters the top 10", {"quantity": "rank", "kind": "top"}),
    "silence": ("No data", {"kind": "no_data", "periods": "5"}),
}
"""What people ask for most, by the name in the address: the rule's first name, and what differs from BLANK."""

FIELDS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "average": ("side", "factor", "window", "min_samples"),
    "change": ("way", "percent", "window"),
    "level": ("way", "level"),
    "top": ("places",),
    "no_data": ("periods",),
}
OF_SOME_KINDS = frozenset(name for names in FIELDS_OF_KIND.values() for name in names)
WITHOUT_HYSTERESIS = ("top", "no_data")

_FIELD_AT: Mapping[str, str] = {
    "name": "name",
    "scope": "scope",
    "quantity": "quantity",
    "pending_seconds": "pending",
    "cooldown_seconds": "cooldown",
    "hysteresis_percent": "hysteresis",
    "channels": "channels",
    "condition.kind": "kind",
    "condition.factor": "factor",
    "condition.percent": "percent",
    "condition.level": "level",
    "condition.places": "places",
    "condition.periods": "periods",
    "condition.window_seconds": "window",
    "condition.min_samples": "min_samples",
}
"""The fields of the form, by how the engine calls them."""

_SOUND: Mapping[str, Any] = {
    "name": "-",
    "scope": ["x:*"],
    "pending_seconds": 0,
    "cooldown_seconds": 0,
    "hysteresis_percent": 0,
    "channels": None,
    "condition.factor": 1,
    "condition.percent": 1,
    "condition.level": 1,
    "condition.places": 1,
    "condition.periods": 1,
    "condition.window_seconds": 3_600,
    "condition.min_samples": 1,
}
"""Values that nobody objects to, to see what else is wrong."""


_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)


def from_template(name: str) -> Draft:
    """What the form begins with; BLANK where there is no such template."""
    if name not in TEMPLATES:
        return dict(BLANK)
    title, differing = TEMPLATES[name]
    return BLANK | {"name": title} | differing


def draft_of(rule: AlertRule) -> Draft:
    """The form filled in with a rule."""
    draft = BLANK | {
        "name": rule.name,
        "scope": ", ".join(str(pattern) for pattern in rule.scope),
        "quantity": rule.quantity,
        "kind": rule.kind,
        "pending": str(rule.pending_seconds),
        "cooldown": str(rule.cooldown_seconds),
        "hysteresis": f"{rule.hysteresis_percent:g}",
        "told": ALL if rule.channels is None else SOME if rule.channels else NOBODY,
        "channels": list(rule.channels or ()),
        "ended": rule.tell_resolved,
    }
    match rule.condition:
        case TimesAverage(side, factor, window, samples):
            about = {"side": side, "factor": _text(factor), "min_samples": str(samples)}
            return draft | about | {"window": str(window)}
        case Change(way, percent, window):
            return draft | {"way": way, "percent": _text(percent), "window": str(window)}
        case Level(way, level):
            return draft | {"way": way, "level": _text(level)}
        case Top(places):
            return draft | {"places": str(places)}
        case NoData(periods):
            return draft | {"periods": str(periods)}


def kinds_for(quantity: object) -> tuple[str, ...]:
    """The kinds of condition that a quantity can meet."""
    return QUANTITIES.get(str(quantity), QUANTITIES["price"])


def shown(draft: Draft) -> frozenset[str]:
    """The fields that matter to a rule of this kind."""
    kind = str(draft.get("kind"))
    names = (frozenset(BLANK) - OF_SOME_KINDS) | frozenset(FIELDS_OF_KIND.get(kind, ()))
    hidden = {"channels"} if draft.get("told") != SOME else set()
    hidden |= {"ended"} if draft.get("told") == NOBODY else set()
    return names - hidden - ({"hysteresis"} if kind in WITHOUT_HYSTERESIS else set())


def given_by(draft: Draft, *, enabled: bool = True) -> dict[str, Any]:
    """The JSON object that the form writes, for `parse_rule`."""
    kind = str(draft.get("kind"))
    condition: dict[str, Any] = {"kind": kind}
    for name in FIELDS_OF_KIND.get(kind, ()):
        member = {"side": "direction", "way": "direction", "window": "window_seconds"}.get(name, name)
        condition[member] = draft.get(name) if member == "direction" else _number(draft.get(name))
    told = draft.get("told")
    return {
        "name": draft.get("name") or "",
        "scope": draft.get("scope") or "",
        "quantity": draft.get("quantity"),
        "condition": condition,
        "pending_seconds": _number(draft.get("pending")),
        "cooldown_seconds": _number(draft.get("cooldown")),
        "hysteresis_percent": 0 if kind in WITHOUT_HYSTERESIS else _number(draft.get("hysteresis")),
        "channels": None if told == ALL else list(draft.get("channels") or ()) if told == SOME else [],
        "tell_resolved": bool(draft.get("ended")),
        "enabled": enabled,
    }


def complaints(given: Mapping[str, Any]) -> dict[str, str]:
    """What the engine has against a rule, by the field of the form, all of it at once; nothing where it would do."""
    trying = dict(given) | {"condition": dict(given["condition"])}
    found: dict[str, str] = {}
    while True:
        try:
            parse_rule(trying)
        except BadRule as error:
            path, text = at_fault(error)
            field = _FIELD_AT.get(path, "rule")
            found[field] = text
            if path not in _SOUND:
                return found
            _put(trying, path, _SOUND[path])
        else:
            return found


def at_fault(error: BadRule) -> tuple[str, str]:
    """How the engine calls the field that it objects to, and its objection as a sentence of its own."""
    path, _, text = str(error).partition(": ")
    return path, text[:1].upper() + text[1:] + "."


def duplicate(rule: AlertRule) -> Draft:
    """The form filled in with a copy of a rule."""
    return draft_of(rule) | {"name": f"{rule.name} (copy)"[:80]}


def _put(given: dict[str, Any], path: str, value: Any) -> None:
    holder, _, member = path.rpartition(".")
    (given[holder] if holder else given)[member] = value


def _text(value: float) -> str:
    return f"{value:.12f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else repr(value)


def _number(text: object) -> Any:
    """The number that was typed; what is none stays as it is, for the engine to object to."""
    if not isinstance(text, str):
        return text
    plain = text.strip().removesuffix("%").strip()
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    for read in (int, float):
        try:
            return read(plain)
        except ValueError:
            continue
    return text
