"""Mutes: rules and metrics whose alerts are recorded without a notification."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, insert, select, true, update

from services.market.alerting.alerts import Mute
from services.market.times import DAY, from_epoch
from services.store.database.models import AlertRow, MuteRow
from services.store.ranking import ticks

RETENTION_SECONDS = 30 * DAY
"""A mute stays on record for this long after its end."""


_HOLDS = MuteRow.until.is_(None) | (MuteRow.until > bindparam("now"))
_CURRENT = select(MuteRow.__table__).where(_HOLDS).order_by(MuteRow.id)
_ENDED = select(MuteRow.rule_id, MuteRow.metric_id).where(
    MuteRow.until > bindparam("since"), MuteRow.until <= bindparam("now")
)
_SAME_RULE = MuteRow.rule_id.is_(None) | (AlertRow.rule_id == MuteRow.rule_id)
_SAME_METRIC = MuteRow.metric_id.is_(None) | (AlertRow.metric_id == MuteRow.metric_id)
_RESOLVED_SINCE = (AlertRow.resolved_at >= MuteRow.created_at) | (AlertRow.resolved_at == bindparam("now"))
_DELETE_RESOLVED = delete(MuteRow).where(
    MuteRow.until.is_(None),
    exists().where(_RESOLVED_SINCE, _SAME_RULE, _SAME_METRIC),
    ~exists().where(AlertRow.resolved_at.is_(None), _SAME_RULE, _SAME_METRIC),
)


def current(connection: Connection, now: int) -> tuple[Mute, ...]:
    """The mutes in effect at epoch second `now`, by number."""
    return tuple(_mute(row) for row in connection.execute(_CURRENT, {"now": now}))


def add(
    connection: Connection, rule_id: int | None, metric_id: int | None, until: int | None, note: str | None, now: int
) -> Mute:
    """Mute from now on, including open alerts."""
    values = {"rule_id": rule_id, "metric_id": metric_id, "until": until, "note": note, "created_at": now}
    row = connection.execute(insert(MuteRow).values(values).returning(*MuteRow.__table__.columns)).one()
    _mark(connection, rule_id, metric_id, muted=True)
    return _mute(row)


def remove(connection: Connection, number: int, now: int) -> bool:
    """End a mute early: open alerts that no other mute covers are unmuted. False if it is not in effect."""
    remove_one = delete(MuteRow).where(MuteRow.id == number, _HOLDS).returning(MuteRow.rule_id, MuteRow.metric_id)
    row = connection.execute(remove_one, {"now": now}).first()
    if row is None:
        return False
    _mark(connection, row.rule_id, row.metric_id, muted=False)
    reapply(connection, now)
    return True


def reapply(connection: Connection, now: int) -> None:
    """Mute the open alerts of the mutes in effect at epoch second `now`."""
    for mute in current(connection, now):
        _mark(connection, mute.rule_id, mute.metric_id, muted=True)


def end_timed(connection: Connection, since: int, now: int) -> None:
    """Unmute the open alerts of mutes that ended after `since`.

    A mute stays on record for RETENTION_SECONDS, and is in effect again if the clock proves to have been ahead.
    """
    rows = connection.execute(_ENDED, {"since": since, "now": now}).all()
    for row in rows:
        _mark(connection, row.rule_id, row.metric_id, muted=False)
    if rows:
        reapply(connection, now)
        connection.execute(delete(MuteRow).where(MuteRow.until <= ticks.age_cutoff(connection, now, RETENTION_SECONDS)))


def end_resolved(connection: Connection, now: int) -> None:
    """Remove the mutes without an end whose alerts have resolved since, with none left open.

    Called in the commit of the tick of `now`: alerts that resolve at `now` do so after all mutes, even those that were
    made later in the tick's period, before it was stored.
    """
    connection.execute(_DELETE_RESOLVED, {"now": now})


def is_muted(mutes: Sequence[Mute], rule_id: int, metric_id: int) -> bool:
    """Whether any of them is of this rule and metric."""
    return any(mute.rule_id in (None, rule_id) and mute.metric_id in (None, metric_id) for mute in mutes)


def _mark(connection: Connection, rule_id: int | None, metric_id: int | None, *, muted: bool) -> None:
    of_rule: ColumnElement[bool] = true() if rule_id is None else AlertRow.rule_id == rule_id
    of_metric: ColumnElement[bool] = true() if metric_id is None else AlertRow.metric_id == metric_id
    change = update(AlertRow).where(AlertRow.resolved_at.is_(None), of_rule, of_metric)
    connection.execute(change.values(muted=muted))


def _mute(row: Any) -> Mute:
    return Mute(
        id=row.id,
        rule_id=row.rule_id,
        metric_id=row.metric_id,
        until=from_epoch(row.until),
        note=row.note,
        created_at=from_epoch(row.created_at),
    )
