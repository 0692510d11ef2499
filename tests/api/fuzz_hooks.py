"""Schemathesis hooks for constraints between values, which OpenAPI cannot express, and for existing names and numbers,
without which most requests would find nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

from services.market.times import parse_moment
from tests.builders import NOON

LONGEST = timedelta(days=31)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
NOW = NOON + timedelta(minutes=10)
"""The clock of the program under test."""
KNOWN = {"id": "12345", "number": "12", "name": ("ops", "mail")}


@schemathesis.hook
def before_call(_context: HookContext, case: Case, _kwargs: dict[str, Any]) -> None:
    """Mend each case, except those that are meant to be refused."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    for name, known in KNOWN.items():
        length = len(str(case.path_parameters.get(name, "")))
        if length % 3:
            case.path_parameters[name] = known[length % len(known)]
    if isinstance(case.body, dict):
        _mend(case.path, case.body)
    if "until" in _names(case) and {"since", "until"} & case.query.keys():
        case.query |= _in_order(case.query.get("since"), case.query.get("until"))
    elif "since" in case.query:
        case.query["since"] = _moment(case.query["since"]).isoformat()


def _mend(path: str, body: dict[str, Any]) -> None:
    """Give a well-formed body existing names and a consistent combination of kinds."""
    rule = body["rule"] if isinstance(body.get("rule"), dict) else body
    for name, value in {"name": "A rule", "scope": ["kraken:*/USD"], "quantity": "price", "channels": None}.items():
        if name in rule:
            rule[name] = value
    if rule.get("condition", {}).get("kind") == "top":
        rule["condition"] = {"kind": "no_data", "periods": rule["condition"]["places"]}
    if path == "/alerts/rules/replay":
        body |= {"since": "2026-03-01T11:00:00Z", "until": "2026-03-01T12:05:00Z"}
    if path == "/alerts/mutes":
        body |= {"rule": 0, "metric": 1, "until": "2036-01-01T00:00:00Z"}


def _names(case: Case) -> set[str]:
    return {parameter["name"] for parameter in case.operation.definition.raw.get("parameters", ())}


def _in_order(since: Any, until: Any) -> dict[str, str]:
    """`since` before `until`, within the span of one response."""
    last = NOW if until is None else _moment(until)
    first = last - timedelta(days=1) if since is None else _moment(since)
    first, last = min(first, last), max(first, last, EARLIEST)
    first = min(max(first, last - LONGEST), last - timedelta(seconds=1))
    return {"since": first.isoformat(), "until": last.isoformat()}


def _moment(value: Any) -> datetime:
    """The value as the program parses it, or now if Python's calendar cannot hold it (leap seconds, first and last
    day)."""
    try:
        return parse_moment(str(value))
    except ValueError:
        return NOW
