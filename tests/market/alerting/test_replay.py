"""A replay of a recording. tests/pipeline/test_replay.py compares replays with the live evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from services.market.alerting.replay import Recording, replay
from services.market.alerting.rule_json import parse_rule

PERIOD, WINDOW = 60, 10 * 60


def recording(prices: list[float]) -> Recording:
    """One price of one metric per period, from second 60 on."""
    column = np.array(prices)[:, None]
    times = PERIOD * np.arange(1, len(prices) + 1, dtype=np.int64)
    widths, volumes = np.full(column.shape, float(PERIOD)), np.full(column.shape, np.nan)
    return Recording(times, np.ones(len(times), np.bool_), np.array([7]), column, widths, volumes)


@pytest.mark.parametrize("foreign", [1e9, 1e12, 1e-12])
@pytest.mark.parametrize("quantity", ["stdev", "volatility"])
def test_a_first_price_of_another_magnitude_fires_nothing_after_it_has_left_the_window(
    foreign: float, quantity: str
) -> None:
    own = [2.5e-8 * (1 + place % 3 / 1e3) for place in range(60)]
    own[39] *= 9  # the 41st period: its standard deviation is 2.4 of the others, 1.3 of the mean
    level = {"stdev": 2.5e-8, "volatility": 1.0}[quantity]
    rule = parse_rule(
        {
            "name": "x",
            "scope": ["kraken:*"],
            "quantity": quantity,
            "condition": {"kind": "level", "direction": "up", "level": level},
        }
    )
    fired = replay(replace(rule, id=1), recording([foreign, *own]), 15 * PERIOD, PERIOD, WINDOW)
    assert [firing.at.timestamp() / PERIOD for firing in fired] == [41]
