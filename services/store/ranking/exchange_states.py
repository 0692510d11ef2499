"""The state of each exchange: its last success and failure, its list of pairs, its pace."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, Update, bindparam, delete, func, insert, select, update

from services.market.status import ExchangeState
from services.market.times import from_epoch
from services.store.database.models import ExchangeRow, MetricRow


@dataclass(frozen=True, slots=True)
class Success:
    """An exchange's answer to the tick of epoch second `at`.

    None of its prices has moved for `unchanged_periods`; `note` is what was odd about it.
    """

    at: int
    latency_ms: float
    rejected: int
    unchanged_periods: int
    note: str | None


_UPDATE = update(ExchangeRow).where(ExchangeRow.market == bindparam("of_market"))
_RECORD_FAILURE = _UPDATE.values(
    failing_since=func.coalesce(ExchangeRow.failing_since, bindparam("at_second")),
    failed_at=bindparam("at_second"),
    error=bindparam("why"),
)
_NOTES = select(ExchangeRow.market, ExchangeRow.note)
_UNCHANGED_PERIODS = select(ExchangeRow.market, ExchangeRow.unchanged_periods.label("unchanged_periods"))


def record_success(connection: Connection, market: str, success: Success) -> None:
    """Record that the exchange returned prices. Its last failure stays on record."""
    update_exchange(
        connection,
        market,
        last_success=success.at,
        failing_since=None,
        latency_ms=success.latency_ms,
        rejected=success.rejected,
        unchanged_periods=success.unchanged_periods,
        note=success.note,
    )


def record_failure(connection: Connection, market: str, at: int, error: str) -> None:
    """Record that the exchange returned no prices. `failing_since` stays that of its first failure in a row."""
    _change(connection, market, _RECORD_FAILURE, {"at_second": at, "why": error})


def update_exchange(connection: Connection, market: str, **values: object) -> None:
    """Set these fields of one exchange, and insert its row if there is none."""
    _change(connection, market, _update_of(frozenset(values)), {f"new_{name}": value for name, value in values.items()})


@cache
def _update_of(fields: frozenset[str]) -> Update:
    """A statement that sets these fields to `new_...`."""
    return _UPDATE.values({name: bindparam(f"new_{name}") for name in sorted(fields)})


def _change(connection: Connection, market: str, change: Update, values: Mapping[str, object]) -> None:
    given = {"of_market": market, **values}
    if not connection.execute(change, given).rowcount:
        connection.execute(insert(ExchangeRow).values(market=market))
        connection.execute(change, given)


def notes(connection: Connection) -> dict[str, str | None]:
    """The note on each exchange's last answer."""
    return {row.market: row.note for row in connection.execute(_NOTES)}


def patterns(connection: Connection, market: str) -> str | None:
    """The exchange's part of TRACK when its list was last accepted; None before the first."""
    return connection.execute(select(ExchangeRow.patterns).where(ExchangeRow.market == market)).scalar()


def record_patterns(connection: Connection, market: str, text: str) -> None:
    """Record the exchange's part of TRACK by which its list was accepted."""
    update_exchange(connection, market, patterns=text)


def record_permitted_rate(connection: Connection, market: str, requests_a_second: float | None) -> None:
    """Record the request rate that the exchange permits; None if it states none."""
    update_exchange(connection, market, permitted=requests_a_second)


def remove_other_exchanges(connection: Connection, markets: Collection[str]) -> None:
    """Delete the state of exchanges that TRACK no longer names."""
    connection.execute(delete(ExchangeRow).where(ExchangeRow.market.not_in(markets)))


def load(connection: Connection) -> tuple[ExchangeState, ...]:
    """All exchanges, by name, with the number of their tracked metrics."""
    count = (
        select(func.count())
        .where(MetricRow.market == ExchangeRow.market, MetricRow.tracked)
        .correlate(ExchangeRow)
        .scalar_subquery()
    )
    rows = connection.execute(select(ExchangeRow.__table__, count.label("metrics")).order_by(ExchangeRow.market))
    return tuple(
        ExchangeState(
            market=row.market,
            metrics=row.metrics,
            last_success=from_epoch(row.last_success),
            failing_since=from_epoch(row.failing_since),
            error=row.error,
            latency_ms=row.latency_ms,
            rejected=row.rejected,
            note=row.note,
            failed_at=from_epoch(row.failed_at),
            permitted=row.permitted,
        )
        for row in rows
    )


def unchanged_periods(connection: Connection) -> dict[str, int]:
    """For each exchange, the number of periods in which none of its prices has moved."""
    return {row.market: row.unchanged_periods for row in connection.execute(_UNCHANGED_PERIODS)}
