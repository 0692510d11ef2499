"""Alerts as they are stored, read and counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from services.market.times import from_epoch
from services.market.types import Floats, HasMetricKey, Ints

AlertState = Literal["firing", "no_data", "resolved"]
"""`no_data` is an open alert whose price is stale: nobody knows if its condition still holds."""

Reason = Literal["average_caught_up", "window_moved_on"]
"""Why an alert resolved although its value is still beyond the threshold at which it fired: the average includes the
values since then; the window of a change starts later."""


@dataclass(frozen=True, slots=True)
class Alert(HasMetricKey):
    """One firing of a rule on a metric, at `price`.

    The built-in rule (`rule_id` 0) compares the price with `factor` x `average` of the `samples` prices before it.
    For other rules, `rule` is the rule's name at that time and `condition` its condition as text; the `value` of
    `quantity` was compared with `reference` and `threshold`, or with `factor` x `average`.
    """

    id: int
    metric_id: int
    market: str
    base: str
    quote: str
    price: float
    average: float | None
    factor: float | None
    samples: int
    fired_at: datetime
    rule_id: int = 0
    rule: str | None = None
    condition: str | None = None
    quantity: str = "price"
    value: float | None = None
    reference: float | None = None
    threshold: float | None = None
    muted: bool = False
    no_data_since: datetime | None = None
    """Start of the time without data, for an open alert."""
    resolved_at: datetime | None = None
    reason: Reason | None = None
    """Why it resolved, if its value is not back."""
    acknowledged_at: datetime | None = None
    note: str | None = None
    acknowledged_by: str | None = None
    """Name of the user who acknowledged it; None on a server without user names."""

    @property
    def state(self) -> AlertState:
        if self.resolved_at is not None:
            return "resolved"
        return "firing" if self.no_data_since is None else "no_data"


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """A selection of alerts, newest first.

    Fired at or after `since` and before `until`; `state` is an AlertState, or `open` for alerts that have not ended;
    the metric's name contains each word of `search`; `up_to` is the largest id, `offset` the number to skip.
    """

    since: datetime | None = None
    until: datetime | None = None
    metric_id: int | None = None
    rule_id: int | None = None
    state: str | None = None
    unacknowledged: bool = False
    muted: bool | None = None
    search: str = ""
    up_to: int | None = None
    limit: int = 1_000
    offset: int = 0


NEWEST_ALERTS = AlertQuery()


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """The number of alerts, and of the unacknowledged ones among them."""

    total: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """Alerts that need attention: open, not muted and unacknowledged. `newest` are the first few of `total`, newest
    first."""

    total: int
    newest: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class ReplayedFiring:
    """One time that a replayed rule would have fired on a metric, and the price then."""

    metric_id: int
    at: datetime
    price: float


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """All firings of one replay, oldest first: parallel arrays of metric ids, epoch seconds and prices. There may be
    millions."""

    metric_ids: Ints
    times: Ints
    prices: Floats

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[ReplayedFiring]:
        return iter(self.newest(len(self)))

    def newest(self, count: int) -> list[ReplayedFiring]:
        """The last `count` firings, oldest first."""
        last = slice(max(0, len(self) - count), None)
        columns = (self.metric_ids[last].tolist(), self.times[last].tolist(), self.prices[last].tolist())
        return [
            ReplayedFiring(metric_id, from_epoch(second), price)
            for metric_id, second, price in zip(*columns, strict=True)
        ]

    def counts(self) -> list[tuple[int, int]]:
        """Metric ids with their numbers of firings, most first, ties by smaller id."""
        numbers, counts = np.unique(self.metric_ids, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return list(zip(numbers[order].tolist(), counts[order].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Mute:
    """Alerts of this rule (None: of all rules) on this metric (None: on all metrics) notify nobody.

    It lasts `until` then or, if that is None, until the alerts that are open now have resolved.
    """

    id: int
    rule_id: int | None
    metric_id: int | None
    until: datetime | None
    note: str | None
    created_at: datetime
