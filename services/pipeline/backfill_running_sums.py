"""Fill marks: give rules that look back the past that is stored: a new one need not wait for its window, and none
overlooks what a backfill has found."""

import logging
from collections.abc import Callable, Sequence
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
from services.market.window_sums import ROLLING, WindowSums, from_statistics
from services.pipeline.past_values import Stretch, go_back
from services.pipeline.tick import Plan
from services.store.alerting import rules, running_sums, running_sums_recomputation
from services.store.alerting.running_sums import StoredSumHistory
from services.store.alerting.running_sums_recomputation import Recomputation, SumsBackfill
from services.store.database import leases
from services.store.database.engine import Connection, reading, writing
from services.store.ranking import snapshots

log = logging.getLogger(__name__)


def fill_marks(plan: Plan, minute: datetime, owner: str | None, goes_on: Callable[[], bool]) -> int:
    """Renew the marks that a backfill has made untrue, and go back from the oldest of each quantity to where the
    longest window of the enabled rules begins: an hour a step, the newest first, while `goes_on` says so. Answers how
    many marks were written.

    While that is under way, windows within what is done are right. Of those that reach beyond nothing is known where a
    metric's values are wrong, or where there are no marks yet; others lack what they lacked before. While a backfill
    goes on, what it renews is left to the next call. `owner` is checked to hold the lease in each step. Raises
    LeaseLost, StoreUnavailable; the steps before stay.
    """
    with reading(plan.engine) as connection:
        longest = longest_windows(rules.stored(connection))
    now = to_epoch(minute)
    written = sum(_fill(plan, quantity, window, now, owner, goes_on) for quantity, window in longest.items())
    if written:
        log.info("rules: %d marks computed from what is stored", written)
    return written


def _fill(plan: Plan, quantity: str, window: int, now: int, owner: str | None, goes_on: Callable[[], bool]) -> int:
    """Step by step of one quantity; answers how many marks were written."""
    written = 0
    with reading(plan.engine) as connection:
        begun = running_sums_recomputation.pending(connection, quantity)
    while goes_on():
        with reading(plan.engine) as connection:
            step = _plan_step(plan, connection, quantity, now, window)
        if step is None or _is_more(step.renewal, begun):
            break
        with writing(plan.engine) as connection:
            if owner is not None:
                leases.require(connection, owner)
            if _is_more(running_sums_recomputation.pending(connection, quantity), step.renewal):
                break
            if step.anchor not in StoredSumHistory(connection).minutes(quantity):
                continue  # a tick has removed what counts on from it
            if step.replaced is not None:
                running_sums.replace(connection, quantity, *step.replaced, step.found)
            if step.renewal is not None:
                running_sums_recomputation.record_progress(connection, quantity, step.renewal, step.renewed_until)
            running_sums_recomputation.save_backfill_state(connection, quantity, step.fill)
        written += len(step.found)
    return written


def _is_more(found: Recomputation | None, before: Recomputation | None) -> bool:
    """Whether there is more to renew since."""
    return found is not None and (before is None or found.number != before.number)


@dataclass(frozen=True, slots=True)
class _Step:
    """Marks to keep instead of those in the span `replaced` (first and last second; None for none), reckoned from the
    one of `anchor`. After it, `renewed_until` tells up to where there are more to renew, and `fill` how far back all
    has come; None where that is the end."""

    anchor: int
    renewal: Recomputation | None
    renewed_until: int | None
    fill: SumsBackfill | None
    replaced: tuple[int, int] | None = None
    found: Sequence[RunningSums] = ()


def _plan_step(plan: Plan, connection: Connection, quantity: str, now: int, window: int) -> _Step | None:
    """The next step, None where nothing is left to do, or nothing can be done before the next tick."""
    period_seconds = plan.period_seconds
    past, renewal = StoredSumHistory(connection), running_sums_recomputation.pending(connection, quantity)
    minutes = past.minutes(quantity)
    if not minutes:
        return None
    true_ones = [minute for minute in minutes if renewal is None or minute > renewal.until]
    anchor = past.last_until(quantity, true_ones[0] if true_ones else minutes[-1])
    assert anchor is not None
    # A window's average begins with the first mark in it, its change with the last one before it. What a window may
    # still look at is renewed; a new one need not reach as far, or the next tick would remove what was added.
    carry = carry_seconds(period_seconds)
    begin = now - window - (carry - SLOT_SECONDS if renewal is None else carry)
    since = max(anchor.minute - max(HOUR, period_seconds), begin - period_seconds) // period_seconds * period_seconds
    times = np.arange(since, anchor.minute + period_seconds, period_seconds, dtype=np.int64)
    kept = [place for place, second in enumerate(times[:-1].tolist()) if outlasts_thinning(second, now, period_seconds)]
    if true_ones and (anchor.minute <= begin or not kept):
        if renewal is None and not running_sums_recomputation.is_backfilling(connection, quantity):
            return None
        older = None if renewal is None else (minutes[0], anchor.minute - 1)
        return _Step(anchor.minute, renewal, None, None, older)
    if not true_ones:  # metrics may have come since
        count = max(len(anchor.value), plan.catalogues.current(connection).ids.max(initial=-1) + 1)
        anchor = anchor.of(np.arange(count, dtype=np.int64))
    nearest = None
    if quantity in ROLLING:
        nearest = _sums_near(plan, connection, quantity, len(anchor.value), anchor.minute)
        if nearest is None:
            return None
        at, sums = nearest
        if at > anchor.minute:
            to = max(anchor.minute, at - max(HOUR, period_seconds))
            go_back(connection, sums, at, to, plan.windows.main)
            return _Step(anchor.minute, renewal, None if renewal is None else renewal.until, SumsBackfill(to, sums))
    stretch = Stretch(connection, len(anchor.value), times, period_seconds)
    stay = [place for place in kept if stretch.looked[place]]
    if true_ones and not stay:
        stay = kept[:1]  # the next step has to go on from somewhere
    oldest = stay[0] if stay else len(times) - 1
    if nearest is not None:
        values, sums_then = stretch.statistics(quantity, nearest[1], anchor.minute, plan.windows.main, oldest)
    else:
        values, sums_then = stretch.prices() if quantity == "price" else stretch.volumes(), None
    found: list[RunningSums] = []
    chain = anchor
    if not true_ones:
        chain = with_values(anchor, values.sampled[-1], values.carried[-1])
        found.append(chain)
    for place in range(len(times) - 2, -1, -1):
        chain = previous_sums(chain, int(times[place]), values.sampled[place], values.carried[place])
        if place in stay:
            found.append(chain)
    return _Step(
        anchor.minute,
        renewal,
        renewed_until=since - 1 if renewal is not None and minutes[0] < since else None,
        fill=SumsBackfill(found[-1].minute, sums_then),
        replaced=(since, anchor.minute - (1 if true_ones else 0)),
        found=found,
    )


def _sums_near(
    plan: Plan, connection: Connection, quantity: str, count: int, minute: int
) -> tuple[int, WindowSums] | None:
    """The sums of the standard deviation's window of metrics 0 to `count` - 1, and of when they are, which is `minute`
    or later: of where the last step came to, or of the last tick. None before a tick with the present window."""
    fill = running_sums_recomputation.backfill_state(connection, quantity)
    if fill is not None and fill.minute >= minute and fill.sums is not None and len(fill.sums.weight) == count:
        return fill.minute, fill.sums
    snapshot = snapshots.load(connection)
    is_present = snapshot.complete and snapshot.windows.main == plan.windows.main
    if snapshot.minute is None or snapshot.minute < minute or not is_present:
        return None
    return snapshot.minute, from_statistics(snapshot.statistics, count)
