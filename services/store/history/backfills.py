"""The spans that exchanges have answered for, so that none is requested twice, and the progress of backfills."""

from sqlalchemy import Connection, delete, insert, select, update

from services.market.present import is_unexpired
from services.market.status import BackfillState
from services.market.times import HOUR, from_epoch, to_epoch
from services.store.database.models import BackfillProgressRow, BackfillRow

MAX_REST_SECONDS = 6 * HOUR
"""The longest time until an exchange is asked again for candles that it did not have."""


def answered(connection: Connection, now: int) -> dict[int, list[tuple[int, int]]]:
    """By metric, the spans (since, until] that need not be requested again yet."""
    spans: dict[int, list[tuple[int, int]]] = {}
    is_answered = is_unexpired(BackfillRow.retry_at, now, MAX_REST_SECONDS)
    for row in connection.execute(select(BackfillRow.__table__).where(is_answered)):
        spans.setdefault(row.metric_id, []).append((row.since, row.until))
    return spans


def record_answered(connection: Connection, metric_id: int, since: int, until: int, retry_at: int) -> None:
    """Record that the exchange has returned all it has of (since, until]; it may be asked again from `retry_at` on."""
    values = {"until": until, "retry_at": retry_at}
    renew = update(BackfillRow).where(BackfillRow.metric_id == metric_id, BackfillRow.since == since)
    if not connection.execute(renew.values(**values)).rowcount:
        connection.execute(insert(BackfillRow).values(metric_id=metric_id, since=since, **values))


def forget_before(connection: Connection, second: int) -> None:
    """Delete spans that ended before `second`: no window reaches back to them."""
    connection.execute(delete(BackfillRow).where(BackfillRow.until <= second))


def record_progress(connection: Connection, state: BackfillState) -> None:
    """Record the progress of one exchange's backfill. If it has no requests, the last one's progress stays, as
    complete."""
    of_market = BackfillProgressRow.market == state.market
    if not state.total:
        over = BackfillProgressRow.done + BackfillProgressRow.failed
        connection.execute(update(BackfillProgressRow).where(of_market).values(total=over))
        return
    values = {
        "done": state.done,
        "failed": state.failed,
        "total": state.total,
        "updated_at": to_epoch(state.updated_at),
    }
    change = update(BackfillProgressRow).where(of_market).values(**values)
    if not connection.execute(change).rowcount:
        connection.execute(insert(BackfillProgressRow).values(market=state.market, **values))


def progress(connection: Connection) -> tuple[BackfillState, ...]:
    """The last known progress of every exchange's backfill."""
    rows = connection.execute(select(BackfillProgressRow.__table__).order_by(BackfillProgressRow.market))
    return tuple(
        BackfillState(
            market=row.market,
            done=row.done,
            total=row.total,
            failed=row.failed,
            updated_at=from_epoch(row.updated_at),
        )
        for row in rows
    )
