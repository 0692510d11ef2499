"""Users' rules, and their states on metrics."""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from json import dumps, loads

import numpy as np
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from services.market.alerting.rule_json import read_rule, rule_fields
from services.market.alerting.rules import AlertRule
from services.market.alerting.states import FIRING, NO_DATA, STATE, RuleStates
from services.store.database.models import AlertRow, MuteRow, RuleRow, RuleStateRow

_RULES = select(RuleRow.id, RuleRow.body).order_by(RuleRow.id)
_STATES = select(RuleStateRow.rule_id, RuleStateRow.data)
_DELETE_STATES = delete(RuleStateRow).where(RuleStateRow.rule_id.in_(bindparam("numbers", expanding=True)))


def stored(connection: Connection) -> tuple[AlertRule, ...]:
    """All rules, ascending by id."""
    rows = connection.execute(_RULES)
    return tuple(decode_rule(row.id, row.body) for row in rows)


def find(connection: Connection, number: int) -> AlertRule | None:
    """The rule with this id; None if there is none."""
    body = connection.execute(select(RuleRow.body).where(RuleRow.id == number)).scalar()
    return None if body is None else decode_rule(number, body)


def add(connection: Connection, rule: AlertRule) -> AlertRule:
    """Store a new rule. Returns it with its id."""
    number = connection.execute(insert(RuleRow).values(body=encode_rule(rule)).returning(RuleRow.id)).scalar_one()
    return dataclasses.replace(rule, id=number)


def replace(connection: Connection, rule: AlertRule, now: int) -> None:
    """Replace the stored rule with the same id, which must exist.

    Its pending states are reset. Open alerts resolve by the new condition, or at once if the rule is disabled.
    """
    connection.execute(update(RuleRow).where(RuleRow.id == rule.id).values(body=encode_rule(rule)))
    found = states(connection).get(rule.id)
    if not rule.enabled:
        _end(connection, rule.id, now)
    elif found is not None:
        save_states(connection, {rule.id: found[np.isin(found["state"], (FIRING, NO_DATA))]})


def remove(connection: Connection, number: int, now: int) -> None:
    """Delete the rule, its states and its mutes; resolve its open alerts, which stay on record."""
    _end(connection, number, now)
    connection.execute(delete(MuteRow).where(MuteRow.rule_id == number))
    connection.execute(delete(RuleRow).where(RuleRow.id == number))


def _end(connection: Connection, number: int, now: int) -> None:
    connection.execute(delete(RuleStateRow).where(RuleStateRow.rule_id == number))
    is_open = (AlertRow.rule_id == number) & AlertRow.resolved_at.is_(None)
    connection.execute(update(AlertRow).where(is_open).values(resolved_at=now, no_data_since=None))


def encode_rule(rule: AlertRule) -> str:
    """The rule as stored: JSON."""
    return dumps(rule_fields(rule), ensure_ascii=False)


@lru_cache(maxsize=1_024)
def decode_rule(number: int, body: str) -> AlertRule:
    """The rule of this id and stored JSON."""
    return read_rule(loads(body), number)


def states(connection: Connection) -> Mapping[int, RuleStates]:
    """By rule, the states of the metrics on which it is not simply ok."""
    rows = connection.execute(_STATES)
    return {row.rule_id: np.frombuffer(row.data, dtype=STATE) for row in rows}


def shift_states_back(connection: Connection, now: int, seconds: int) -> None:
    """Move the times in states at or after epoch second `now` back by `seconds`."""
    changed = {}
    for number, found in states(connection).items():
        shifted = found.copy()
        for name in ("since", "fired_at", "known_at"):
            shifted[name][found[name] >= now] -= seconds
        changed[number] = shifted
    save_states(connection, changed)


def save_states(connection: Connection, changed: Mapping[int, RuleStates]) -> None:
    """Replace the states of the rules that have changed."""
    if changed:
        connection.execute(_DELETE_STATES, {"numbers": list(changed)})
    rows = [{"rule_id": number, "data": found.tobytes()} for number, found in changed.items() if len(found)]
    if rows:
        connection.execute(insert(RuleStateRow), rows)
