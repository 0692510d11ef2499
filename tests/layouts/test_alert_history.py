from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from layouts import alert_filters, alert_query, alert_table
from layouts.alert_query import Filters
from layouts.alert_table import Shown
from layouts.notation import MINUS, TIMES
from services.market.alerting.alerts import Alert, AlertQuery, Mute
from tests import builders
from tests.builders import NOON
from tests.layouts.reading import actions_in, links_in, text_of, walk

HALVED = {
    "rule_id": 3, "rule": "Halved", "condition": "price falls by more than 50 % within 1 h", "average": None,
    "factor": None,
    "samples": 0, "price": 30_000.0, "value": 30_000.0, "reference": 62_500.0, "threshold": 31_250.0,
}  # fmt: skip


def shown(*alerts: Alert, total: int | None = None, **changes: Any) -> str:
    filters = changes.pop("filters", Filters())
    page = Shown(filters, alerts, len(alerts) if total is None else total, 0, {}, **changes)
    return text_of(alert_table.body(page, UTC))


def test_filters_are_read_from_the_address_and_invalid_ones_are_ignored():
    search = "?tab=history&q=+btc+&rule=3&state=firing&span=24h&unseen=1&page=4"
    assert alert_query.filters_at(search) == Filters("btc", "3", "firing", "24h", True, 4)
    assert alert_query.filters_at("?rule=x&state=maybe&span=2y&page=0&unseen=") == Filters()
    assert alert_query.filters_at("") == Filters()


def test_filters_become_the_query_of_their_page():
    filters = Filters("btc", "3", "firing", "24h", True, 4)

    assert alert_query.query_of(filters, NOON) == AlertQuery(
        since=NOON - timedelta(days=1),
        rule_id=3,
        state="firing",
        unacknowledged=True,
        search="btc",
        limit=50,
        offset=150,
    )
    csv = "/alerts?format=csv&limit=10000&words=btc&rule=3&state=firing&since=1772280000&unacknowledged=true"
    assert alert_query.csv_path(filters, NOON) == csv
    assert alert_query.csv_path(Filters(), NOON) == "/alerts?format=csv&limit=10000"


@pytest.mark.parametrize(
    ("alert", "text"),
    [
        (builders.alert(), f"190,000.00|3.2{TIMES}|average 60,000.00 · 60 samples"),
        (builders.alert(**HALVED), f"30,000.00|{MINUS}52.00 %|from 62,500.00 · threshold 31,250.00"),
        (
            builders.alert(quantity="volume", value=2e6, average=5e5, factor=3.0, threshold=1.5e6),
            f"2.00 M|4.0{TIMES}|average 500.00 K · threshold 1.50 M",
        ),
        (
            builders.alert(quantity="rank", value=7.0, average=None, reference=12.0, threshold=10.0, samples=0),
            "rank 7|threshold rank 10 · price 190,000.00",
        ),
        (
            builders.alert(quantity="volatility", value=0.05, average=None, threshold=0.04, samples=0),
            "5.00 %|threshold 4.00 % · price 190,000.00",
        ),
    ],
)
def test_the_figures_of_an_alert_have_their_units(alert, text):
    page_text = text_of(alert_table.figures(alert))
    for part in text.split("|"):
        assert part in page_text


def test_an_alert_shows_how_long_it_lasted_and_who_acknowledged_it():
    over = builders.alert(resolved_at=NOON, acknowledged_at=NOON, acknowledged_by="ann", note="a listing", muted=True)

    page_text = shown(over)

    for text in (
        "Built-in rule", "Resolved", "after 5 min, until 1 Mar 2026, 12:00", "Muted", "by ann", "a listing",
    ):  # fmt: skip
        assert text in page_text
    assert "Firing" not in page_text
    assert "Firing|since 11:55" in shown(builders.alert())


def test_an_alert_without_data_shows_since_when_and_is_not_shown_as_resolved():
    page_text = shown(builders.alert(no_data_since=NOON))

    assert "No data|since 1 Mar 2026, 12:00" in page_text
    assert "Resolved" not in page_text
    assert "Firing" not in page_text


def test_an_alert_that_ended_because_its_average_caught_up_shows_that_reason():
    page_text = shown(builders.alert(resolved_at=NOON, reason="average_caught_up"))

    assert "after 5 min, until 1 Mar 2026, 12:00: its average caught up" in page_text


def test_an_acknowledged_alert_has_no_button_to_acknowledge_it():
    assert "Acknowledge" in shown(builders.alert())
    assert shown(builders.alert(acknowledged_at=NOON)).count("Acknowledge") == 1  # the time


def test_the_buttons_of_an_alert_contain_its_name():
    page = Shown(Filters(), (builders.alert(4, metric_id=9), builders.alert(3, acknowledged_at=NOON)), 2, 1, {})

    actions = actions_in(alert_table.body(page, UTC))

    name = "BTC/USD on kraken"
    assert actions[:3] == [
        {"act": "acknowledge", "number": "4", "metric": "9", "name": name},
        {"act": "mute", "number": "4", "metric": "9", "name": name},
        {"act": "mute", "number": "3", "metric": "1", "name": name},
    ]


def test_each_alert_links_to_its_metric():
    page = Shown(Filters(), (builders.alert(2, metric_id=9), builders.alert(1)), 2, 2, {})

    assert links_in(alert_table.body(page, UTC)) == ["/metric/9", "/metric/1"]


def test_a_page_shows_its_range_and_the_number_of_alerts():
    assert "51 to 100 of 10,000" in shown(builders.alert(), total=10_000, filters=Filters(page=2))
    assert "101 to 120 of 120" in shown(builders.alert(), total=120, filters=Filters(page=3))


def test_the_pager_ends_at_the_last_page():
    def turns(page: int) -> list[tuple[str, bool]]:
        history = Shown(Filters(page=page), (builders.alert(),), 120, 0, {})
        buttons = [one for one in walk(alert_table.body(history, UTC)) if getattr(one, "data-act", None) == "page"]
        return [(getattr(one, "data-page"), one.disabled) for one in buttons]

    assert turns(1) == [("0", True), ("2", False)]
    assert turns(2) == [("1", False), ("3", False)]
    assert turns(3) == [("2", False), ("4", True)]


def test_all_filtered_alerts_are_acknowledged_up_to_the_newest_shown():
    tools = alert_filters.tools("/alerts?format=csv", 12, 99)

    assert links_in(tools) == ["/alerts?format=csv"]
    assert text_of(tools) == "CSV|Acknowledge all 12"
    assert actions_in(tools) == [{"act": "all", "count": "12", "newest": "99"}]
    assert text_of(alert_filters.tools("", 0, 99)) == "CSV|All acknowledged"
    buttons = [alert_filters.tools("", unacknowledged, 0)[1] for unacknowledged in (None, 0, 1)]
    assert [button.disabled for button in buttons] == [True, True, False]


def test_an_empty_history_shows_the_reason():
    assert "No alert has fired yet" in shown()
    assert "No alert passes these filters" in shown(filters=Filters(q="doge"))


def test_muted_metrics_are_listed_with_the_end_of_the_mute():
    until = Mute(1, None, 1, NOON, "known", NOON)
    muted = [
        (until, builders.ranked_metric(1)),
        (replace(until, id=2, until=None, rule_id=3), builders.ranked_metric(2)),
    ]

    page_text = shown(muted=muted)

    assert "muted until 1 Mar 2026, 12:00: known" in page_text
    assert "muted for one rule until it resolves" in page_text
    page = Shown(Filters(), (), 0, 0, {}, muted)
    assert actions_in(alert_table.body(page, UTC)) == [
        {"act": "unmute", "number": "1"},
        {"act": "unmute", "number": "2"},
    ]


def test_the_rule_filter_lists_rules_by_name_after_the_built_in_one():
    offered = alert_filters.rule_choices({3: "Zebra", 5: "ant", 0: None}, "9")

    assert [(one["value"], one["label"]) for one in offered] == [
        ("any", "Any rule"), ("0", "Built-in rule"), ("5", "ant"), ("9", "Rule 9"), ("3", "Zebra"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(40, "40 s"), (60, "1 min"), (7_500, "2 h 5 min"), (7_200, "2 h"), (273_600, "3 d 4 h"), (172_800, "2 d")],
)
def test_durations_are_written_in_their_two_largest_units(seconds, text):
    assert alert_table.lasting(timedelta(seconds=seconds)) == text
