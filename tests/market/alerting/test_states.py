"""The state machine of rules: by example, and over random prices, gaps, restarts and clocks."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import AlertRule
from services.market.alerting.states import (
    FIRING,
    NO_DATA,
    OK,
    PENDING,
    RESOLVED,
    Evaluation,
    new_states,
    not_ok,
    transition,
)

PERIOD = 60
START = 1_000_000
LEVEL = 100.0


def rule(pending: int = 0, cooldown: int = 600, hysteresis: float = 0.0, direction: str = "up") -> AlertRule:
    return parse_rule(
        {
            "name": "test",
            "scope": ["kraken:*"],
            "condition": {"kind": "level", "direction": direction, "level": LEVEL},
            "pending_seconds": pending,
            "cooldown_seconds": cooldown,
            "hysteresis_percent": hysteresis,
        }
    )


@dataclass
class SingleMetric:
    """One rule on one metric, evaluated repeatedly; None is an evaluation without a price.

    The condition is met while the price is beyond the level, without regard to earlier prices.
    """

    rule: AlertRule
    now: int = START
    states: np.ndarray = field(default_factory=lambda: new_states(np.array([7])))
    fired: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    without: int = 0
    known_at: int = START

    @property
    def state(self) -> int:
        return int(self.states["state"][0])

    def evaluate(self, *prices: float | None, seconds: int = PERIOD) -> "SingleMetric":
        for price in prices:
            self.now += seconds
            self.known_at = min(self.known_at, self.now)
            self.without = self.now - self.known_at
            now = transition(self.states, self.evaluation(price), self.rule, self.now, PERIOD)
            self.states = now.states
            self.fired += [self.now] * int(now.fired[0])
            self.ended += [self.now] * int(now.ended[0])
            self.known_at = self.now if price is not None else self.known_at
        return self

    def evaluation(self, price: float | None) -> Evaluation:
        value = np.array([np.nan if price is None else price])
        slack = self.rule.hysteresis_percent / 100 * LEVEL
        down = self.rule.condition.direction == "either"
        side = (value > LEVEL).astype(np.int8) - ((value < LEVEL) & down).astype(np.int8)
        known = ~np.isnan(value)
        return Evaluation(side, (side != 0) & known, value <= LEVEL - slack, value >= LEVEL + slack, known)

    def restart(self) -> "SingleMetric":
        """Continue as a new process does, with the stored states and alerts."""
        if not not_ok(self.states)[0]:
            self.states = new_states(self.states["id"])
        self.states["fired_at"] = max(self.fired, default=0)
        return self


def test_an_alert_fires_once_and_ends_when_the_price_is_back():
    one = SingleMetric(rule()).evaluate(90, 110, 120, 110)
    assert (one.state, one.fired) == (FIRING, [START + 120])
    one.evaluate(90)
    assert (one.state, one.ended) == (RESOLVED, [START + 300])
    assert len(one.fired) == 1


def test_a_resolved_metric_is_ok_after_its_cooldown():
    one = SingleMetric(rule(cooldown=300)).evaluate(110, 90, 90, 90)
    assert one.state == RESOLVED
    assert one.evaluate(90, 90, 90).state == OK


def test_it_fires_when_the_condition_was_met_for_the_whole_pending_time():
    one = SingleMetric(rule(pending=180)).evaluate(110, 110, 110)
    assert (one.state, one.fired) == (PENDING, [])
    assert one.evaluate(90).state == OK
    one.evaluate(110, 110, 110, 110)
    assert (one.state, one.fired) == (FIRING, [one.now])


def test_an_alert_delayed_by_the_cooldown_fires_after_it_if_the_condition_still_holds():
    one = SingleMetric(rule(cooldown=600)).evaluate(110, 90, 110)
    assert (one.state, len(one.fired)) == (PENDING, 1)
    one.evaluate(*[110] * 20)
    assert one.fired == [START + 60, START + 660]


def test_a_condition_that_ends_during_the_cooldown_does_not_fire():
    assert len(SingleMetric(rule(cooldown=600)).evaluate(110, 90, 110, *[90] * 20).fired) == 1


def test_a_price_within_the_hysteresis_keeps_it_firing():
    one = SingleMetric(rule(hysteresis=5)).evaluate(110, 99, 96)
    assert (one.state, one.ended) == (FIRING, [])
    assert one.evaluate(95).state == RESOLVED


def test_missing_prices_end_no_alert_until_it_is_without_data():
    one = SingleMetric(rule(cooldown=0)).evaluate(110, None, None)
    assert one.state == FIRING
    one.evaluate(None)
    assert (one.state, one.ended) == (NO_DATA, [])


def test_an_alert_without_data_fires_again_when_a_price_meets_the_condition():
    one = SingleMetric(rule(cooldown=0)).evaluate(110, *[None] * 90, 110)
    assert (one.state, len(one.fired), one.ended) == (FIRING, 1, [])


def test_an_alert_without_data_resolves_when_a_price_no_longer_meets_the_condition():
    one = SingleMetric(rule(cooldown=0)).evaluate(110, *[None] * 90)
    assert one.ended == []
    one.evaluate(90)
    assert (one.state, one.ended) == (RESOLVED, [one.now])
    assert len(one.evaluate(110).fired) == 2


def test_a_missed_evaluation_counts_as_one_without_a_value():
    """The pending time does not run through an hour without values, with or without evaluations."""
    evaluated, missed = (
        SingleMetric(rule(pending=600)).evaluate(110, *[None] * 59),
        SingleMetric(rule(pending=600)).evaluate(110),
    )
    evaluated.evaluate(110)
    missed.evaluate(110, seconds=3_600)
    for one in (evaluated, missed):
        assert (one.state, one.fired) == (PENDING, [])
        assert one.evaluate(*[110] * 9).fired == []
        assert one.evaluate(110).fired == [START + 60 + 3_600 + 600]


def test_two_missed_periods_do_not_stop_the_pending_time():
    one = SingleMetric(rule(pending=180)).evaluate(110).evaluate(110, seconds=180)
    assert one.state == FIRING


def test_a_pending_metric_stays_pending_in_a_gap_and_does_not_fire_in_it():
    one = SingleMetric(rule(pending=120)).evaluate(110, None, None)
    assert (one.state, one.fired) == (PENDING, [])
    assert one.evaluate(110).state == FIRING


def test_crossing_back_fires_too_if_both_directions_count():
    one = SingleMetric(rule(cooldown=0, direction="either")).evaluate(110)
    assert one.states["side"].tolist() == [1]
    one.evaluate(90)
    assert (one.state, one.states["side"].tolist()) == (FIRING, [-1])
    assert (len(one.fired), len(one.ended)) == (2, 1)


def test_setting_the_clock_back_does_not_shorten_a_cooldown():
    one = SingleMetric(rule(cooldown=600)).evaluate(110, 90)
    one.evaluate(110, seconds=-3_600)
    assert (one.state, len(one.fired)) == (PENDING, 1)


def test_setting_the_clock_back_does_not_delay_the_pending_time():
    one = SingleMetric(rule(pending=120)).evaluate(110)
    one.evaluate(110, seconds=-86_400)
    assert one.evaluate(110, 110).state == FIRING


moments = st.lists(
    st.tuples(
        st.sampled_from([90.0, 97.0, 99.5, 101.0, 150.0, None]),
        st.sampled_from([60, 60, 60, 60, 300, 4_000, 0, -60, -4_000]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=80,
)
rules = st.builds(
    rule,
    pending=st.sampled_from([0, 60, 180]),
    cooldown=st.sampled_from([0, 60, 600, 3_600]),
    hysteresis=st.sampled_from([0.0, 2.0]),
    direction=st.sampled_from(["up", "either"]),
)


@given(rules, moments)
@settings(max_examples=400, deadline=None)
def test_no_sequence_of_events_fires_twice_within_a_cooldown_or_loses_a_transition(chosen, events):
    one = SingleMetric(chosen)
    met_since: int | None = None
    met_side = 0
    for price, seconds, restarts in events:
        if restarts:
            one.restart()
        was, was_side = one.state, int(one.states["side"][0])
        fires, ends = len(one.fired), len(one.ended)
        one.evaluate(price, seconds=seconds)

        evaluation = one.evaluation(price)
        side, known = int(evaluation.side[0]), bool(evaluation.known[0])
        met = known and side != 0
        if was in (FIRING, NO_DATA):
            cleared = (evaluation.clears_above if was_side > 0 else evaluation.clears_below)[0]
            ending = known and cleared
            assert len(one.ended) - ends == ending, "an alert ends when the price is back, and not before"
            if not known:
                silent = was == NO_DATA or one.without >= 3 * PERIOD
                assert one.state == (NO_DATA if silent else FIRING), "it is without data after three periods"
        if len(one.fired) > fires:
            assert met, "fires only on a price that meets the condition"
        # Alerts begin and end alternately.
        assert len(one.fired) - len(one.ended) == (1 if one.state in (FIRING, NO_DATA) else 0)
        assert len(one.fired) - fires <= 1
        assert len(one.ended) - ends <= 1
        # A condition met for long enough fires as soon as the cooldown permits.
        lasted = was in (FIRING, NO_DATA)  # no other alert begins while one lasts
        interrupted = known and (not met or side != met_side or one.without > 3 * PERIOD)
        if lasted or met_since is None or interrupted:
            met_since = one.now if met else None
        else:
            met_since = min(met_since, one.now)
        met_side = side if known else met_side
        last = max(one.fired[:fires], default=None)
        free = last is None or one.now >= last + chosen.cooldown_seconds
        if met and met_since is not None and free and one.now - met_since >= chosen.pending_seconds:
            assert one.state == FIRING, "a transition was lost"
    assert all(b - a >= chosen.cooldown_seconds for a, b in zip(one.fired, one.fired[1:], strict=False))


@given(rules, st.lists(moments, min_size=2, max_size=5))
@settings(max_examples=50, deadline=None)
def test_evaluating_all_metrics_together_equals_evaluating_each_alone(chosen, columns):
    """One pass over all metrics gives the states of separate passes."""
    length = min(map(len, columns))
    alone = [SingleMetric(chosen) for _ in columns]
    together, now = new_states(np.arange(len(columns))), START
    for place in range(length):
        seconds = columns[0][place][1]
        now += seconds
        for one, events in zip(alone, columns, strict=True):
            one.evaluate(events[place][0], seconds=seconds)
        evaluations = [one.evaluation(events[place][0]) for one, events in zip(alone, columns, strict=True)]
        joined = Evaluation(
            *(np.concatenate([getattr(one, name) for one in evaluations]) for name in Evaluation.__slots__)
        )
        together = transition(together, joined, chosen, now, PERIOD).states
        assert together["state"].tolist() == [one.state for one in alone]
        assert together["fired_at"].tolist() == [int(one.states["fired_at"][0]) for one in alone]


def test_every_state_except_ok_must_be_stored():
    states = new_states(np.arange(5))
    states["state"] = [OK, PENDING, FIRING, RESOLVED, NO_DATA]
    assert not_ok(states).tolist() == [False, True, True, True, True]
