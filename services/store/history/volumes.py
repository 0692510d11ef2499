"""Volumes: the 24 h volume that the exchange reports with each price.

A quantity with tables of its own. A third one would be written like this one.
"""

from typing import cast

import numpy as np
from sqlalchemy import Connection, Table

from services.market.types import Floats, Ints
from services.store.database.models import VolumeChunkRow, VolumeRow
from services.store.history import samples
from services.store.history.bulk_rows import Quantity

VOLUME = Quantity(cast(Table, VolumeRow.__table__), cast(Table, VolumeChunkRow.__table__))


def store(connection: Connection, minute: int, metric_ids: Ints, volumes: Floats) -> None:
    """Write one tick's volumes, base units; NaN for a metric without one."""
    reported = ~np.isnan(volumes)
    ids, values = metric_ids[reported].tolist(), volumes[reported].tolist()
    samples.insert(connection, VOLUME.rows, ([minute] * len(ids), ids, values))
