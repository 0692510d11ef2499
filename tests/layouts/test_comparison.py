from dataclasses import replace
from datetime import UTC
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from layouts import compare, ids, notation
from layouts.compare_choice import CHANGE, MAX_METRICS, OWN, PRICE, Choice, choice_of, matches
from layouts.comparison_chart import Compared, change_of, figure_of, plain, update_of
from layouts.spans import SPANS
from services.market.candles import ChartSpan, chart_history
from services.market.correlation import Correlations
from tests import builders
from tests.layouts.reading import by_id, links_in, rows_of, text_of, walk

NOON = int(builders.NOON.timestamp())


def compared(number=1, prices=None, minute=0, **named):
    """A metric with the given last prices, `minute` minutes after noon, in a span of a day."""
    until = NOON + 60 * minute
    history = builders.series(prices or [100.0 + place % 7 for place in range(1500 + minute)], builders.NOON)
    history = type(history)(history.times + 60 * minute, history.values, history.widths)
    chart = chart_history(history, builders.series([]), ChartSpan(86_400, 900, 3600), until, 60)
    return Compared(str(number), builders.ranked_metric(number, **named), chart)


def test_the_change_of_a_stale_price_keeps_its_stored_value():
    prices = [100.0] * 60 + [110.0] * 1440
    one = compared(prices=prices, change_24h=0.07)
    stale = replace(one, row=one.row.gone_stale())
    week = replace(stale, chart=replace(one.chart, since=one.chart.until - 7 * 86_400))

    assert change_of(one) == pytest.approx(110 / one.start - 1)
    assert change_of(stale) == 0.07
    assert change_of(week) is None


def comparison(*members, values=None, common=500, **named):
    size = len(members)
    matrix = np.eye(size) if values is None else np.array(values)
    found = Correlations(matrix, np.full((size, size), common, dtype=np.int64))
    choice = Choice(tuple(one.wanted for one in members))
    return compare.Comparison(choice, members, named.get("unknown", ()), named.get("left_out", ()), found, 60)


@pytest.mark.parametrize(
    "choice",
    [
        Choice(()),
        Choice(("1",)),
        Choice(("1", "kraken:BTC-USD"), SPANS["720"], OWN),
        Choice(("a:B&C-D%2C=?#",), SPANS["1"], PRICE),
    ],
)
def test_an_address_reproduces_its_choice(choice):
    assert choice_of(urlsplit(choice.address).query) == choice


@pytest.mark.parametrize(
    ("search", "wanted"), [("?ids=1,2,1,,%203", ("1", "2", "3")), ("?ids=", ()), ("", ()), (None, ()), (7, ())]
)
def test_invalid_parts_of_an_address_are_ignored(search, wanted):
    assert choice_of(search) == Choice(wanted)
    assert choice_of("?ids=1&span=9999&as=upside-down") == Choice(("1",), SPANS["24"], CHANGE)


def test_changes_are_drawn_from_the_first_price_of_the_span():
    drawn = figure_of([compared(prices=[50.0, 50.0, 60.0, 55.0])], Choice(("1",)), UTC, 7)

    assert drawn["data"][0]["y"] == [10.0]  # one candle of a quarter of an hour
    assert figure_of([compared(prices=[50.0, 55.0])], Choice(("1",), scale=PRICE), UTC, 7)["data"][0]["y"] == [55.0]


def beginning(one, minutes_ago):
    return replace(one, chart=replace(one.chart, begins=NOON - 60 * minutes_ago))


def start_lines_of(*members, zone=UTC):
    look = figure_of(members, Choice(tuple(one.wanted for one in members)), zone, 7)["layout"]
    return [(text["text"], text["x"], text["yshift"]) for text in look["annotations"]]


def test_a_common_start_of_histories_is_marked_once():
    btc, eth = compared(1), compared(2, base="ETH")

    assert start_lines_of(btc, eth) == []
    together = start_lines_of(beginning(btc, 120), beginning(eth, 118), zone=ZoneInfo("Europe/Berlin"))
    assert together == [("History begins 1 Mar 11:00", "2026-03-01T10:00:00", 0)]
    apart = start_lines_of(beginning(btc, 120), beginning(eth, 600))
    assert apart == [
        ("BTC/USD begins 1 Mar 10:00", "2026-03-01T10:00:00", 0),
        ("ETH/USD begins 1 Mar 02:00", "2026-03-01T02:00:00", -16),
    ]
    assert start_lines_of(btc, beginning(eth, 600)) == [("ETH/USD begins 1 Mar 02:00", "2026-03-01T02:00:00", 0)]


def test_the_axis_covers_the_chosen_span_and_moves_on_with_it():
    one = beginning(compared(prices=[1.0, 2.0]), 1)
    look = figure_of([one], Choice(("1",)), UTC, 7)["layout"]

    noon = int(builders.NOON.timestamp()) * 1000
    assert look["xaxis"]["autorangeoptions"] == {"minallowed": noon - 86_400_000, "maxallowed": noon}
    later = compared(minute=2)
    update = update_of([later], Choice(("1",)), UTC, 8, look["meta"])
    assert update["meta"]["shown"][1] == noon + 900_000
    assert update["layout"] == {"shapes": [], "annotations": []}


def test_own_axes_are_panels_that_fill_the_chart():
    members = [compared(1), compared(2), compared(3)]
    drawn = figure_of(members, Choice(("1", "2", "3"), scale=OWN), UTC, 7)

    assert [trace["yaxis"] for trace in drawn["data"]] == ["y", "y2", "y3"]
    domains = [drawn["layout"][axis]["domain"] for axis in ("yaxis", "yaxis2", "yaxis3")]
    assert domains[0][1] == 1 and domains[2][0] == pytest.approx(0)  # noqa: PT018
    assert domains[0][0] > domains[1][1] > domains[1][0] > domains[2][1]
    assert drawn["layout"]["xaxis"]["anchor"] == "y3"


def test_eight_lines_differ_in_more_than_their_colour():
    drawn = figure_of([compared(number) for number in range(1, 9)], Choice(tuple("12345678")), UTC, 7)

    looks = {(trace["line"]["color"], trace["line"]["dash"]) for trace in drawn["data"]}
    assert len(looks) == 8


def test_names_in_the_chart_are_escaped():
    assert plain("<b>A&lt;%{x}$y$</b>") == "bAlt;xy/b"


def test_an_update_continues_from_the_drawn_start():
    choice = Choice(("1",))
    drawn = figure_of([compared(prices=[100.0 + place for place in range(1500)])], choice, UTC, 7)["layout"]["meta"]
    later = compared(prices=[100.0 + place for place in range(1501)], minute=1)

    update = update_of([later], choice, UTC, 8, drawn)

    assert update["from"] == drawn["edge"]
    (part,) = update["traces"]
    assert len(part["columns"]["y"]) == 2
    assert part["columns"]["y"][-1] == pytest.approx((1600.0 / drawn["starts"][0] - 1) * 100, abs=1e-3)
    assert update["meta"]["since"] == drawn["since"]
    assert update["meta"]["starts"] == drawn["starts"]


@pytest.mark.parametrize("damage", [{"samples": [3]}, {"starts": []}, {"starts": ["x"]}, {"since": 0}, {"edge": None}])
def test_a_chart_that_differs_from_its_data_is_replaced(damage):
    members, choice = [compared()], Choice(("1",))
    drawn = figure_of(members, choice, UTC, 7)["layout"]["meta"] | damage

    update = update_of(members, choice, UTC, 8, drawn)

    assert update["from"] is None
    assert len(update["traces"][0]["columns"]["y"]) == 96


def test_a_chart_of_another_choice_gets_no_update():
    members = [compared()]
    drawn = figure_of(members, Choice(("1",)), UTC, 7)["layout"]["meta"]

    assert update_of(members, Choice(("1",), scale=PRICE), UTC, 8, drawn) is None


def test_a_search_finds_every_word_in_pair_or_market_except_chosen_metrics():
    rows = [
        builders.ranked_metric(1),
        builders.ranked_metric(2, market="okx"),
        builders.ranked_metric(3, base="ETH", market="okx"),
    ]

    assert [row.id for row in matches("btc", rows, [1], 8)] == [2]
    assert [row.id for row in matches("OKX eth/usd", rows, [], 8)] == [3]
    assert [row.id for row in matches("usd", rows, [], 2)] == [1, 2]
    assert matches("  ", rows, [], 8) == []


def test_search_results_link_to_the_comparison_with_them():
    found = compare.results([builders.ranked_metric(2, market="okx")], Choice(("1",)), "okx", False)

    assert links_in(found) == ["/compare?ids=1,okx:BTC-USD"]
    assert "Nothing tracked matches" in text_of(compare.results([], Choice(()), "xyz", False))
    assert f"{MAX_METRICS} metrics are compared already" in text_of(compare.results([], Choice(()), "xyz", True))
    assert compare.results([], Choice(()), " ", False) == []


def test_each_chosen_metric_can_be_removed():
    chips = compare.chips(comparison(compared(1), compared(2, market="okx")))

    assert links_in(chips) == ["/metric/1", "/compare?ids=2", "/metric/2", "/compare?ids=1"]
    assert "Remove BTC/USD on okx" in text_of(chips)


def test_the_matrix_shows_each_correlation_and_its_number_of_returns():
    values = [[1.0, -0.834], [-0.834, 1.0]]
    table = compare.matrix(comparison(compared(1), compared(2, market="okx"), values=values, common=1439))

    assert rows_of(table)[1] == f"BTC/USD|kraken|1.00|1,439|{notation.MINUS}0.83|1,439"
    looks = [one.className for one in walk(table) if type(one).__name__ == "Td" and getattr(one, "className", "")]
    assert looks == ["is-same", "is-negative", "is-negative", "is-same"]
    assert [one.scope for one in walk(table) if type(one).__name__ == "Th"] == ["col", "col", "row", "row"]


def test_an_unknown_correlation_has_its_reason():
    values = [[1.0, np.nan], [np.nan, 1.0]]
    few = compare.matrix(comparison(compared(1), compared(2), values=values, common=3))
    flat = compare.matrix(comparison(compared(1), compared(2), values=values, common=300))

    titles = [[one.title for one in walk(table) if getattr(one, "title", None)] for table in (few, flat)]
    assert titles == [["Fewer than 10 common returns"] * 2, ["One of the two did not move"] * 2]
    assert "Add a second metric" in text_of(compare.matrix(comparison(compared(1))))


def test_metrics_that_are_not_compared_are_named():
    page = compare.page(comparison(unknown=["kraken:NO-SUCH"], left_out=["okx:A-B", "okx:C-D"]), None)

    assert "kraken:NO-SUCH| is not tracked." in text_of(page)
    assert "Only 8 metrics can be compared. Left out: |okx:A-B|, |okx:C-D|." in text_of(page)
    assert "No metrics chosen yet" in text_of(page)


def test_a_comparison_has_a_chart_and_controls_for_scale_and_span():
    members = [compared(1)]
    page = compare.page(comparison(*members), figure_of(members, Choice(("1",)), UTC, 7))

    assert by_id(page, ids.COMPARE_CHART).figure["data"]
    assert {"/compare?ids=1&as=own", "/compare?ids=1&span=168", "/compare?ids=1"} <= set(links_in(page))
