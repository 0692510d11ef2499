"""The rules that people write, and how each of them stands to its metrics."""

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
    """All rules, by number."""
    rows = connection.execute(_RULES)
    return tuple(decode_rule(row.id, row.body) for row in rows)


def find(connection: Connection, number: int) -> AlertRule | None:
    """The rule of this number."""
    body = connection.execute(select(RuleRow.body).where(RuleRow.id == number)).scalar()
    return None if body is None else decode_rule(number, body)


def add(connection: Connection, rule: AlertRule) -> AlertRule:
    """Store it as a new rule; answers it with its number."""
    number = connection.execute(insert(RuleRow).values(body=encode_rule(rule)).returning(RuleRow.id)).scalar_one()
    return dataclasses.replace(rule, id=number)


def replace(connection: Connection, rule: AlertRule, now: int) -> None:
    """Store it in place of the rule of its number, which there is.

    It begins anew: what was pending is so no more. Open alerts resolve by its new words, or at once if it is off.
    """
    connection.execute(update(RuleRow).where(RuleRow.id == rule.id).values(body=encode_rule(rule)))
    held = states(connection).get(rule.id)
    if not rule.enabled:
        _end(connection, rule.id, now)
    elif held is not None:
        save_states(connection, {rule.id: held[np.isin(held["state"], (FIRING, NO_DATA))]})


def remove(connection: Connection, number: int, now: int) -> None:
    """Forget the rule, its states and its mutes; its alerts end, and stay on record."""
    _end(connection, number, now)
    connection.execute(delete(MuteRow).where(MuteRow.rule_id == number))
    connection.execute(delete(RuleRow).where(RuleRow.id == number))


def _end(connection: Connection, number: int, now: int) -> None:
    connection.execute(delete(RuleStateRow).where(RuleStateRow.rule_id == number))
    is_open = (AlertRow.rule_id == number) & AlertRow.resolved_at.is_(None)
    connection.execute(update(AlertRow).where(is_open).values(resolved_at=now, no_data_since=None))


def encode_rule(rule: AlertRule) -> str:
    """The rule as it is stored."""
    return dumps(rule_fields(rule), ensure_ascii=False)


@lru_cache(maxsize=1_024)
def decode_rule(number: int, body: str) -> AlertRule:
    """The rule of this number and stored text."""
    return read_rule(loads(body), number)


def states(connection: Connection) -> Mapping[int, RuleStates]:
    """For each rule that has such, the metrics to which it does not stand simply ok."""
    rows = connection.execute(_STATES)
    return {row.rule_id: np.frombuffer(row.data, dtype=STATE) for row in rows}


def shift_states_back(connection: Connection, now: int, seconds: int) -> None:
    """What states tell of epoch second `now` and later happened so many seconds earlier."""
    changed = {}
    for number, held in states(connection).items():
        dated = held.copy()
        for name in ("since", "fired_at", "known_at"):
            dated[name][held[name] >= now] -= seconds
        changed[number] = dated
    save_states(connection, changed)


def save_states(connection: Connection, changed: Mapping[int, RuleStates]) -> None:
    """Replace them for the rules that have changed."""
    if changed:
        connection.execute(_DELETE_STATES, {"numbers": list(changed)})
    rows = [{"rule_id": number, "data": held.tobytes()} for number, held in changed.items() if len(held)]
    if rows:
        connection.execute(insert(RuleStateRow), rows)
