"""What is on record of the look-ups of exchanges' lists: which is believed, and which asks for another look."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from services.store.database.models import ExchangeRow, MetricRow
from services.store.ranking.exchange_states import update_exchange


@dataclass(frozen=True, slots=True)
class DiscoveryRecord:
    """Of one exchange: how many pairs were `trading` by the list that was believed last, and since when (epoch seconds)
    its list is doubted, both None where that is not so; the `halted` metrics, by number; and how many metrics that do
    not trade by the list were `stirring` in the last tick: had a price that moved."""

    trading: int | None = None
    doubted_since: int | None = None
    halted: frozenset[int] = frozenset()
    moving_inactive: int = 0


def on_record(connection: Connection) -> Mapping[str, DiscoveryRecord]:
    """For each exchange that was ever looked up."""
    halted: dict[str, set[int]] = {}
    rows = connection.execute(
        select(MetricRow.market, MetricRow.id).where(MetricRow.tracked, MetricRow.active.is_(False))
    )
    for market, number in rows:
        halted.setdefault(market, set()).add(number)
    columns = (ExchangeRow.market, ExchangeRow.trading, ExchangeRow.doubted_since, ExchangeRow.moving_inactive)
    return {
        market: DiscoveryRecord(trading, doubted_since, frozenset(halted.get(market, ())), moving_inactive or 0)
        for market, trading, doubted_since, moving_inactive in connection.execute(select(*columns))
    }


def record_accepted(connection: Connection, market: str, trading: int) -> None:
    """Its list, by which so many pairs trade, is what its metrics go by."""
    update_exchange(connection, market, trading=trading, doubted_since=None)


def record_doubted(connection: Connection, market: str, since: int) -> None:
    """Its list is doubted since this epoch second; its metrics go by the one before."""
    update_exchange(connection, market, doubted_since=since)


def record_moving_inactive(connection: Connection, market: str, count: int) -> None:
    """So many of its metrics that do not trade by the list had a price that moved in this tick."""
    update_exchange(connection, market, moving_inactive=count)
