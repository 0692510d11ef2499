"""Store: write the prices and volumes that arrived, keyed (period, metric)."""

from services.pipeline.tick_context import TickContext
from services.store.history import prices, volumes


def store(context: TickContext) -> None:
    """Write the arrivals."""
    arrivals = context.arrivals
    ids = context.catalogue.ids[arrivals.places]
    prices.store(context.connection, context.minute, ids, arrivals.prices, context.period_seconds)
    volumes.store(context.connection, context.minute, ids, arrivals.volumes)
