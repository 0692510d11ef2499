"""What the stages of one tick share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.market.alerting.states import Mask
from services.market.types import Catalogue
from services.pipeline.arrivals import Arrivals
from services.store.database.engine import Connection
from services.store.ranking.snapshots import Snapshot


@dataclass(frozen=True)
class TickContext:
    """One tick in its transaction: its `minute` in epoch seconds, its `arrivals`, the `catalogue` whose places these
    name, and the snapshot that the tick `before` it left."""

    connection: Connection
    minute: int
    period_seconds: int
    before: Snapshot
    catalogue: Catalogue
    arrivals: Arrivals

    @cached_property
    def fresh(self) -> Mask:
        """Which metrics of the catalogue have a price of this tick."""
        fresh = np.zeros(len(self.catalogue.metrics), dtype=np.bool_)
        fresh[self.arrivals.places] = True
        return fresh
