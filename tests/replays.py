"""Replays to their end."""

from datetime import datetime

from services.concurrency.long_work import finished
from services.market.alerting.alerts import Firings
from services.market.alerting.rules import AlertRule
from services.market.ports import AlertDesk


def firings_of(desk: AlertDesk, rule: AlertRule, since: datetime, until: datetime, period_seconds: int) -> Firings:
    """What comes of a replay."""
    return finished(desk.replay(rule, since, until, period_seconds))
