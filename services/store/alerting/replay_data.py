"""Stored history as the recording that a rule is replayed on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.market.alerting.replay import Recording, reach
from services.market.alerting.rules import AlertRule, BadRule
from services.market.stats import metric_stats
from services.market.stats.samples import NO_SAMPLES, Samples, joined
from services.market.types import Catalogue, Floats, Ints
from services.market.window_sums import ROLLING
from services.store.database.engine import Connection
from services.store.history import prices, samples
from services.store.history.volumes import VOLUME
from services.store.ranking import ticks

MAX_VALUES = 15_000_000
"""Periods x metrics of one replay, such as 10,000 metrics over a day and an hour: 6 seconds of a processor's time for
prices in rows, 4 for sealed ones, and twice that for a rule on volumes."""

BATCH = 500


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """The samples that a replay reads: of the metrics `ids` (ascending), after epoch second `start` (the end of a
    period) up to `until`."""

    rule: AlertRule
    ids: Ints
    start: int
    until: int
    period_seconds: int

    @property
    def times(self) -> Ints:
        """The periods, epoch seconds."""
        return np.arange(self.start + self.period_seconds, self.until + 1, self.period_seconds, dtype=np.int64)

    @property
    def values(self) -> int:
        """The largest possible number of values."""
        return len(self.times) * len(self.ids)


def plan_replay(
    rule: AlertRule, catalogue: Catalogue, since: int, until: int, period_seconds: int, window_seconds: int
) -> ReplayPlan:
    """Plan a replay of `rule` over (`since`, `until`]: of the metrics in its scope, and before `since` as far as its
    window and that of the standard deviation (where the rule needs it) reach. Raises BadRule for more than MAX_VALUES.
    """
    named = [
        metric.id
        for metric in catalogue.metrics
        if any(pattern.market in ("*", metric.market) and pattern.matches(metric.pair) for pattern in rule.scope)
    ]
    ids = np.array(named, dtype=np.int64)
    start = (since - reach(rule, period_seconds, window_seconds)) // period_seconds * period_seconds
    found = ReplayPlan(rule, ids, start, until, period_seconds)
    if found.values > MAX_VALUES:
        size = f"{len(ids):,} metrics x {len(found.times):,} periods"
        raise BadRule(
            f"scope: {size} are more than {MAX_VALUES:,} values, the limit of one replay; take fewer"
            " metrics or a shorter time"
        )
    return found


def load_recording(
    connection: Connection, plan: ReplayPlan, report: Callable[[float], None] = lambda _: None
) -> Recording:
    """Read the samples of `plan`. `report` is called before each batch with the share that is read."""
    rule, ids, times = plan.rule, plan.ids, plan.times
    start, until, period = plan.start, plan.until, plan.period_seconds
    shape, unread = (len(times), len(ids)), np.broadcast_to(np.nan, (len(times), len(ids)))
    found = Recording(
        times,
        ticks.happened_at(connection, times),
        ids,
        prices=np.full(shape, np.nan),
        widths=np.full(shape, np.nan) if rule.quantity in ROLLING else unread,
        volumes=np.full(shape, np.nan) if rule.quantity == "volume" else unread,
    )
    statistics, further = metric_stats.empty(ids), NO_SAMPLES
    for first in range(0, len(ids), BATCH):
        report(first / len(ids))
        rows = np.arange(first, min(first + BATCH, len(ids)), dtype=np.int64)
        for run in prices.read_history(connection, statistics, rows, start, until):
            _place(found.prices, run.rows, run.times, run.prices, start, period)
            if rule.quantity in ROLLING:
                _place(found.widths, run.rows, run.times, run.widths, start, period)
                further = joined(further, run.where(_has_later(run, start, period)))
        if rule.quantity == "volume":
            reported = samples.read_range(connection, VOLUME, int(ids[rows[0]]), int(ids[rows[-1]]), start, until)
            places, known = metric_stats.rows_of(statistics, reported.metric_ids)
            _place(found.volumes, places[known], reported.times[known], reported.values[known], start, period)
    return replace(found, further=further.in_order())


def _place(into: Floats, columns: Ints, times: Ints, values: Floats | Ints, start: int, period_seconds: int) -> None:
    into[-(-(times - start) // period_seconds) - 1, columns] = values


def _has_later(run: Samples, start: int, period_seconds: int) -> npt.NDArray[np.bool_]:
    """Which samples have another one after them in the same period and of the same metric."""
    found = np.zeros(len(run.times), dtype=np.bool_)
    if not ((run.times - start) % period_seconds).any():
        return found  # at most one per period
    places = -(-(run.times - start) // period_seconds) - 1
    order = np.lexsort((run.times, places, run.rows))
    rows, ordered = run.rows[order], places[order]
    found[order[:-1]] = (rows[1:] == rows[:-1]) & (ordered[1:] == ordered[:-1])
    return found
