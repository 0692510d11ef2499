"""The metrics, and warnings about TRACK for the operator."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, true, update
from sqlalchemy.orm import InstrumentedAttribute

from services.market.names import normal
from services.market.times import from_epoch, to_epoch
from services.market.types import Catalogue, Listing, Metric, Pair
from services.store.database.engine import MAX_INTEGER
from services.store.database.models import MetricRow, SnapshotRow, WarningRow

_CATALOGUE_NUMBER = select(SnapshotRow.catalogue)


class CatalogueCache:
    """Caches the catalogue until its number changes, so that a tick need not read it."""

    def __init__(self) -> None:
        self._last: Catalogue | None = None

    def current(self, connection: Connection) -> Catalogue:
        """The tracked metrics as this transaction sees them."""
        number = connection.execute(_CATALOGUE_NUMBER).scalar_one()
        last = self._last
        if last is None or last.number != number:
            last = Catalogue(number, _metrics(connection, MetricRow.tracked.is_(True)))
            self._last = last
        return last


def find(connection: Connection, wanted: int | str) -> Metric | None:
    """The metric with this id or key (in any case), tracked or not; None if there is none."""
    if isinstance(wanted, int):
        if not 0 <= wanted <= MAX_INTEGER:
            return None
        condition = MetricRow.id == wanted
    elif not wanted.isprintable():  # no name has such a character, and PostgreSQL refuses some of them
        return None
    else:
        market, _, pair = wanted.partition(":")
        base, _, quote = pair.rpartition("-")
        condition = (
            (func.lower(MetricRow.market) == market.lower())
            & _in_any_case(MetricRow.base, normal(base))
            & _in_any_case(MetricRow.quote, normal(quote))
        )
    found = _metrics(connection, condition)
    return found[0] if found else None


def _in_any_case(column: InstrumentedAttribute[str], name: str) -> ColumnElement[bool]:
    # lower() in databases changes the case of Latin letters only.
    return (func.lower(column) == name.lower()) | column.in_({name, name.upper(), name.lower()})


def stored(connection: Connection) -> tuple[Metric, ...]:
    """All metrics, tracked or not, ascending by id."""
    return _metrics(connection, true())


def _metrics(connection: Connection, condition: ColumnElement[bool]) -> tuple[Metric, ...]:
    columns = (MetricRow.id, MetricRow.market, MetricRow.base, MetricRow.quote, MetricRow.active, MetricRow.reason)
    times = (MetricRow.new_at, MetricRow.gone_at)
    rows = connection.execute(select(*columns, *times).where(condition).order_by(MetricRow.id))
    return tuple(Metric(*row[:-2], from_epoch(row.new_at), from_epoch(row.gone_at)) for row in rows)


def untrack_other_markets(connection: Connection, markets: Collection[str]) -> None:
    """Stop tracking the metrics of all other markets; their samples stay."""
    statement = update(MetricRow).where(MetricRow.tracked, MetricRow.market.not_in(markets))
    if connection.execute(statement.values(tracked=False)).rowcount:
        _renumber(connection)
    connection.execute(delete(WarningRow).where(WarningRow.market.not_in(markets)))


def track(
    connection: Connection,
    market: str,
    listings: Sequence[Listing],
    wanted: Callable[[Pair], bool],
    now: datetime,
    mark_new: bool = False,
) -> int:
    """Track exactly these pairs of `market`. Returns how many were never tracked before.

    With `mark_new` those count as listed just now. A pair that is still `wanted` but no longer listed keeps its id and
    history, and becomes inactive with the reason `delisted`; one that is listed without trading becomes `halted`. The
    time at which it became inactive is recorded.
    """
    rows = connection.execute(select(MetricRow.__table__).where(MetricRow.market == market)).all()
    listed = {listing.pair: listing for listing in listings}
    known = {Pair(row.base, row.quote) for row in rows}
    new = [listing for pair, listing in listed.items() if pair not in known]
    if new:
        connection.execute(
            insert(MetricRow),
            [
                {
                    "market": market,
                    "base": listing.pair.base,
                    "quote": listing.pair.quote,
                    "tracked": True,
                    "active": listing.active,
                    "reason": None if listing.active else "halted",
                    "added_at": to_epoch(now),
                    "new_at": to_epoch(now) if mark_new else None,
                }
                for listing in new
            ],
        )
    changed = len(new)
    for row in rows:
        pair = Pair(row.base, row.quote)
        listing = listed.get(pair)
        tracked = listing is not None or (row.tracked and wanted(pair))
        active = listing is not None and listing.active
        reason = None if active else "delisted" if listing is None else "halted"
        if (row.tracked, row.active, row.reason) != (tracked, active, reason):
            gone_at = None if active else row.gone_at if row.reason == reason else to_epoch(now)
            statement = update(MetricRow).where(MetricRow.id == row.id)
            connection.execute(statement.values(tracked=tracked, active=active, reason=reason, gone_at=gone_at))
            changed += 1
    if changed:
        _renumber(connection)
    return len(new)


def _renumber(connection: Connection) -> None:
    connection.execute(update(SnapshotRow).values(catalogue=SnapshotRow.catalogue + 1))


def replace_warnings(connection: Connection, market: str, texts: Sequence[str]) -> None:
    """Replace the warnings about one market's part of TRACK."""
    connection.execute(delete(WarningRow).where(WarningRow.market == market))
    if texts:
        connection.execute(insert(WarningRow), [{"market": market, "text": text} for text in dict.fromkeys(texts)])


def warnings(connection: Connection) -> tuple[str, ...]:
    """The warnings about TRACK, by market."""
    return tuple(connection.execute(select(WarningRow.text).order_by(WarningRow.market, WarningRow.text)).scalars())
