"""Stored history as a recording for a rule to be tried on."""

import numpy as np

from services.market import stats
from services.market.alert_rules import AlertRule, BadRule
from services.market.replaying import Recording, reach
from services.market.types import Catalogue, Floats, Ints
from services.store import prices, samples
from services.store.engine import Connection
from services.store.volumes import VOLUME

MOST_VALUES = 5_000_000
"""Periods x metrics of one replay: some seconds."""

BATCH = 500


def record(
    connection: Connection,
    rule: AlertRule,
    catalogue: Catalogue,
    since: int,
    until: int,
    period_seconds: int,
    window_seconds: int,
) -> Recording:
    """The values of the metrics in the rule's scope with `since` < time <= `until`, and before as far as its window
    reaches, and that of the standard deviation where it is asked for. Raises BadRule where that is more than
    MOST_VALUES."""
    named = [
        metric.id
        for metric in catalogue.metrics
        if any(pattern.market in ("*", metric.market) and pattern.matches(metric.pair) for pattern in rule.scope)
    ]
    ids = np.array(named, dtype=np.int64)
    start = (since - reach(rule, window_seconds)) // period_seconds * period_seconds
    times = np.arange(start + period_seconds, until + 1, period_seconds, dtype=np.int64)
    if len(times) * len(ids) > MOST_VALUES:
        raise BadRule(
            f"scope: {len(ids):,} metrics x {len(times):,} periods are more than {MOST_VALUES:,} values, the most that"
            " are gone through at once; take fewer metrics or a shorter time"
        )
    found = Recording(times, ids, *(np.full((len(times), len(ids)), np.nan) for _ in range(3)))
    kept = stats.empty(ids)
    for first in range(0, len(ids), BATCH):
        rows = np.arange(first, min(first + BATCH, len(ids)), dtype=np.int64)
        for run in prices.history(connection, kept, rows, start, until):
            _place(found.prices, run.rows, run.times, run.prices, start, period_seconds)
            _place(found.widths, run.rows, run.times, run.widths, start, period_seconds)
        if rule.quantity == "volume":
            told = samples.run(connection, VOLUME, int(ids[rows[0]]), int(ids[rows[-1]]), start, until)
            places, known = stats.rows_of(kept, told.metric_ids)
            _place(found.volumes, places[known], told.times[known], told.values[known], start, period_seconds)
    return found


def _place(into: Floats, columns: Ints, times: Ints, values: Floats | Ints, start: int, period_seconds: int) -> None:
    into[-(-(times - start) // period_seconds) - 1, columns] = values
