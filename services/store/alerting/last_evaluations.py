"""The values of each quantity at the last evaluation of rules, for conditions on crossings."""

from collections.abc import Collection, Mapping

import numpy as np
from sqlalchemy import Connection, bindparam, delete, insert, select

from services.market.types import Floats, Ints
from services.store.database.models import LastEvaluationRow

_ROW = np.dtype([("id", "<i8"), ("value", "<f8")])


_VALUES = select(LastEvaluationRow.quantity, LastEvaluationRow.data).where(
    LastEvaluationRow.quantity.in_(bindparam("quantities", expanding=True))
)
_DELETE_ALL = delete(LastEvaluationRow)


def last_values(connection: Connection, quantities: Collection[str], ids: Ints) -> Mapping[str, Floats]:
    """The stored values of metrics `ids` (ascending) by quantity; NaN for a metric without one. Quantities that are not
    stored are left out."""
    rows = connection.execute(_VALUES, {"quantities": list(quantities)})
    return {row.quantity: _aligned(np.frombuffer(row.data, dtype=_ROW), ids) for row in rows}


def record(connection: Connection, ids: Ints, values_of: Mapping[str, Floats]) -> None:
    """Replace all stored values with these of metrics `ids`, by quantity."""
    connection.execute(_DELETE_ALL)
    rows = []
    for quantity, values in values_of.items():
        data = np.empty(len(ids), dtype=_ROW)
        data["id"], data["value"] = ids, values
        rows.append({"quantity": quantity, "data": data.tobytes()})
    if rows:
        connection.execute(insert(LastEvaluationRow), rows)


def _aligned(stored: np.ndarray, ids: Ints) -> Floats:
    values = np.full(len(ids), np.nan)
    _, target, source = np.intersect1d(ids, stored["id"], assume_unique=True, return_indices=True)
    values[target] = stored["value"][source]
    return values
