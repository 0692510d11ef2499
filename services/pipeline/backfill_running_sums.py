"""Backfill running sums: compute the sums that rules look back on from stored samples, so that a new rule need not wait
for its window, and every rule takes account of backfilled prices."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from services.market.alerting.rules import longest_windows
from services.market.alerting.running_sums import (
    SLOT_SECONDS,
    RunningSums,
    carry_seconds,
    outlasts_thinning,
    previous_sums,
    with_values,
)
from services.market.times import HOUR, to_epoch
from services.market.types import Ints
from services.market.window_sums import ROLLING, WindowSums, from_statistics
from services.pipeline.stored_values import PeriodValues, StoredValues, move_sums_back
from services.pipeline.tick import Plan
from services.store.alerting import rules, running_sums, running_sums_recomputation
from services.store.alerting.running_sums import StoredSumHistory
from services.store.alerting.running_sums_recomputation import Recomputation, SumsBackfill
from services.store.database import leases
from services.store.database.engine import Connection, reading, writing
from services.store.ranking import snapshots

log = logging.getLogger(__name__)


def backfill_running_sums(plan: Plan, minute: datetime, owner: str | None, goes_on: Callable[[], bool]) -> int:
    """Recompute the sums that a backfill has made incorrect, and compute those before the oldest of each quantity, back
    to the beginning of the longest window of the enabled rules. Each step is an hour, the newest first, while `goes_on`
    returns True. Returns how many sums were written.

    Meanwhile, windows within the finished part are correct. A window that reaches further back has no value for metrics
    whose values are incorrect, and none where there are no sums yet; otherwise it lacks the backfilled values. What a
    running backfill adds is left to the next call. `owner` must hold the lease in each step. Raises LeaseLost,
    StoreUnavailable; the steps before stay.
    """
    with reading(plan.engine) as connection:
        longest = longest_windows(rules.stored(connection))
    now = to_epoch(minute)
    written = sum(_backfill(plan, quantity, window, now, owner, goes_on) for quantity, window in longest.items())
    if written:
        log.info("rules: %d running sums computed from stored samples", written)
    return written


def _backfill(plan: Plan, quantity: str, window: int, now: int, owner: str | None, goes_on: Callable[[], bool]) -> int:
    """Carry out the steps of one quantity; returns how many sums were written."""
    written = 0
    with reading(plan.engine) as connection:
        first = running_sums_recomputation.pending(connection, quantity)
    while goes_on():
        with reading(plan.engine) as connection:
            step = _plan_step(plan, connection, quantity, now, window)
        if step is None or _has_grown(step.recomputation, first):
            break
        with writing(plan.engine) as connection:
            if owner is not None:
                leases.require(connection, owner)
            if _has_grown(running_sums_recomputation.pending(connection, quantity), step.recomputation):
                break
            if step.anchor not in StoredSumHistory(connection).minutes(quantity):
                continue  # a tick has removed the sums that this step starts from
            if step.replaced is not None:
                running_sums.replace(connection, quantity, *step.replaced, step.found)
            if step.recomputation is not None:
                running_sums_recomputation.record_progress(
                    connection, quantity, step.recomputation, step.recomputed_until
                )
            running_sums_recomputation.save_backfill_state(connection, quantity, step.state)
        written += len(step.found)
    return written


def _has_grown(found: Recomputation | None, before: Recomputation | None) -> bool:
    """Whether a backfill has requested more since."""
    return found is not None and (before is None or found.number != before.number)


@dataclass(frozen=True, slots=True)
class _Step:
    """The sums `found`, computed from those of `anchor`, which replace all in the span `replaced` (first and last
    second; None for none). After the step, sums up to `recomputed_until` still have to be recomputed (None: none), and
    `state` is how far back the computation has come (None: it has ended)."""

    anchor: int
    recomputation: Recomputation | None
    recomputed_until: int | None
    state: SumsBackfill | None
    replaced: tuple[int, int] | None = None
    found: Sequence[RunningSums] = ()


def _plan_step(plan: Plan, connection: Connection, quantity: str, now: int, window: int) -> _Step | None:
    """The next step; None where nothing is left to do, or nothing can be done before the next tick."""
    period_seconds = plan.period_seconds
    history = StoredSumHistory(connection)
    recomputation = running_sums_recomputation.pending(connection, quantity)
    minutes = history.minutes(quantity)
    if not minutes:
        return None
    correct = [minute for minute in minutes if recomputation is None or minute > recomputation.until]
    anchor = history.last_until(quantity, correct[0] if correct else minutes[-1])
    assert anchor is not None
    # A window's average begins with the first sums in it, its change with the last ones before it. All that a window
    # may still use is recomputed; new sums need not reach as far back, or the next tick would remove them.
    carry = carry_seconds(period_seconds)
    begin = now - window - (carry - SLOT_SECONDS if recomputation is None else carry)
    since = max(anchor.minute - max(HOUR, period_seconds), begin - period_seconds) // period_seconds * period_seconds
    times = np.arange(since, anchor.minute + period_seconds, period_seconds, dtype=np.int64)
    lasting = [at for at, second in enumerate(times[:-1].tolist()) if outlasts_thinning(second, now, period_seconds)]
    if correct and (anchor.minute <= begin or not lasting):
        if recomputation is None and not running_sums_recomputation.is_backfilling(connection, quantity):
            return None
        older = None if recomputation is None else (minutes[0], anchor.minute - 1)
        return _Step(anchor.minute, recomputation, None, None, older)
    if not correct:  # metrics may have been added since
        count = max(len(anchor.value), plan.catalogues.current(connection).ids.max(initial=-1) + 1)
        anchor = anchor.of(np.arange(count, dtype=np.int64))
    nearest = None
    if quantity in ROLLING:
        nearest = _nearest_window_sums(plan, connection, quantity, len(anchor.value), anchor.minute)
        if nearest is None:
            return None
        at, sums = nearest
        if at > anchor.minute:
            to = max(anchor.minute, at - max(HOUR, period_seconds))
            move_sums_back(connection, sums, at, to, plan.windows.main)
            until = None if recomputation is None else recomputation.until
            return _Step(anchor.minute, recomputation, until, SumsBackfill(to, sums))
    stored = StoredValues(connection, len(anchor.value), times, period_seconds)
    wanted = [place for place in lasting if stored.evaluated[place]]
    if correct and not wanted:
        wanted = lasting[:1]  # the next step has to start from somewhere
    oldest = wanted[0] if wanted else len(times) - 1
    if nearest is not None:
        values, oldest_sums = stored.statistics(quantity, nearest[1], anchor.minute, plan.windows.main, oldest)
    else:
        values, oldest_sums = stored.prices() if quantity == "price" else stored.volumes(), None
    found = _sums_before(anchor, times, values, wanted, corrects_anchor=not correct)
    return _Step(
        anchor.minute,
        recomputation,
        recomputed_until=since - 1 if recomputation is not None and minutes[0] < since else None,
        state=SumsBackfill(found[-1].minute, oldest_sums),
        replaced=(since, anchor.minute - (1 if correct else 0)),
        found=found,
    )


def _sums_before(
    anchor: RunningSums, times: Ints, values: PeriodValues, wanted: Collection[int], *, corrects_anchor: bool
) -> list[RunningSums]:
    """The sums at the `wanted` places of `times`, the newest first, computed back from `anchor`, the sums at the last
    place. With `corrects_anchor`, the anchor's own come first, with the values that they should have had."""
    sums, found = anchor, []
    if corrects_anchor:
        sums = with_values(anchor, values.sampled[-1], values.carried[-1])
        found.append(sums)
    for place in range(len(times) - 2, -1, -1):
        sums = previous_sums(sums, int(times[place]), values.sampled[place], values.carried[place])
        if place in wanted:
            found.append(sums)
    return found


def _nearest_window_sums(
    plan: Plan, connection: Connection, quantity: str, count: int, minute: int
) -> tuple[int, WindowSums] | None:
    """The sums of the standard deviation's window of metrics 0 to `count` - 1 at `minute` or later, with their minute:
    those where the last step ended, or else those of the last tick. None where no tick had the present window."""
    state = running_sums_recomputation.backfill_state(connection, quantity)
    if state is not None and state.minute >= minute and state.sums is not None and len(state.sums.weight) == count:
        return state.minute, state.sums
    snapshot = snapshots.load(connection)
    is_present = snapshot.complete and snapshot.windows.main == plan.windows.main
    if snapshot.minute is None or snapshot.minute < minute or not is_present:
        return None
    return snapshot.minute, from_statistics(snapshot.statistics, count)
