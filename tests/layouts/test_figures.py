from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np

from layouts import figures
from tests import builders


def slots(**counts):
    """96 slots of zero, except the given ones: `slots(at_3=2)`."""
    values = np.zeros(96, dtype=np.int64)
    for name, count in counts.items():
        values[int(name.removeprefix("at_"))] = count
    return values


def test_a_day_of_ticks_is_drawn_oldest_first_and_stacked():
    fetch = np.full(96, np.nan)
    fetch[0], fetch[95] = 100.0, 340.0

    drawn = figures.tick_figure(builders.tick_day(fetch_ms=fetch), UTC)

    bars, stores, *_ = drawn["data"]
    assert (bars["x"][0], bars["x"][-1]) == ("2026-02-28T12:07:30", "2026-03-01T11:52:30")
    assert (bars["y"][0], bars["y"][1], bars["y"][-1]) == (100.0, None, 340.0)
    assert set(stores["y"]) == {21.0}
    assert bars["customdata"][0] == ("12:00 to 12:15", "512 ms")
    assert drawn["layout"]["barmode"] == "stack"
    assert drawn["layout"]["xaxis"]["range"] == ["2026-02-28T12:00:00", "2026-03-01T12:00:00"]


def test_missed_periods_and_failures_have_a_shape_and_a_text():
    day = builders.tick_day(missed=slots(at_0=14), failed=slots(at_94=2, at_95=1))

    missed, failed = figures.tick_figure(day, UTC)["data"][2:]

    assert missed["x"] == ["2026-02-28T12:07:30"]
    assert missed["text"] == ["12:00 to 12:15<br><b>14</b> missed"]
    assert failed["x"] == ["2026-03-01T11:37:30", "2026-03-01T11:52:30"]
    assert missed["marker"]["symbol"] != failed["marker"]["symbol"]
    assert missed["showlegend"]
    assert not figures.tick_figure(builders.tick_day(), UTC)["data"][2]["showlegend"]


def test_the_axis_of_the_database_size_starts_at_zero():
    drawn = figures.size_figure(builders.sizes(812_000, 4_210_000), UTC)

    (area,) = drawn["data"]
    assert area["x"] == ["2026-03-01T11:00:00", "2026-03-01T12:00:00"]
    assert area["y"] == [812_000, 4_210_000]
    assert area["text"] == ["812 kB", "4.21 MB"]
    assert drawn["layout"]["yaxis"]["rangemode"] == "tozero"


def test_points_lie_in_utc_and_are_labelled_in_the_viewers_zone():
    tokyo = ZoneInfo("Asia/Tokyo")

    ticks = figures.tick_figure(builders.tick_day(), tokyo)
    sizes = figures.size_figure(builders.sizes(812_000, 4_210_000), tokyo)

    assert ticks["layout"]["meta"] == sizes["layout"]["meta"] == {"zone": "Asia/Tokyo"}
    assert ticks["data"][0]["x"][0] == "2026-02-28T12:07:30"
    assert ticks["data"][0]["customdata"][0][0] == "21:00 to 21:15"
    assert sizes["data"][0]["x"][-1] == "2026-03-01T12:00:00"
    assert sizes["data"][0]["customdata"][-1] == "1 Mar 2026, 21:00"
