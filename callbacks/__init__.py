"""The callbacks between browser and pages. Each module registers those of one page."""

from dash import Dash

from callbacks import (
    alert_history,
    alerting,
    compare,
    deliveries,
    metric,
    pages,
    ranking,
    rule_form,
    rule_replay,
    rules,
    shell,
    status,
)
from services.market.dependencies import Dependencies


def register(app: Dash, dependencies: Dependencies) -> None:
    """Register every callback of `app`. They read, write and get the time through `dependencies`."""
    reader, clock = dependencies.reader, dependencies.clock
    shell.register(app)
    pages.register(app, dependencies)
    ranking.register(app)
    metric.register(app, reader, dependencies.alert_service, clock)
    compare.register(app, reader, clock)
    alerting.register(app, dependencies)
    alert_history.register(app, dependencies)
    deliveries.register(app, dependencies.deliveries, clock)
    rules.register(app, dependencies)
    rule_form.register(app, dependencies)
    rule_replay.register(app, dependencies)
    status.register(app, reader, clock)
