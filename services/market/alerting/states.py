"""The state of a rule on each of its metrics (ok, pending, firing, resolved, no data), and its transitions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market.alerting.rules import AlertRule, Level
from services.market.present import STALE_PERIODS, is_stale
from services.market.types import Ints

Mask = npt.NDArray[np.bool_]

OK, PENDING, FIRING, RESOLVED, NO_DATA = range(5)
STATE_NAMES = ("ok", "pending", "firing", "resolved", "no data")

STATE = np.dtype(
    [
        ("id", "<i8"),
        ("state", "u1"),
        ("side", "i1"),  # which way the condition was met: 1 above, -1 below
        ("since", "<i8"),  # when it came into this state
        ("fired_at", "<i8"),  # when it last fired, 0 for never
        ("known_at", "<i8"),  # when a look last told something
    ]
)

RuleStates = npt.NDArray[np.void]
"""One row a metric, ascending by id, of dtype STATE."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one look tells of each metric, all of shape (metrics,).

    `side` is 1 where the value is above the threshold, -1 below, 0 where the condition is not met; `starts` where it
    is met in a way that begins an alert (a crossing is one moment); `clears_above` and `clears_below` where the value
    is back far enough to end one; `known` where there is a value and something to compare it with.
    """

    side: npt.NDArray[np.int8]
    starts: Mask
    clears_above: Mask
    clears_below: Mask
    known: Mask

    def at(self, places: Ints) -> "Evaluation":
        """The same for some of the metrics."""
        return Evaluation(
            self.side[places],
            self.starts[places],
            self.clears_above[places],
            self.clears_below[places],
            self.known[places],
        )


@dataclass(frozen=True, slots=True)
class Transition:
    """What came of one look: the new states, and whose alert has begun (`fired`), has ended, is without data from now
    on (`silenced`), or goes on after it was without (`returned`)."""

    states: RuleStates
    fired: Mask
    ended: Mask
    silenced: Mask
    returned: Mask


def new_states(ids: Ints) -> RuleStates:
    """Rows of which nothing is known yet."""
    states = np.zeros(len(ids), dtype=STATE)
    states["id"] = ids
    return states


def transition(
    states: RuleStates, evaluation: Evaluation, rule: AlertRule, now: int, period_seconds: int
) -> Transition:
    """The states after a look at epoch second `now`.

    An alert fires when its condition has been met for the rule's pending time on end and its cooldown is over; what
    the cooldown holds up waits, and fires afterwards if the condition is still met. It ends when the value is back.
    Looks that tell nothing change nothing, nor do looks that nobody made: only when the last one that told something is
    stale is an alert without data. The next one that does ends it or has it go on, and a pending time begins anew with
    it: nobody knows what was meanwhile. A clock that was set back makes no cooldown shorter: `fired_at` is of the last
    alert on record. A rule with `repeat` also fires where an alert of it is firing already.
    """
    after = states.copy()
    state, side = after["state"], after["side"]
    for field in ("since", "known_at"):
        np.minimum(after[field], now, out=after[field])
    cooling = (after["fired_at"] > 0) & (now < after["fired_at"] + rule.cooldown_seconds)
    cleared = evaluation.known & np.where(side > 0, evaluation.clears_above, evaluation.clears_below)
    unknown_for, patience = now - after["known_at"], STALE_PERIODS * period_seconds

    back = ((state == FIRING) | (state == NO_DATA)) & cleared
    silenced = (state == FIRING) & ~evaluation.known & is_stale(after["known_at"], now, period_seconds)
    returned = (state == NO_DATA) & evaluation.known & ~back
    _enter(after, back, RESOLVED, now)
    _enter(after, silenced, NO_DATA, now)
    _enter(after, returned, FIRING, now)

    left = (state == PENDING) & evaluation.known & (evaluation.side != side)
    _enter(after, (state == PENDING) & evaluation.known & (unknown_for > patience) & ~left, PENDING, now)
    _enter(after, left & cooling, RESOLVED, now)
    _enter(after, left & ~cooling, OK, now)
    _enter(after, (state == RESOLVED) & ~cooling & ~back, OK, now)

    begins = evaluation.starts.copy()
    if isinstance(rule.condition, Level) and rule.condition.direction == "either":
        begins |= back  # what ends a crossing one way is a crossing the other way
    begins &= evaluation.known & (evaluation.side != 0) & ((state == OK) | (state == RESOLVED))
    _enter(after, begins, PENDING, now)
    side[begins] = evaluation.side[begins]

    held_long = now - after["since"] >= rule.pending_seconds
    due = (state == PENDING) & held_long
    if rule.repeat:
        due |= state == FIRING
    fired = due & evaluation.known & (evaluation.side == side) & ~cooling
    _enter(after, fired, FIRING, now)
    after["fired_at"][fired] = now
    after["known_at"][evaluation.known] = now
    return Transition(after, fired, back, silenced, returned)


def not_ok(states: RuleStates) -> Mask:
    """Which rows tell more than the next look, and the alerts on record, would find by themselves."""
    kept: Mask = states["state"] != OK
    return kept


def _enter(states: RuleStates, rows: Mask, state: int, now: int) -> None:
    states["state"][rows] = state
    states["since"][rows] = now
