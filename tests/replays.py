"""Runs replays to their end."""

from datetime import datetime

from services.concurrency.long_work import finished
from services.market.alerting.alerts import ReplayResult
from services.market.alerting.rules import AlertRule
from services.market.ports import AlertService


def firings_of(
    alert_service: AlertService, rule: AlertRule, since: datetime, until: datetime, period_seconds: int
) -> ReplayResult:
    """The result of a replay."""
    return finished(alert_service.replay(rule, since, until, period_seconds))
