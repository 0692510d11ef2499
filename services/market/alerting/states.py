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
        ("since", "<i8"),  # when it entered this state
        ("fired_at", "<i8"),  # when it last fired, 0 for never
        ("known_at", "<i8"),  # when its value was last known
    ]
)

RuleStates = npt.NDArray[np.void]
"""One row per metric, ascending by id, of dtype STATE."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of evaluating one rule on all metrics at one moment, all of shape (metrics,).

    `side` is 1 where the value is above the threshold, -1 where it is below, 0 where the condition is not met.
    `starts` is where an alert may start; a crossing starts one at one moment only. `clears_above` and `clears_below`
    are where the value is back far enough to resolve an alert. `known` is where there is a value and something to
    compare it with.
    """

    side: npt.NDArray[np.int8]
    starts: Mask
    clears_above: Mask
    clears_below: Mask
    known: Mask

    def at(self, places: Ints) -> "Evaluation":
        """The evaluation of the metrics at `places`."""
        return Evaluation(
            self.side[places],
            self.starts[places],
            self.clears_above[places],
            self.clears_below[places],
            self.known[places],
        )


@dataclass(frozen=True, slots=True)
class Transition:
    """The states after an evaluation, and which metrics' alerts fired, ended, lost their data (`silenced`), or have
    data again and go on (`returned`)."""

    states: RuleStates
    fired: Mask
    ended: Mask
    silenced: Mask
    returned: Mask


def new_states(ids: Ints) -> RuleStates:
    """States of metrics before their first evaluation."""
    states = np.zeros(len(ids), dtype=STATE)
    states["id"] = ids
    return states


def transition(
    states: RuleStates, evaluation: Evaluation, rule: AlertRule, now: int, period_seconds: int
) -> Transition:
    """The states after an evaluation at epoch second `now`.

    An alert fires when its condition has been met throughout the rule's pending time and its cooldown is over. During
    the cooldown it stays pending, and fires afterwards if the condition is still met. It ends when the value is back.

    Evaluations without a value change nothing, and neither do missed ones, until the last known value is stale: then a
    firing alert has no data. The next known value ends it or lets it go on, and restarts a pending time, because
    nobody knows what happened meanwhile. Setting a clock back shortens no cooldown: `fired_at` is that of the last
    alert on record. A rule with `repeat` also fires where its alert is firing already.
    """
    after = states.copy()
    state, side = after["state"], after["side"]
    for field in ("since", "known_at"):
        np.minimum(after[field], now, out=after[field])
    cooling = (after["fired_at"] > 0) & (now < after["fired_at"] + rule.cooldown_seconds)
    cleared = evaluation.known & np.where(side > 0, evaluation.clears_above, evaluation.clears_below)
    unknown_for, tolerated = now - after["known_at"], STALE_PERIODS * period_seconds

    back = ((state == FIRING) | (state == NO_DATA)) & cleared
    silenced = (state == FIRING) & ~evaluation.known & is_stale(after["known_at"], now, period_seconds)
    returned = (state == NO_DATA) & evaluation.known & ~back
    _enter(after, back, RESOLVED, now)
    _enter(after, silenced, NO_DATA, now)
    _enter(after, returned, FIRING, now)

    left = (state == PENDING) & evaluation.known & (evaluation.side != side)
    _enter(after, (state == PENDING) & evaluation.known & (unknown_for > tolerated) & ~left, PENDING, now)
    _enter(after, left & cooling, RESOLVED, now)
    _enter(after, left & ~cooling, OK, now)
    _enter(after, (state == RESOLVED) & ~cooling & ~back, OK, now)

    begins = evaluation.starts.copy()
    if isinstance(rule.condition, Level) and rule.condition.direction == "either":
        begins |= back  # what ends a crossing one way is a crossing the other way
    begins &= evaluation.known & (evaluation.side != 0) & ((state == OK) | (state == RESOLVED))
    _enter(after, begins, PENDING, now)
    side[begins] = evaluation.side[begins]

    met_long_enough = now - after["since"] >= rule.pending_seconds
    due = (state == PENDING) & met_long_enough
    if rule.repeat:
        due |= state == FIRING
    fired = due & evaluation.known & (evaluation.side == side) & ~cooling
    _enter(after, fired, FIRING, now)
    after["fired_at"][fired] = now
    after["known_at"][evaluation.known] = now
    return Transition(after, fired, back, silenced, returned)


def not_ok(states: RuleStates) -> Mask:
    """The states that have to be stored, because the next evaluation would not find them by itself."""
    found: Mask = states["state"] != OK
    return found


def _enter(states: RuleStates, rows: Mask, state: int, now: int) -> None:
    states["state"][rows] = state
    states["since"][rows] = now
