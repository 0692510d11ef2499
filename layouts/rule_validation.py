"""Checks the draft of a rule: turns it into the JSON of the API and collects what is wrong, field by field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from layouts.rule_draft import ALL, FIELDS_OF_KIND, SOME, WITHOUT_HYSTERESIS, Draft
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import WINDOWS, AlertRule, BadRule

_FIELDS: Mapping[str, str] = {
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
"""The fields of the form, by their path in the JSON of a rule."""

_VALID: Mapping[str, Any] = {
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
    "condition.window_seconds": WINDOWS[0],
    "condition.min_samples": 1,
}
"""Valid values, put in the place of wrong ones to find the next error."""

_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """The rule of a draft, or its errors by field."""

    rule: AlertRule | None
    errors: Mapping[str, str]


def check_draft(draft: Draft, number: int = -1, *, enabled: bool = True) -> CheckedDraft:
    """Parse the draft as the rule `number`."""
    fields = rule_json(draft, enabled=enabled)
    errors = errors_in(fields)
    return CheckedDraft(None if errors else parse_rule(fields, number), errors)


def rule_json(draft: Draft, *, enabled: bool = True) -> dict[str, Any]:
    """The JSON object of a draft, for `parse_rule`."""
    kind = str(draft.get("kind"))
    condition: dict[str, Any] = {"kind": kind}
    for name in FIELDS_OF_KIND.get(kind, ()):
        member = {"side": "direction", "way": "direction", "window": "window_seconds"}.get(name, name)
        condition[member] = draft.get(name) if member == "direction" else _number(draft.get(name))
    notify = draft.get("notify")
    return {
        "name": draft.get("name") or "",
        "scope": draft.get("scope") or "",
        "quantity": draft.get("quantity"),
        "condition": condition,
        "pending_seconds": _number(draft.get("pending")),
        "cooldown_seconds": _number(draft.get("cooldown")),
        "hysteresis_percent": 0 if kind in WITHOUT_HYSTERESIS else _number(draft.get("hysteresis")),
        "channels": None if notify == ALL else list(draft.get("channels") or ()) if notify == SOME else [],
        "tell_resolved": bool(draft.get("send_resolved")),
        "enabled": enabled,
    }


def errors_in(fields: Mapping[str, Any]) -> dict[str, str]:
    """All errors of a rule's JSON, by the field of the form; empty if the rule is valid.

    `parse_rule` reports one error at a time. Each is noted, its value replaced by a valid one, and
    the rule parsed again.
    """
    attempt = dict(fields) | {"condition": dict(fields["condition"])}
    errors: dict[str, str] = {}
    while True:
        try:
            parse_rule(attempt)
        except BadRule as error:
            path, text = path_and_text(error)
            errors[_FIELDS.get(path, "rule")] = text
            if path not in _VALID:
                return errors
            _put(attempt, path, _VALID[path])
        else:
            return errors


def path_and_text(error: BadRule) -> tuple[str, str]:
    """The path of the wrong field in the JSON of the rule, and what is wrong with it, as a sentence."""
    path, _, text = str(error).partition(": ")
    return path, text[:1].upper() + text[1:] + "."


def _put(fields: dict[str, Any], path: str, value: Any) -> None:
    holder, _, member = path.rpartition(".")
    (fields[holder] if holder else fields)[member] = value


def _number(text: object) -> Any:
    """The number that was typed; any other text is left for `parse_rule` to refuse."""
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
