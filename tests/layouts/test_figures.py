from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from layouts import figures
from services.market.types import Series
from tests import builders

BERLIN = ZoneInfo("Europe/Berlin")
PROFILE = builders.profile()
ROW = builders.ranked_metric()


def figure(series, row=ROW, alerts=(), zone=UTC, threshold=False):
    return figures.price_figure(series, row, alerts, PROFILE, zone, threshold)


def test_prices_are_drawn_oldest_first_at_their_times():
    price = figure(builders.series([1.0, 2.0, 3.0]))["data"][figures.PRICE]

    assert price["x"] == ["2026-03-01T11:58:00", "2026-03-01T11:59:00", "2026-03-01T12:00:00"]
    assert price["y"] == [1.0, 2.0, 3.0]


def test_the_axis_is_in_the_viewers_zone_and_says_so():
    drawn = figure(builders.series([1.0, 2.0]), zone=BERLIN)

    assert drawn["data"][figures.PRICE]["x"][-1] == "2026-03-01T13:00:00"
    assert drawn["layout"]["xaxis"]["title"]["text"] == "Time (Europe/Berlin)"


def test_a_change_of_the_clocks_within_the_span_is_followed():
    spring = datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC)  # 02:00 becomes 03:00 in Berlin

    stamps = figure(builders.series([1.0, 2.0], until=spring), zone=BERLIN)["data"][figures.PRICE]["x"]

    assert stamps == ["2026-03-29T01:59:00", "2026-03-29T03:00:00"]


def test_missing_samples_are_a_gap_and_not_a_line():
    times = np.array([0, 60, 120, 600, 660], dtype=np.int64)
    series = Series(times, np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.full(5, 60, dtype=np.int64))

    filled_times, filled = figures.with_gaps(series, 60)

    assert filled == [1.0, 2.0, 3.0, None, 4.0, 5.0]
    assert filled_times.tolist() == [0, 60, 120, 360, 600, 660]


def test_two_gaps_are_two_gaps():
    times = np.array([0, 600, 660, 1200], dtype=np.int64)
    series = Series(times, np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 60, dtype=np.int64))

    assert figures.with_gaps(series, 60)[1] == [1.0, None, 2.0, 3.0, None, 4.0]


@pytest.mark.parametrize(("step", "width", "gaps"), [(120, 60, 0), (121, 60, 2), (600, 300, 0), (601, 300, 2)])
def test_a_gap_is_more_than_two_periods_and_more_than_two_widths(step, width, gaps):
    series = builders.series([1.0, 2.0, 3.0], step=step, width=width)

    assert figures.with_gaps(series, 60)[1].count(None) == gaps


def test_the_average_is_drawn_over_the_last_hour_alone():
    average = figure(builders.series([60_000.0] * 180))["data"][figures.AVERAGE]

    assert average["x"] == ["2026-03-01T11:00:00", "2026-03-01T12:00:00"]
    assert average["y"] == [60_050.5, 60_050.5]


def test_a_history_shorter_than_an_hour_draws_the_average_over_what_there_is():
    assert figure(builders.series([1.0, 2.0]))["data"][figures.AVERAGE]["x"][0] == "2026-03-01T11:59:00"


def test_the_threshold_is_the_factor_times_the_average():
    threshold = figure(builders.series([60_000.0, 60_001.0]), threshold=True)["data"][figures.THRESHOLD]

    assert threshold["y"] == [180_151.5, 180_151.5]
    assert threshold["visible"] is True


def test_a_threshold_out_of_sight_does_not_squash_the_chart():
    calm = builders.series([60_000.0, 60_100.0])
    wild = builders.series([60_000.0, 170_000.0])
    past = builders.series([60_000.0, 190_000.0])

    assert [figures.threshold_is_near(one, ROW, PROFILE) for one in (calm, wild, past)] == [False, True, True]


def test_no_threshold_is_claimed_where_its_average_is_unknown():
    other_window = replace(PROFILE, alert_window_minutes=30)

    assert figures.threshold_of(ROW, other_window) is None
    assert figures.threshold_of(replace(ROW, average_1h=None), PROFILE) is None
    assert not figures.threshold_is_near(builders.series([1.0]), replace(ROW, average_1h=None), PROFILE)
    assert not figures.threshold_is_near(builders.series([]), ROW, PROFILE)


def test_fired_alerts_within_the_span_are_marked_with_their_multiple():
    inside = builders.alert(1)
    before = builders.alert(2, fired_at=builders.NOON - timedelta(days=2))

    marks = figure(builders.series([60_000.0] * 60), alerts=(inside, before))["data"][figures.FIRED]

    assert marks["x"] == ["2026-03-01T11:55:00"]
    assert marks["y"] == [190_000.0]
    assert marks["text"] == ["3.2\N{MULTIPLICATION SIGN} its average"]


def test_a_metric_without_samples_gives_an_empty_chart():
    assert [trace["x"] for trace in figure(builders.series([]))["data"]] == [[], [], [], []]


def test_small_prices_are_hovered_with_their_digits():
    shib = replace(ROW, price=0.00002345)

    assert ":,.8f" in figure(builders.series([0.00002345]), row=shib)["data"][figures.PRICE]["hovertemplate"]


def test_no_name_from_outside_enters_a_figure():
    hostile = replace(ROW, base="<b>", quote="<a href='x'>", market="%{x}")

    drawn = figure(builders.series([1.0, 2.0]), row=hostile)

    assert "<a" not in str(drawn)
    assert "<b>'" not in str(drawn)


def test_an_update_carries_points_and_touches_no_axis():
    patch = figures.price_patch(builders.series([1.0, 2.0]), ROW, (), PROFILE, UTC).to_plotly_json()

    places = [tuple(step["location"]) for step in patch["operations"]]
    assert ("data", figures.PRICE, "y") in places
    assert all(place[0] == "data" for place in places)


def test_switching_the_threshold_changes_nothing_else():
    operations = figures.threshold_patch(True).to_plotly_json()["operations"]

    assert [(step["location"], step["params"]["value"]) for step in operations] == [
        (["data", figures.THRESHOLD, "visible"], True)
    ]


def test_ticks_are_drawn_oldest_first_and_stacked():
    earlier = builders.tick_state(minute=builders.NOON - timedelta(minutes=1), fetch_ms=100.0, commit_ms=5.0)

    drawn = figures.tick_figure((builders.tick_state(), earlier), UTC)

    assert drawn["data"][0]["x"] == ["2026-03-01T11:59:00", "2026-03-01T12:00:00"]
    assert [trace["y"] for trace in drawn["data"]] == [[100.0, 340.0], [5.0, 21.0]]
    assert drawn["layout"]["barmode"] == "stack"
