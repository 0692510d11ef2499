"""Replays to their end."""

from datetime import datetime

from services.market.alert_rules import AlertRule
from services.market.long_work import finished
from services.market.ports import AlertDesk
from services.market.types import Firings


def firings_of(desk: AlertDesk, rule: AlertRule, since: datetime, until: datetime, period_seconds: int) -> Firings:
    """What comes of a replay."""
    return finished(desk.replay(rule, since, until, period_seconds))
