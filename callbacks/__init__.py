"""The wiring between browser and pages. Each module adds one page's callbacks to the app it is given."""

from dash import Dash

from callbacks import alerts, compare, metric, pages, ranking, shell, status
from services.market.ports import Clock, MarketReader


def register(app: Dash, reader: MarketReader, clock: Clock) -> None:
    """Add every callback to `app`; they read through `reader` and tell the time by `clock`."""
    shell.register(app)
    pages.register(app, reader, clock)
    ranking.register(app)
    metric.register(app, reader, clock)
    compare.register(app, reader, clock)
    alerts.register(app, reader)
    status.register(app, reader, clock)
