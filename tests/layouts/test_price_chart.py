import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from layouts import price_chart
from layouts.price_chart import CANDLE, LINE, Subject, View
from layouts.spans import SPANS
from services.market.alerting.rule_json import parse_rule
from services.market.candles import ChartSpan, chart_history
from services.market.types import Hours, Series
from tests import builders

BERLIN = ZoneInfo("Europe/Berlin")
PROFILE = builders.profile()
ROW = builders.ranked_metric()


NONE = builders.series([])


def read_chart(history, volumes=NONE, span="24"):
    """The span that ends at noon, with the samples of `history` in it."""
    chosen = SPANS[span]
    until = int(builders.NOON.timestamp())
    seconds = 366 * 86_400 if span == "8760" else chosen.seconds
    return chart_history(history, volumes, ChartSpan(seconds, chosen.bar_seconds, chosen.window_seconds), until, 60)


def view(kind=LINE, zone=UTC, span="24"):
    return View(1, SPANS[span], kind, zone)


def subject(row=ROW, alerts=(), revision=7):
    return Subject(row, alerts, PROFILE, revision)


def span_for(history):
    """A span with hourly points or samples, according to the type of `history`."""
    return "720" if isinstance(history, Hours) else "24"


def figure(history, row=ROW, alerts=(), zone=UTC, threshold=False, kind=LINE, span=None, volumes=NONE):
    span = span or span_for(history)
    chart = read_chart(history, volumes, span)
    return price_chart.price_figure(chart, view(kind, zone, span), subject(row, alerts), threshold)


def legend(drawn):
    """The names in the legend."""
    return [trace["name"] for trace in drawn["data"] if trace.get("visible", True) and trace.get("showlegend", True)]


def test_prices_are_drawn_oldest_first_at_their_times():
    price = figure(builders.series([1.0, 2.0, 3.0]))["data"][price_chart.PRICE]

    assert price["x"] == ["2026-03-01T11:58:00", "2026-03-01T11:59:00", "2026-03-01T12:00:00"]
    assert price["y"] == [1.0, 2.0, 3.0]


def test_the_axis_names_the_viewers_zone():
    drawn = figure(builders.series([1.0, 2.0]), zone=BERLIN)

    assert drawn["layout"]["xaxis"]["title"]["text"] == "Time (Europe/Berlin)"
    assert drawn["layout"]["meta"]["zone"] == "Europe/Berlin"


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_points_are_in_utc_so_that_lines_never_run_back_when_clocks_change(day):
    until = datetime.fromisoformat(f"{day}T01:01:00Z")  # clocks in Berlin change at 1:00 UTC

    drawn = figure(builders.series([1.0, 2.0, 3.0], until=until), zone=BERLIN)

    assert drawn["data"][price_chart.PRICE]["x"] == [f"{day}T{clock}:00" for clock in ("00:59", "01:00", "01:01")]


def test_the_time_of_a_point_is_formatted_by_the_browser():
    traces = figure(builders.series([1.0, 2.0]), zone=BERLIN)["data"]

    assert [bool(trace.get("meta", {}).get("timed")) for trace in traces] == [
        place in (price_chart.PRICE, price_chart.CANDLES) for place in range(len(traces))
    ]
    assert all(trace["hoverinfo"] in ("y", "skip") for trace in traces)


def test_the_average_is_drawn_as_it_was_at_each_price():
    prices = builders.series([100.0] * 90 + [200.0] * 30)

    average = figure(prices)["data"][price_chart.AVERAGE]

    assert average["x"] == figure(prices)["data"][price_chart.PRICE]["x"]
    assert average["y"][:2] == [None, 100.0]
    assert average["y"][90] == 100.0  # of the preceding hour, without the price itself
    assert average["y"][91] == float(f"{100 + 100 / 60:.11g}")
    assert average["y"][-1] == float(f"{100 + 100 * 29 / 60:.11g}")


def test_the_threshold_is_the_factor_times_the_average_once_there_are_enough_prices():
    threshold = figure(builders.series([60_000.0] * 8), threshold=True)["data"][price_chart.THRESHOLD]

    assert threshold["y"] == [None] * 5 + [180_000.0] * 3
    assert threshold["visible"] is True


@pytest.mark.parametrize("price", [1.25e-18, 2.5e-8, 1e12])
def test_averages_keep_their_digits_for_any_price(price):
    drawn = figure(builders.series([price] * 8))["data"]

    assert drawn[price_chart.AVERAGE]["y"][-1] == pytest.approx(price, rel=1e-10)
    assert drawn[price_chart.THRESHOLD]["y"][-1] == pytest.approx(3 * price, rel=1e-10)


def spike():
    """A spike to five times the average for twelve minutes, with an alert at its start."""
    prices = builders.series([56_000.0] * 100 + [282_726.0] * 12)
    at = datetime.fromtimestamp(int(prices.times[100]), UTC)
    return prices, builders.alert(fired_at=at, price=282_726.0, average=56_344.7, factor=3.0)


def test_the_marker_of_an_alert_lies_above_the_drawn_threshold():
    prices, alert = spike()

    drawn = figure(prices, alerts=(alert,), threshold=True)["data"]

    at = drawn[price_chart.THRESHOLD]["x"].index(drawn[price_chart.FIRED]["x"][0])
    assert drawn[price_chart.THRESHOLD]["y"][at] == 169_034.1  # the stored threshold, regardless of later backfills
    assert drawn[price_chart.THRESHOLD]["y"][at - 1] == 168_000.0
    assert drawn[price_chart.FIRED]["y"][0] > drawn[price_chart.THRESHOLD]["y"][at]
    assert drawn[price_chart.THRESHOLD]["y"][-1] > 282_726.0  # by then the average includes the spike


@pytest.mark.parametrize("span", ["168", "720", "8760"])
def test_the_marker_of_an_alert_lies_on_its_crossing_in_bar_charts_too(span):
    hours = builders.hours(
        [(56_000.0, 56_000.0, 56_000.0, 56_000.0)] * 48 + [(56_000.0, 282_726.0, 56_000.0, 282_726.0)]
    )
    alert = builders.alert(price=282_726.0, average=56_000.0, factor=3.0)

    drawn = figure(hours, alerts=(alert,), threshold=True, span=span)["data"]

    at = drawn[price_chart.THRESHOLD]["x"].index("2026-03-01T11:55:00")
    assert drawn[price_chart.THRESHOLD]["y"][at] == 168_000.0
    assert set(drawn[price_chart.THRESHOLD]["y"][:at]) == {168_000.0}
    assert drawn[price_chart.AVERAGE]["y"][0] == 56_000.0


def rule(number, direction="below", factor=0.5, window=900):
    fields = {"kind": "average", "direction": direction, "factor": factor, "window_seconds": window}
    return parse_rule({"name": "<b>", "scope": "okx:*", "condition": fields}, number)


def test_thresholds_of_user_rules_are_drawn_with_their_own_windows():
    prices = builders.series([100.0] * 60 + [40.0] * 20)
    chart = read_chart(prices)
    written = [rule(7), rule(8, "above", 2.0, 3600)]
    fired = builders.alert(rule_id=7, threshold=49.5, average=99.0, factor=0.5)

    drawn = price_chart.price_figure(chart, view(), replace(subject(alerts=(fired,)), rules=written), True)["data"]

    assert [trace["name"] for trace in drawn[8:]] == [
        "Rule below 0.5\N{MULTIPLICATION SIGN} of 15 min",
        "Rule above 2\N{MULTIPLICATION SIGN} of 1 h",
    ]
    quarter = drawn[8]
    assert quarter["y"][quarter["x"].index("2026-03-01T11:41:00")] == 50.0
    assert quarter["y"][quarter["x"].index("2026-03-01T11:55:00")] == 49.5  # as stored
    assert quarter["y"][-1] == 20.0
    assert drawn[9]["y"][-1] == float(f"{2 * (41 * 100 + 19 * 40) / 60:.11g}")


def test_a_new_or_changed_rule_causes_a_full_redraw():
    chart, one = read_chart(minutes(1440)), subject()
    drawn = price_chart.price_figure(chart, view(), one, False)["layout"]["meta"]
    written = replace(one, rules=[rule(7)], revision=8)

    brought = price_chart.price_update(chart, view(), written, drawn)

    assert brought["from"] is None
    assert len(brought["traces"]) == 9
    assert brought["traces"][8]["look"]["line"]["dash"] == "dashdot"
    assert price_chart.price_update(chart, view(), written, brought["meta"])["traces"][8]["look"] == {}
    changed = replace(written, rules=[rule(7, factor=0.4)])
    assert price_chart.price_update(chart, view(), changed, brought["meta"])["from"] is None


def test_the_threshold_uses_the_average_of_the_rules_window():
    quarter = replace(PROFILE, alert_window_minutes=15)

    assert price_chart.threshold_of(replace(ROW, rule_average=50.0), quarter) == 150.0


def near(history, alerts=()):
    return price_chart.threshold_is_near(read_chart(history, span=span_for(history)), subject(alerts=alerts))


def test_a_distant_threshold_does_not_flatten_the_chart():
    calm = builders.series([60_000.0, 60_100.0] * 30)
    prices, alert = spike()

    assert [near(calm), near(prices, (alert,))] == [False, True]


def test_no_threshold_is_drawn_where_the_average_is_unknown():
    unknown = replace(ROW, rule_average=None)

    assert price_chart.threshold_of(unknown, PROFILE) is None
    assert not near(builders.series([1.0]))
    assert not near(builders.series([]))


def test_fired_alerts_within_the_span_are_marked_with_their_multiple():
    inside = builders.alert(1)
    before = builders.alert(2, fired_at=builders.NOON - timedelta(days=2))

    fired = figure(builders.series([60_000.0] * 60), alerts=(inside, before))["data"][price_chart.FIRED]

    assert fired["x"] == ["2026-03-01T11:55:00"]
    assert fired["y"] == [190_000.0]
    assert fired["text"] == ["3.2\N{MULTIPLICATION SIGN} its average"]


def test_an_alert_that_is_not_shown_is_not_in_the_legend():
    before = builders.alert(2, fired_at=builders.NOON - timedelta(days=2))

    assert legend(figure(builders.series([60_000.0] * 60), alerts=(before,))) == ["Price", "1 h average"]
    assert legend(figure(builders.series([60_000.0] * 60), alerts=(builders.alert(),)))[-1] == "Alert"


def test_alerts_are_drawn_in_chronological_order():
    later, earlier = builders.alert(2), builders.alert(1, fired_at=builders.NOON - timedelta(minutes=9))

    fired = figure(builders.series([60_000.0] * 60), alerts=(later, earlier))["data"][price_chart.FIRED]

    assert fired["x"] == ["2026-03-01T11:51:00", "2026-03-01T11:55:00"]


@pytest.mark.parametrize("nothing", [builders.series([]), builders.hours([])])
def test_a_metric_without_history_gives_an_empty_chart(nothing):
    assert [trace["x"] for trace in figure(nothing)["data"]] == [[]] * 8


# ---- hourly points

HOURS = [(10.0, 14.0, 9.0, 12.0), None, (11.0, 11.5, 7.0, 8.0)]


def test_hours_are_a_line_of_closes_in_front_of_a_band():
    drawn = figure(builders.hours(HOURS))
    price, band = drawn["data"][price_chart.PRICE], drawn["data"][price_chart.BAND]

    assert price["y"] == [10.0, 12.0, None, 11.0, 8.0]
    assert price["x"][:2] == ["2026-03-01T09:00:00", "2026-03-01T10:00:00"]
    assert price["x"][3:] == ["2026-03-01T11:00:00", "2026-03-01T12:00:00"]
    assert band["fill"] == "toself"
    assert band["y"] == [14.0, 14.0, 14.0, 9.0, 9.0, 9.0, None, 11.5, 11.5, 11.5, 7.0, 7.0, 7.0, None]
    assert band["x"][:7] == [*band["x"][:3], *band["x"][2::-1], None]
    assert band["x"][:3] == ["2026-03-01T09:00:00", "2026-03-01T09:30:00", "2026-03-01T10:00:00"]


def test_the_hover_label_of_an_hour_has_its_range_and_close():
    price = figure(builders.hours([(10.0, 14.12345, 9.0, 12.0)]), row=replace(ROW, price=500.0))["data"][
        price_chart.PRICE
    ]

    assert price["customdata"] == [(9.0, 14.12)] * 2
    assert "%{customdata[0]:,.2f} to %{customdata[1]:,.2f}" in price["hovertemplate"]
    assert "customdata" not in figure(builders.series([1.0]))["data"][price_chart.PRICE]["hovertemplate"]


def test_the_band_of_a_tiny_price_keeps_its_shape():
    shib = replace(ROW, price=0.00002345)
    drawn = figure(builders.hours([(0.000023451, 0.0000234567, 0.000023, 0.00002345)]), row=shib)

    assert drawn["data"][price_chart.BAND]["y"][0] == 0.0000234567


def test_hourly_charts_have_a_band_and_the_average_and_threshold_of_each_bar():
    drawn = figure(builders.hours(HOURS), threshold=True, span="168")

    assert legend(drawn) == ["Hourly close", "1 h average", "Alert above 3\N{MULTIPLICATION SIGN}", "Low to high"]
    assert drawn["data"][price_chart.AVERAGE]["y"] == [11.0, 9.5]
    assert drawn["data"][price_chart.AVERAGE]["x"] == ["2026-03-01T10:00:00", "2026-03-01T12:00:00"]
    assert drawn["data"][price_chart.THRESHOLD]["y"] == [33.0, 28.5]
    assert drawn["data"][price_chart.BAND]["y"]
    assert figure(builders.series([1.0, 2.0]))["data"][price_chart.BAND]["y"] == []


def test_alerts_are_marked_in_hourly_charts():
    fired = figure(builders.hours(HOURS), alerts=(builders.alert(),))["data"][price_chart.FIRED]

    assert fired["x"] == ["2026-03-01T11:55:00"]


def test_the_line_is_finer_with_more_hours():
    def width(count):
        drawn = figure(builders.hours([(1.0, 1.0, 1.0, 1.0)] * count), span="8760")
        return drawn["data"][price_chart.PRICE]["line"]["width"]

    assert width(168) > width(720) > width(8760)


def test_the_threshold_is_shown_if_an_hour_almost_reached_it():
    calm, wild = (
        builders.hours([(60_000.0, 60_500.0, 60_000.0, 60_000.0)]),
        builders.hours([(60_000.0, 170_000.0, 60_000.0, 60_000.0)]),
    )

    assert [near(one) for one in (calm, wild)] == [False, True]
    assert not near(builders.hours([]))


def test_hover_labels_of_small_prices_keep_their_digits():
    shib = replace(ROW, price=0.00002345)

    assert ":,.8f" in figure(builders.series([0.00002345]), row=shib)["data"][price_chart.PRICE]["hovertemplate"]


def test_a_figure_contains_no_names_from_exchanges():
    hostile = replace(ROW, base="<b>", quote="<a href='x'>", market="%{x}")

    drawn = figure(builders.series([1.0, 2.0]), row=hostile)

    assert "<a" not in str(drawn)
    assert "<b>'" not in str(drawn)


def test_candles_replace_the_line_and_its_band():
    drawn = figure(builders.series([1.0, 3.0, 2.0], step=900, width=900), kind=CANDLE)
    price, candles = drawn["data"][price_chart.PRICE], drawn["data"][price_chart.CANDLES]

    assert (price["x"], candles["close"], candles["open"]) == ([], [1.0, 3.0, 2.0], [1.0, 1.0, 3.0])
    assert candles["x"][-1] == "2026-03-01T11:52:30"
    assert legend(drawn) == ["1 h average", "Candles of 15 min"]
    assert drawn["layout"]["xaxis"]["rangeslider"] == {"visible": False}
    assert figure(builders.hours(HOURS), kind=CANDLE)["data"][price_chart.BAND]["x"] == []


@pytest.mark.parametrize(
    ("span", "width"),
    [("1", "1 min"), ("6", "5 min"), ("24", "15 min"), ("168", "1 h"), ("720", "4 h"), ("8760", "24 h")],
)
def test_each_span_has_candles_of_its_own_width(span, width):
    history = builders.series([1.0]) if SPANS[span].by_sample else builders.hours(HOURS)

    assert figure(history, kind=CANDLE, span=span)["data"][price_chart.CANDLES]["name"] == f"Candles of {width}"


def test_volumes_and_volatility_have_panels_of_their_own():
    history = builders.series([100.0 + (place % 2) * 2 for place in range(120)])
    drawn = figure(history, volumes=builders.series([7.0] * 30))
    volume, volatility = drawn["data"][price_chart.VOLUME], drawn["data"][price_chart.VOLATILITY]

    assert [value for value in volume["y"] if value is not None] == [7.0, 7.0]
    assert volatility["y"][-1] == pytest.approx(100 / 101, abs=1e-6)  # per cent: swings of 1 about 101
    assert (volume["yaxis"], volatility["yaxis"]) == ("y2", "y3")
    captions = [caption["text"] for caption in drawn["layout"]["annotations"]]
    assert captions == ["24 h volume", "Volatility: standard deviation / mean of 1 h"]


def test_a_gap_in_prices_is_a_gap_in_the_volatility_too():
    whole = builders.series([100.0 + place % 3 for place in range(600)])
    present = [*range(200), *range(400, 600)]
    history = Series(whole.times[present], whole.values[present], whole.widths[present])

    volatility = figure(history)["data"][price_chart.VOLATILITY]["y"]

    assert None in volatility[5:-5]


# ---- updates


def minutes(count):
    return builders.series([100.0 + place % 7 for place in range(count)])


def update(history, drawn, row=ROW, kind=LINE, span="24", alerts=()):
    chart = read_chart(history, span=span)
    return price_chart.price_update(chart, view(kind, span=span), subject(row, alerts, 8), drawn)


def meta_of(history, **named):
    return figure(history, **named)["layout"]["meta"]


def shorter(history, count):
    """The history without its last values."""
    return Series(history.times[:-count], history.values[:-count], history.widths[:-count])


def test_an_update_has_the_new_points_and_the_current_bar():
    brought = update(minutes(1440), meta_of(shorter(minutes(1440), 2)))

    price = brought["traces"][price_chart.PRICE]
    assert price["after"] == "2026-03-01T11:58:00"
    assert price["columns"]["x"] == ["2026-03-01T11:59:00", "2026-03-01T12:00:00"]
    assert price["first"] == "2026-02-28T12:01:00"
    for place in (price_chart.AVERAGE, price_chart.THRESHOLD):
        assert brought["traces"][place]["columns"]["x"] == price["columns"]["x"]
    assert brought["traces"][price_chart.VOLATILITY]["columns"]["x"] == ["2026-03-01T12:00:00"]
    assert brought["meta"]["revision"] == 8


def test_a_late_price_in_the_current_bar_updates_that_bar():
    whole = minutes(1440)
    present = [*range(1430), *range(1431, 1439)]

    brought = update(whole, meta_of(Series(whole.times[present], whole.values[present], whole.widths[present])))

    assert brought["from"] is not None
    for place in (price_chart.PRICE, price_chart.AVERAGE):
        assert len(brought["traces"][place]["columns"]["x"]) == 15


@pytest.mark.parametrize(("span", "kind", "part"), [("1", CANDLE, 4), ("24", LINE, 20), ("24", CANDLE, 8)])
def test_an_update_is_small(span, kind, part):
    history = builders.series([60_000.0 + place % 700 for place in range(1440)])
    drawn = figure(history, kind=kind, span=span, volumes=history)

    size = len(json.dumps(update(history, drawn["layout"]["meta"], kind=kind, span=span)))

    assert size < 2_500
    assert size < len(json.dumps(drawn)) / part


def test_an_update_of_hours_has_only_the_current_hour():
    hours = builders.hours([(10.0, 14.0, 9.0, 12.0 + hour % 5) for hour in range(168)])
    brought = update(hours, meta_of(hours, span="168"), span="168")

    assert len(brought["traces"][price_chart.PRICE]["columns"]["y"]) == 1
    band = brought["traces"][price_chart.BAND]
    assert band["rings"] is True
    assert band["after"] == band["columns"]["x"][0] == "2026-03-01T00:30:00"
    assert band["columns"]["x"].count(None) == 1


def test_a_backfill_before_the_current_bar_replaces_all_points():
    whole = minutes(1440)
    present = [*range(600), *range(700, 1440)]
    drawn = meta_of(Series(whole.times[present], whole.values[present], whole.widths[present]))

    brought = update(whole, drawn)

    assert brought["from"] is None
    assert len(brought["traces"][price_chart.PRICE]["columns"]["y"]) == 1440
    assert "after" not in brought["traces"][price_chart.PRICE]


@pytest.mark.parametrize("damage", [{"since": 0}, {"edge": None}, {"samples": "many"}, {"edge": 1e99}, {"since": True}])
def test_a_chart_with_invalid_meta_is_replaced(damage):
    assert update(minutes(1440), meta_of(minutes(1440)) | damage)["from"] is None


@pytest.mark.parametrize("changed", [{"span": "6"}, {"kind": CANDLE}, {"zone": BERLIN}])
def test_a_chart_of_another_view_gets_no_update(changed):
    assert update(minutes(1440), meta_of(minutes(1440), **changed)) is None


def test_an_update_has_all_alerts():
    brought = update(minutes(1440), meta_of(minutes(1440)), alerts=(builders.alert(),))["traces"]

    assert brought[price_chart.FIRED]["columns"]["y"] == [190_000.0]
    assert brought[price_chart.FIRED]["look"] == {"showlegend": True}
    assert "after" not in brought[price_chart.FIRED]


# ---- the start of history


def begun(hours=3, zone=UTC, span="24"):
    chart = read_chart(minutes(60 * hours), span=span)
    return replace(chart, begins=int(chart.history.times[0])), zone


def test_the_axis_covers_the_chosen_span_and_history_begins_with_a_marker():
    chart, zone = begun(zone=BERLIN)

    look = price_chart.price_figure(chart, view(zone=zone), subject(), False)["layout"]

    noon = int(builders.NOON.timestamp()) * 1000
    assert look["xaxis"]["autorangeoptions"] == {"minallowed": noon - 86_400_000, "maxallowed": noon}
    assert look["annotations"][-1]["text"] == "History begins 1 Mar 10:01"
    assert look["shapes"][0]["x0"] == look["shapes"][0]["x1"] == look["annotations"][-1]["x"] == "2026-03-01T09:01:00"
    assert look["annotations"][-1]["xanchor"] == "right"  # there is no space to its right


def test_no_start_is_marked_if_history_covers_the_span():
    look = figure(minutes(1440))["layout"]

    assert look["shapes"] == []
    assert len(look["annotations"]) == 2


def test_an_update_has_the_start_of_history_if_it_has_changed():
    chart, _ = begun()
    drawn = price_chart.price_figure(chart, view(), subject(), False)["layout"]["meta"]

    assert "layout" not in price_chart.price_update(chart, view(), subject(revision=8), drawn)
    filled = replace(read_chart(minutes(1440)), begins=None)
    brought = price_chart.price_update(filled, view(), subject(revision=8), drawn)
    assert brought["layout"]["shapes"] == []
    assert brought["meta"]["shown"] == drawn["shown"]
