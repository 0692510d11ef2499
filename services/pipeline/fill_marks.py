"""Fill marks: give rules that look back the past that is stored: a new one need not wait for its window, and none
overlooks what a backfill has found."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from services.market import stats
from services.market.alert_rules import longest_windows
from services.market.marks import SLOT_SECONDS, Mark, carry_seconds, corrected, is_kept, precede
from services.market.states import Mask
from services.market.stats import HOUR
from services.market.types import Floats, Ints
from services.pipeline.tick import Plan
from services.store import leases, marks, prices, rules, samples, ticks
from services.store.engine import Connection, reading, writing
from services.store.marks import StoredPast
from services.store.volumes import VOLUME

log = logging.getLogger(__name__)


def fill_marks(plan: Plan, minute: datetime, owner: str | None, goes_on: Callable[[], bool]) -> int:
    """Renew the marks that a backfill has made untrue, and go back from the oldest of each quantity to where the
    longest window of the enabled rules begins: an hour a step, the newest first, while `goes_on` says so. Answers how
    many marks were written.

    While a renewal is under way, windows within what is renewed are right, and those that reach beyond lack what they
    lacked before. `owner` is checked to hold the lease in each step. Raises LeaseLost, StoreUnavailable; the steps
    before stay.
    """
    written, now = 0, int(minute.timestamp())
    with reading(plan.engine) as connection:
        longest = longest_windows(rules.stored(connection))
    for quantity in marks.FILLED:
        while quantity in longest and goes_on():
            with reading(plan.engine) as connection:
                step = _plan_step(plan, connection, quantity, now, longest[quantity])
            if step is None:
                break
            with writing(plan.engine) as connection:
                if owner is not None:
                    leases.require(connection, owner)
                if not _still_fits(connection, quantity, step):
                    continue  # a tick has removed what counts on from it, or a backfill has come between
                marks.replace(connection, quantity, step.since, step.until, step.found)
                if step.renewal is not None:
                    marks.note_renewed(connection, quantity, step.since - 1 if step.goes_further else None)
            written += len(step.found)
    if written:
        log.info("rules: %d marks computed from what is stored", written)
    return written


@dataclass(frozen=True, slots=True)
class _Step:
    """Marks to keep instead of those with `since` <= minute <= `until`, reckoned from the one of `anchor`."""

    anchor: int
    renewal: int | None
    since: int
    until: int
    found: Sequence[Mark]
    goes_further: bool


def _plan_step(plan: Plan, connection: Connection, quantity: str, now: int, window: int) -> _Step | None:
    """The next step, None where nothing is left to do."""
    period_seconds = plan.period_seconds
    past, renewal = StoredPast(connection), marks.renewal(connection, quantity)
    minutes = past.minutes(quantity)
    if not minutes:
        return None
    true_ones = [minute for minute in minutes if renewal is None or minute > renewal]
    anchor = past.last_until(quantity, true_ones[0] if true_ones else minutes[-1])
    assert anchor is not None
    # A window's average begins with the first mark in it, its change with the last one before it. What a window may
    # still look at is renewed; a new one need not reach as far, or the next tick would remove what was added.
    carry = carry_seconds(period_seconds)
    begin = now - window - (carry - SLOT_SECONDS if renewal is None else carry)
    since = max(anchor.minute - max(HOUR, period_seconds), begin - period_seconds) // period_seconds * period_seconds
    times = np.arange(since, anchor.minute + period_seconds, period_seconds, dtype=np.int64)
    kept = [place for place, second in enumerate(times[:-1].tolist()) if is_kept(second, now, period_seconds)]
    if true_ones and (anchor.minute <= begin or not kept):
        if renewal is None:
            return None
        return _Step(anchor.minute, renewal, minutes[0], anchor.minute - 1, (), goes_further=False)
    ids = np.arange(len(anchor.value), dtype=np.int64)
    if not true_ones:  # metrics may have come since
        ids = np.arange(max(len(ids), plan.catalogues.current(connection).ids.max(initial=-1) + 1), dtype=np.int64)
        anchor = anchor.of(ids)
    sampled, carried, looked = _values(connection, quantity, ids, times, period_seconds)
    found: list[Mark] = []
    chain = anchor
    if not true_ones:
        chain = corrected(anchor, sampled[-1], carried[-1])
        found.append(chain)
    for place in range(len(times) - 2, -1, -1):
        chain = precede(chain, int(times[place]), sampled[place], carried[place])
        is_empty = place == kept[0] and not found  # the next step has to go on from somewhere
        if place in kept and (looked[place] or is_empty):
            found.append(chain)
    until = anchor.minute - (1 if true_ones else 0)
    return _Step(anchor.minute, renewal, since, until, found, goes_further=minutes[0] < since)


def _still_fits(connection: Connection, quantity: str, step: _Step) -> bool:
    minutes = StoredPast(connection).minutes(quantity)
    return step.anchor in minutes and marks.renewal(connection, quantity) == step.renewal


def _values(
    connection: Connection, quantity: str, ids: Ints, times: Ints, period_seconds: int
) -> tuple[Floats, Floats, Mask]:
    """What came with each period, and what was known then, of shape (periods, metrics), NaN for nothing; and in which
    periods there was a tick or is a price, of shape (periods,)."""
    carry = carry_seconds(period_seconds)
    lead = -(-carry // period_seconds)
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
    near = (last >= 0) & ((np.arange(len(grid))[:, None] - last) * period_seconds < carry)
    carried = np.where(near, np.take_along_axis(grid, np.maximum(last, 0), axis=0), np.nan)
    looked = (at[lead:] >= 0).any(axis=1) | ticks.happened_at(connection, times)
    return grid[lead:], carried[lead:], looked
