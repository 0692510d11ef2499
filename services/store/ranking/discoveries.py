"""Records of the exchanges' lists of pairs: the last accepted list of each, and the lists in doubt."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from services.store.database.models import ExchangeRow, MetricRow
from services.store.ranking.exchange_states import update_exchange


@dataclass(frozen=True, slots=True)
class DiscoveryRecord:
    """The lists of one exchange.

    `trading` is the number of pairs that trade by the last accepted list (None before the first). The present list is
    in doubt since epoch second `doubted_since` (None if it is not). `halted` are the ids of metrics that do not trade;
    `moving_inactive` is how many of them had a price that moved in the last tick.
    """

    trading: int | None = None
    doubted_since: int | None = None
    halted: frozenset[int] = frozenset()
    moving_inactive: int = 0


def load(connection: Connection) -> Mapping[str, DiscoveryRecord]:
    """The records of all exchanges that were ever asked, by market."""
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
    """Record an accepted list, by which `trading` pairs trade."""
    update_exchange(connection, market, trading=trading, doubted_since=None)


def record_doubted(connection: Connection, market: str, since: int) -> None:
    """Record a list in doubt since this epoch second; the metrics stay as the list before left them."""
    update_exchange(connection, market, doubted_since=since)


def record_moving_inactive(connection: Connection, market: str, count: int) -> None:
    """Record the `count` of its inactive metrics whose price has moved in this tick."""
    update_exchange(connection, market, moving_inactive=count)
