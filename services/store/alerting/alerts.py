"""Stored alerts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Select,
    Table,
    Update,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from services.market.alerting.alerts import Alert, AlertCounts, AlertQuery, OpenAlerts
from services.market.alerting.rule_text import condition_text
from services.market.alerting.rules import BUILT_IN
from services.market.text import one_line
from services.market.times import from_epoch
from services.store.alerting.rules import decode_rule
from services.store.database.models import AlertRow, MetricRow

MAX_NAMED_ALERTS = 500
"""The most metrics that one statement names; for more, it selects those of all metrics."""


@dataclass(frozen=True, slots=True)
class NewAlert:
    """One alert to be written, with the fields of services.market.alerting.alerts.Alert.

    `fired_at` is the tick's epoch second, and `rule` the rule at that time, in JSON. It is sent to `channels`; None
    means all configured ones.
    """

    metric_id: int
    fired_at: int
    price: float
    average: float | None
    factor: float | None
    samples: int
    rule_id: int = BUILT_IN
    rule: str | None = None
    quantity: str = "price"
    value: float | None = None
    reference: float | None = None
    threshold: float | None = None
    muted: bool = False
    channels: tuple[str, ...] | None = None


_COLUMNS = tuple(field.name for field in fields(NewAlert) if field.name != "channels")


_IN_STATE = {
    "open": AlertRow.resolved_at.is_(None),
    "firing": AlertRow.resolved_at.is_(None) & AlertRow.no_data_since.is_(None),
    "no_data": AlertRow.resolved_at.is_(None) & AlertRow.no_data_since.is_not(None),
    "resolved": AlertRow.resolved_at.is_not(None),
}


_OPEN = select(AlertRow.metric_id).where(AlertRow.rule_id == bindparam("of_rule"), _IN_STATE["open"])
_WITHOUT_DATA = select(AlertRow.metric_id).where(AlertRow.rule_id == bindparam("of_rule"), _IN_STATE["no_data"])


def firing_times(connection: Connection, rule_id: int, since: int, metric_ids: Collection[int]) -> dict[int, int]:
    """The last time (epoch seconds) that the rule fired on each of these metrics, if after `since`."""
    of_rule = (AlertRow.rule_id == rule_id) & (AlertRow.fired_at > since)
    statement = select(AlertRow.metric_id, func.max(AlertRow.fired_at)).where(of_rule).group_by(AlertRow.metric_id)
    if len(metric_ids) <= MAX_NAMED_ALERTS:
        statement = statement.where(AlertRow.metric_id.in_(metric_ids))
    wanted = set(metric_ids)
    return {metric_id: fired_at for metric_id, fired_at in connection.execute(statement) if metric_id in wanted}


def open_alerts(connection: Connection, rule_id: int) -> set[int]:
    """The metrics on which the rule has fired and not resolved."""
    return set(connection.execute(_OPEN, {"of_rule": rule_id}).scalars())


def without_data(connection: Connection, rule_id: int) -> set[int]:
    """The metrics of the rule's open alerts that are without data."""
    return set(connection.execute(_WITHOUT_DATA, {"of_rule": rule_id}).scalars())


def resolve(connection: Connection, ended: Mapping[tuple[int, int], float | None], now: int) -> None:
    """Resolve the open alerts of these (rule, metric), at the given value (None if unknown).

    If the value is still beyond the alert's own threshold, the threshold has moved, and the reason records that.
    """
    if ended:
        rows = [{"of_rule": rule, "of_metric": metric, "at_value": at} for (rule, metric), at in ended.items()]
        connection.execute(_resolved(now), rows)


def _resolved(now: int) -> Update:
    """The update that resolves the open alerts of one rule and metric at `at_value`."""
    table = cast(Table, AlertRow.__table__)
    at = bindparam("at_value", type_=Double)
    beyond = ((table.c.value > table.c.threshold) & (at > table.c.threshold)) | (
        (table.c.value < table.c.threshold) & (at < table.c.threshold)
    )
    reason = case(
        (beyond & table.c.average.is_not(None), "average_caught_up"),
        (beyond & table.c.reference.is_not(None), "window_moved_on"),
        else_=None,
    )
    return _update_open().values(resolved_at=now, no_data_since=None, reason=reason)


def set_no_data_since(connection: Connection, keys: Sequence[tuple[int, int]], since: int | None) -> None:
    """Record that the open alerts of these (rule, metric) are without data `since` then; None: that they have data."""
    if keys:
        rows = [{"of_rule": rule, "of_metric": metric} for rule, metric in keys]
        connection.execute(_update_open().values(no_data_since=since), rows)


def _update_open() -> Update:
    """An update of the open alerts of the rule `of_rule` and the metric `of_metric`."""
    table = cast(Table, AlertRow.__table__)
    of_both = (table.c.rule_id == bindparam("of_rule")) & (table.c.metric_id == bindparam("of_metric"))
    return update(table).where(of_both, table.c.resolved_at.is_(None))


def unmuted(connection: Connection, wanted: Collection[tuple[int, int]]) -> Sequence[int]:
    """The numbers of the open alerts of these (rule, metric) that are not muted."""
    if not wanted:
        return ()
    of_rules = AlertRow.rule_id.in_({rule_id for rule_id, _ in wanted}) & AlertRow.resolved_at.is_(None)
    columns = select(AlertRow.id, AlertRow.rule_id, AlertRow.metric_id)
    rows = connection.execute(columns.where(of_rules, ~AlertRow.muted).order_by(AlertRow.id))
    return [row.id for row in rows if (row.rule_id, row.metric_id) in wanted]


def acknowledge(connection: Connection, number: int, note: str | None, now: int, by: str | None) -> Alert | None:
    """Acknowledge one alert; a second acknowledgement changes nothing. None if there is no such alert."""
    unacknowledged = (AlertRow.id == number) & AlertRow.acknowledged_at.is_(None)
    connection.execute(
        update(AlertRow).where(unacknowledged).values(acknowledged_at=now, note=note, acknowledged_by=by)
    )
    row = connection.execute(select_alerts().where(AlertRow.id == number)).first()
    return None if row is None else alert_of(row)


def acknowledge_all(connection: Connection, query: AlertQuery, note: str | None, now: int, by: str | None) -> int:
    """Acknowledge all alerts that match `query`, without its limit. Returns how many were unacknowledged."""
    matching = select(AlertRow.id).join(MetricRow, MetricRow.id == AlertRow.metric_id).where(*_conditions(query))
    unacknowledged = AlertRow.id.in_(matching) & AlertRow.acknowledged_at.is_(None)
    change = update(AlertRow).where(unacknowledged).values(acknowledged_at=now, note=note, acknowledged_by=by)
    return connection.execute(change.execution_options(synchronize_session=False)).rowcount


def insert_alerts(connection: Connection, firings: Sequence[NewAlert]) -> Sequence[int]:
    """Write alerts. Returns their numbers, in the order given."""
    if not firings:
        return ()
    rows = [{name: getattr(firing, name) for name in _COLUMNS} for firing in firings]
    statement = insert(AlertRow).returning(AlertRow.id, sort_by_parameter_order=True)
    return connection.execute(statement, rows).scalars().all()


def find(connection: Connection, query: AlertQuery) -> tuple[Alert, ...]:
    """The alerts that match `query`, newest first."""
    newest_first = select_alerts().order_by(AlertRow.fired_at.desc(), AlertRow.id.desc())
    statement = newest_first.where(*_conditions(query)).limit(query.limit).offset(query.offset)
    return tuple(alert_of(row) for row in connection.execute(statement))


def count(connection: Connection, query: AlertQuery) -> AlertCounts:
    """The number of alerts that match `query`, without its limit and offset."""
    unacknowledged = func.sum(case((AlertRow.acknowledged_at.is_(None), 1), else_=0))
    counted = select(func.count(), func.coalesce(unacknowledged, 0)).select_from(AlertRow)
    if query.search:
        counted = counted.join(MetricRow, MetricRow.id == AlertRow.metric_id)
    return AlertCounts(*connection.execute(counted.where(*_conditions(query))).one())


def open_unacknowledged(connection: Connection, limit: int) -> OpenAlerts:
    """Open alerts that are neither muted nor acknowledged: their number, and the newest, at most `limit`."""
    query = AlertQuery(state="open", unacknowledged=True, muted=False, limit=limit)
    return OpenAlerts(count(connection, query).total, find(connection, query))


def rules_that_fired(connection: Connection) -> Mapping[int, str | None]:
    """The rules with stored alerts, and the name of each at its last alert; None for the built-in one."""
    last = select(func.max(AlertRow.id)).group_by(AlertRow.rule_id)
    rows = connection.execute(select(AlertRow.rule_id, AlertRow.rule).where(AlertRow.id.in_(last)))
    return {row.rule_id: None if row.rule is None else decode_rule(row.rule_id, row.rule).name for row in rows}


def _conditions(query: AlertQuery) -> list[ColumnElement[bool]]:
    """The conditions of `query`. Those of its `search` need alerts that are joined with their metrics."""
    found: list[ColumnElement[bool]] = []
    if query.since is not None:
        found.append(AlertRow.fired_at >= query.since.timestamp())
    if query.until is not None:
        found.append(AlertRow.fired_at < query.until.timestamp())
    if query.metric_id is not None:
        found.append(AlertRow.metric_id == query.metric_id)
    if query.rule_id is not None:
        found.append(AlertRow.rule_id == query.rule_id)
    if query.state is not None:
        found.append(_IN_STATE[query.state])
    if query.unacknowledged:
        found.append(AlertRow.acknowledged_at.is_(None))
    if query.muted is not None:
        found.append(AlertRow.muted.is_(query.muted))
    if query.up_to is not None:
        found.append(AlertRow.id <= query.up_to)
    # As displayed and as keys: kraken BTC/USD, kraken:BTC-USD.
    names = [
        MetricRow.market + between + MetricRow.base + sign + MetricRow.quote
        for between, sign in ((" ", "/"), (":", "-"))
    ]
    for word in one_line(query.search, len(query.search)).split():  # PostgreSQL refuses some invisible characters
        found.append(or_(*(name.icontains(word, autoescape=True) for name in names)))
    return found


def select_alerts(*more: Any) -> Select[Any]:
    """The columns that `alert_of` needs, and `more` columns."""
    return select(AlertRow.__table__, MetricRow.market, MetricRow.base, MetricRow.quote, *more).join(
        MetricRow, MetricRow.id == AlertRow.metric_id
    )


def alert_of(row: Any) -> Alert:
    """The alert in a row of `select_alerts`."""
    rule = None if row.rule is None else decode_rule(row.rule_id, row.rule)
    return Alert(
        id=row.id,
        metric_id=row.metric_id,
        market=row.market,
        base=row.base,
        quote=row.quote,
        price=row.price,
        average=row.average,
        factor=row.factor,
        samples=row.samples,
        fired_at=from_epoch(row.fired_at),
        rule_id=row.rule_id,
        rule=None if rule is None else rule.name,
        condition=None if rule is None else condition_text(rule),
        quantity=row.quantity,
        value=row.value,
        reference=row.reference,
        threshold=row.threshold,
        muted=row.muted,
        no_data_since=from_epoch(row.no_data_since),
        resolved_at=from_epoch(row.resolved_at),
        reason=row.reason,
        acknowledged_at=from_epoch(row.acknowledged_at),
        note=row.note,
        acknowledged_by=row.acknowledged_by,
    )
