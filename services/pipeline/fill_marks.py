"""Fill marks: give rules that look back the past that is stored, so that a new one need not wait for its window."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from services.market import stats
from services.market.alert_rules import longest_windows
from services.market.marks import Mark, precede
from services.market.stats import HOUR, LOOKBACK
from services.market.types import Floats, Ints
from services.pipeline.tick import Plan
from services.store import leases, marks, prices, rules, samples
from services.store.engine import Connection, reading, writing
from services.store.marks import StoredPast
from services.store.volumes import VOLUME

FILLED = ("price", "volume")
"""The quantities of which history is stored."""

log = logging.getLogger(__name__)


def fill_marks(plan: Plan, minute: datetime, owner: str | None, goes_on: Callable[[], bool]) -> int:
    """Go back from the oldest mark of each quantity to where the longest window of the enabled rules begins, an hour a
    step while `goes_on` says so; answers how many marks were added.

    `owner` is checked to hold the lease in each step. Raises LeaseLost, StoreUnavailable; the steps before stay.
    """
    added, now = 0, int(minute.timestamp())
    with reading(plan.engine) as connection:
        longest = longest_windows(rules.stored(connection))
    for quantity in FILLED:
        # A window's average begins with the first mark in it, its change with the last one before it.
        begin = now - longest.get(quantity, 0) - marks.SLOT_SECONDS
        while quantity in longest and goes_on():
            with reading(plan.engine) as connection:
                past = StoredPast(connection)
                if not any(oldest > begin for oldest in past.minutes(quantity)[:1]):
                    break
                oldest = past.first_from(quantity, 0)
                assert oldest is not None
                found = _before(connection, quantity, oldest, begin, now, plan.period_seconds)
            if not found:
                break
            with writing(plan.engine) as connection:
                if owner is not None:
                    leases.require(connection, owner)
                if StoredPast(connection).minutes(quantity)[:1] != [oldest.minute]:
                    continue  # a tick has removed it meanwhile, and what counts on from it with it
                for mark in found:
                    marks.record(connection, quantity, mark)
            added += len(found)
    if added:
        log.info("rules: %d marks added of what is stored", added)
    return added


def _before(
    connection: Connection, quantity: str, oldest: Mark, begin: int, now: int, period_seconds: int
) -> Sequence[Mark]:
    """The marks of up to an hour before the `oldest` there is."""
    since = max(oldest.minute - max(HOUR, period_seconds), begin - period_seconds)
    first = since // period_seconds * period_seconds
    times = np.arange(first, oldest.minute, period_seconds, dtype=np.int64)
    ids = np.arange(len(oldest.value), dtype=np.int64)
    sampled, carried = _values(connection, quantity, ids, times, period_seconds)
    found, later = [], oldest
    for place in range(len(times) - 1, -1, -1):
        later = precede(later, int(times[place]), sampled[place], carried[place])
        if marks.is_kept(later.minute, now, period_seconds):
            found.append(later)
    return found


def _values(
    connection: Connection, quantity: str, ids: Ints, times: Ints, period_seconds: int
) -> tuple[Floats, Floats]:
    """What came with each period, and what was known then, of shape (periods, metrics), NaN for nothing."""
    lead = -(-LOOKBACK // period_seconds)
    start = int(times[0]) - (lead + 1) * period_seconds
    kept = stats.empty(ids)
    grid = np.full((lead + len(times), len(ids)), np.nan)
    found = prices.within(connection, kept, start, int(times[-1]))
    places = -(-(found.times - start) // period_seconds) - 1
    at = np.full(grid.shape, -1, dtype=np.int64)
    grid[places, found.rows] = found.prices
    at[places, found.rows] = places
    if quantity == "volume":
        told = samples.between(connection, VOLUME, start, int(times[-1]))
        rows, known = stats.rows_of(kept, told.metric_ids)
        volumes = np.full(grid.shape, np.nan)
        volumes[-(-(told.times[known] - start) // period_seconds) - 1, rows[known]] = told.values[known]
        grid = np.where(at >= 0, volumes, np.nan)
    last = np.maximum.accumulate(at, axis=0)
    near = (last >= 0) & ((np.arange(len(grid))[:, None] - last) * period_seconds < LOOKBACK)
    carried = np.where(near, np.take_along_axis(grid, np.maximum(last, 0), axis=0), np.nan)
    return grid[lead:], carried[lead:]
