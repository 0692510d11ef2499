"""Alerts as they are stored, read and counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from services.market.times import from_epoch
from services.market.types import Floats, HasMetricKey, Ints

AlertState = Literal["firing", "no_data", "resolved"]
"""`no_data` is an alert whose price is stale: it has not ended, and nobody knows whether it
would fire still."""


Reason = Literal["average_caught_up", "window_moved_on"]
"""Why an alert resolved although its value is still beyond what it was compared with when it fired: the average has
taken in the values since; the window of a change begins after it."""


@dataclass(frozen=True, slots=True)
class Alert(HasMetricKey):
    """One firing of a rule on a metric that stood at `price`.

    The built-in rule (`rule_id` 0) compares that with `factor` x `average` of the `samples` prices before it. The
    rules that people write tell in `condition` what was met, by the `value` of which `quantity`, what that was compared
    with (`reference`, `threshold`), and `average` and `factor` where it was these; `rule` is the rule's name then.
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
    """Since when nothing is known of an alert that has not ended."""
    resolved_at: datetime | None = None
    reason: Reason | None = None
    """Why it resolved, where that is not that the value is back."""
    acknowledged_at: datetime | None = None
    note: str | None = None
    acknowledged_by: str | None = None
    """Who did; None where the server asks nobody for a name."""

    @property
    def state(self) -> AlertState:
        if self.resolved_at is not None:
            return "resolved"
        return "firing" if self.no_data_since is None else "no_data"


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts are asked for, newest first: fired at or after `since` and before `until`; `state` is one of theirs,
    or `open` for those that have not ended; each of the `words` is part of the metric's name;
    `up_to` is the largest number, `offset` how many are passed over."""

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
    """How many alerts there are, and how many of them nobody has acknowledged."""

    total: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """What somebody should look at: alerts that have not ended, are not muted, and acknowledged by nobody. `total` are
    all of them, `newest` the first few, newest first."""

    total: int
    newest: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class ReplayedFiring:
    """When a rule would have fired on a metric, and the price then."""

    metric_id: int
    at: datetime
    price: float


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """All of them in one replay, oldest first: parallel arrays of metric numbers, epoch seconds and prices. There may
    be millions."""

    metric_ids: Ints
    times: Ints
    prices: Floats

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[ReplayedFiring]:
        return iter(self.newest(len(self)))

    def newest(self, count: int) -> list[ReplayedFiring]:
        """The last `count` of them, oldest first."""
        last = slice(max(0, len(self) - count), None)
        columns = (self.metric_ids[last].tolist(), self.times[last].tolist(), self.prices[last].tolist())
        return [
            ReplayedFiring(metric_id, from_epoch(second), price)
            for metric_id, second, price in zip(*columns, strict=True)
        ]

    def counts(self) -> list[tuple[int, int]]:
        """The metrics with how often it fired on each, the most first; of equal ones, the smaller number."""
        numbers, counts = np.unique(self.metric_ids, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return list(zip(numbers[order].tolist(), counts[order].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Mute:
    """Alerts of this rule (None: of all) on this metric (None: on all) are told to nobody, `until` then or, where that
    is None, until those that there are have resolved."""

    id: int
    rule_id: int | None
    metric_id: int | None
    until: datetime | None
    note: str | None
    created_at: datetime
