"""What rules saw of each quantity at their last look, which nothing but the next look changes."""

from collections.abc import Collection, Mapping

import numpy as np
from sqlalchemy import Connection, bindparam, delete, insert, select

from services.market.types import Floats, Ints
from services.store.database.models import LastEvaluationRow

_SEEN = np.dtype([("id", "<i8"), ("value", "<f8")])


_VALUES = select(LastEvaluationRow.quantity, LastEvaluationRow.data).where(
    LastEvaluationRow.quantity.in_(bindparam("quantities", expanding=True))
)
_DELETE_ALL = delete(LastEvaluationRow)


def last_values(connection: Connection, quantities: Collection[str], ids: Ints) -> Mapping[str, Floats]:
    """The values of metrics `ids` (ascending) as `record` was given them, NaN for those that were not among its
    metrics; nothing for a quantity that is not on record."""
    rows = connection.execute(_VALUES, {"quantities": list(quantities)})
    return {row.quantity: _aligned(np.frombuffer(row.data, dtype=_SEEN), ids) for row in rows}


def record(connection: Connection, ids: Ints, seen: Mapping[str, Floats]) -> None:
    """Replace all that is on record by these values of metrics `ids`, quantity by quantity."""
    connection.execute(_DELETE_ALL)
    rows = []
    for quantity, values in seen.items():
        data = np.empty(len(ids), dtype=_SEEN)
        data["id"], data["value"] = ids, values
        rows.append({"quantity": quantity, "data": data.tobytes()})
    if rows:
        connection.execute(insert(LastEvaluationRow), rows)


def _aligned(stored: np.ndarray, ids: Ints) -> Floats:
    values = np.full(len(ids), np.nan)
    _, target, source = np.intersect1d(ids, stored["id"], assume_unique=True, return_indices=True)
    values[target] = stored["value"][source]
    return values
