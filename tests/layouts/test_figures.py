from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from layouts import figures
from tests import builders

BERLIN = ZoneInfo("Europe/Berlin")
PROFILE = builders.profile()
ROW = builders.ranked_metric()


def figure(history, row=ROW, alerts=(), zone=UTC, threshold=False):
    return figures.price_figure(history, row, alerts, PROFILE, zone, threshold)


def legend(drawn):
    """The names that the legend shows."""
    return [trace["name"] for trace in drawn["data"] if trace.get("visible", True) and trace.get("showlegend", True)]


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


def test_the_threshold_rests_on_the_average_of_the_rules_own_window():
    quarter = replace(PROFILE, alert_window_minutes=15)

    assert figures.threshold_of(replace(ROW, rule_average=50.0), quarter) == 150.0


def test_a_threshold_out_of_sight_does_not_squash_the_chart():
    calm = builders.series([60_000.0, 60_100.0])
    wild = builders.series([60_000.0, 170_000.0])
    past = builders.series([60_000.0, 190_000.0])

    assert [figures.threshold_is_near(one, ROW, PROFILE) for one in (calm, wild, past)] == [False, True, True]


def test_no_threshold_is_claimed_where_its_average_is_unknown():
    unknown = replace(ROW, rule_average=None)

    assert figures.threshold_of(unknown, PROFILE) is None
    assert not figures.threshold_is_near(builders.series([1.0]), unknown, PROFILE)
    assert not figures.threshold_is_near(builders.series([]), ROW, PROFILE)


def test_fired_alerts_within_the_span_are_marked_with_their_multiple():
    inside = builders.alert(1)
    before = builders.alert(2, fired_at=builders.NOON - timedelta(days=2))

    marks = figure(builders.series([60_000.0] * 60), alerts=(inside, before))["data"][figures.FIRED]

    assert marks["x"] == ["2026-03-01T11:55:00"]
    assert marks["y"] == [190_000.0]
    assert marks["text"] == ["3.2\N{MULTIPLICATION SIGN} its average"]


def test_an_alert_that_is_not_shown_is_not_in_the_legend():
    before = builders.alert(2, fired_at=builders.NOON - timedelta(days=2))

    assert legend(figure(builders.series([60_000.0] * 60), alerts=(before,))) == ["Price", "1 h average"]
    assert legend(figure(builders.series([60_000.0] * 60), alerts=(builders.alert(),)))[-1] == "Alert"


def test_marks_come_in_the_order_of_time():
    later, earlier = builders.alert(2), builders.alert(1, fired_at=builders.NOON - timedelta(minutes=9))

    marks = figure(builders.series([60_000.0] * 60), alerts=(later, earlier))["data"][figures.FIRED]

    assert marks["x"] == ["2026-03-01T11:51:00", "2026-03-01T11:55:00"]


@pytest.mark.parametrize("nothing", [builders.series([]), builders.hours([])])
def test_a_metric_without_history_gives_an_empty_chart(nothing):
    assert [trace["x"] for trace in figure(nothing)["data"]] == [[], [], [], [], []]


# ---- by the hour

CANDLES = [(10.0, 14.0, 9.0, 12.0), None, (11.0, 11.5, 7.0, 8.0)]


def test_hours_are_a_line_of_closes_before_a_band():
    drawn = figure(builders.hours(CANDLES))
    price, band = drawn["data"][figures.PRICE], drawn["data"][figures.BAND]

    assert price["y"] == [10.0, 12.0, None, 11.0, 8.0]
    assert price["x"][:2] == ["2026-03-01T09:00:00", "2026-03-01T10:00:00"]
    assert price["x"][3:] == ["2026-03-01T11:00:00", "2026-03-01T12:00:00"]
    assert band["fill"] == "toself"
    assert band["y"] == [14.0, 14.0, 14.0, 9.0, 9.0, 9.0, None, 11.5, 11.5, 11.5, 7.0, 7.0, 7.0, None]
    assert band["x"][:7] == [*band["x"][:3], *band["x"][2::-1], None]
    assert band["x"][:3] == ["2026-03-01T09:00:00", "2026-03-01T09:30:00", "2026-03-01T10:00:00"]


def test_an_hours_range_is_read_beside_its_close():
    price = figure(builders.hours([(10.0, 14.12345, 9.0, 12.0)]), row=replace(ROW, price=500.0))["data"][figures.PRICE]

    assert price["customdata"] == [(9.0, 14.12)] * 2
    assert "%{customdata[0]:,.2f} to %{customdata[1]:,.2f}" in price["hovertemplate"]
    assert "customdata" not in figure(builders.series([1.0]))["data"][figures.PRICE]["hovertemplate"]


def test_the_band_of_a_tiny_price_keeps_its_shape():
    shib = replace(ROW, price=0.00002345)
    drawn = figure(builders.hours([(0.000023451, 0.0000234567, 0.000023, 0.00002345)]), row=shib)

    assert drawn["data"][figures.BAND]["y"][0] == 0.0000234567


def test_among_hours_there_is_a_band_and_no_average_and_the_threshold_stays():
    drawn = figure(builders.hours(CANDLES), threshold=True)

    assert legend(drawn) == ["Hourly close", "Alert above 3\N{MULTIPLICATION SIGN}", "Low to high"]
    assert drawn["data"][figures.AVERAGE]["x"] == []
    assert drawn["data"][figures.THRESHOLD]["x"] == ["2026-03-01T09:00:00", "2026-03-01T12:00:00"]
    assert drawn["data"][figures.BAND]["y"]
    assert figure(builders.series([1.0, 2.0]))["data"][figures.BAND]["y"] == []


def test_alerts_are_marked_among_hours():
    marks = figure(builders.hours(CANDLES), alerts=(builders.alert(),))["data"][figures.FIRED]

    assert marks["x"] == ["2026-03-01T11:55:00"]


def test_the_more_hours_the_finer_the_line():
    def width(count):
        return figure(builders.hours([(1.0, 1.0, 1.0, 1.0)] * count))["data"][figures.PRICE]["line"]["width"]

    assert width(168) > width(720) > width(8760)


def test_every_change_of_the_clocks_within_a_year_is_followed():
    stamps = figure(builders.hours([(1.0, 1.0, 1.0, 1.0)] * 8760), zone=BERLIN)["data"][figures.PRICE]["x"]

    # Berlin is two hours ahead from 30 March to 26 October 2025, 1:00 UTC, and one hour ahead else.
    assert (stamps[0], stamps[-1]) == ("2025-03-01T13:00:00", "2026-03-01T13:00:00")
    spring = stamps.index("2025-03-30T01:00:00")
    assert stamps[spring + 1 : spring + 3] == ["2025-03-30T03:00:00", "2025-03-30T04:00:00"]
    assert stamps.index("2025-07-01T14:00:00") == 24 * (31 + 30 + 31 + 30)
    autumn = stamps.index("2025-10-26T02:00:00")
    assert stamps[autumn + 1 : autumn + 3] == ["2025-10-26T02:00:00", "2025-10-26T03:00:00"]


def test_the_threshold_is_near_hours_that_almost_reached_it():
    calm, wild = builders.hours([(1.0, 60_000.0, 59_000.0, 1.0)]), builders.hours([(1.0, 170_000.0, 60_000.0, 1.0)])

    assert [figures.threshold_is_near(one, ROW, PROFILE) for one in (calm, wild)] == [False, True]
    assert not figures.threshold_is_near(builders.hours([]), ROW, PROFILE)


@pytest.mark.parametrize("history", [builders.series([1.0, 2.0]), builders.hours(CANDLES)])
def test_an_update_brings_what_a_new_chart_would_show(history):
    drawn = figure(history, alerts=(builders.alert(),))
    patch = figures.price_patch(history, ROW, (builders.alert(),), PROFILE, UTC).to_plotly_json()

    brought = {tuple(step["location"]): step["params"]["value"] for step in patch["operations"]}
    assert all(drawn["data"][trace][key] == value for (_, trace, key), value in brought.items())
    points = {("data", trace, key) for trace in range(5) for key in ("x", "y")}
    assert points | {("data", figures.BAND, "showlegend"), ("data", figures.PRICE, "customdata")} <= brought.keys()


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
