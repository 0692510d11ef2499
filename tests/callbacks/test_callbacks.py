from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from dash import Dash

from app import create_app
from callbacks.metric import PARTS
from layouts import ids, price_chart
from tests import builders
from tests.fakes import FakeDeliveries, FakeReader, fake_dependencies

VIEW = {"path": "/", "zone": "UTC", "retries": 0}


def app_over(reader: FakeReader, deliveries: FakeDeliveries | None = None) -> Dash:
    return create_app(fake_dependencies(reader, deliveries=deliveries))


def fire(app: Dash, trigger: str, known: Mapping[str, Any] | None = None, **values: Any) -> Any:
    """The response when `trigger` (an `id.property`) changes on a page with `values` by id and the rows `known`."""
    known = known or {}
    app._setup_server()
    wanted = tuple(trigger.split("."))
    key, callback = next(
        (key, callback)
        for key, callback in app.callback_map.items()
        if wanted in {(one["id"], one["property"]) for one in callback["inputs"]}
        and "callback" in callback
        and all(one["id"] in values or one["property"] == "known" for one in callback["inputs"] + callback["state"])
    )
    outputs = [dict(zip(("id", "property"), part.rsplit(".", 1), strict=True)) for part in key.strip(".").split("...")]
    body = {
        "output": key,
        "outputs": outputs if key.startswith("..") else outputs[0],
        "inputs": [one | {"value": values[one["id"]]} for one in callback["inputs"]],
        "state": [
            one | {"value": known.get(one["id"]) if one["property"] == "known" else values[one["id"]]}
            for one in callback["state"]
        ],
        "changedPropIds": [trigger],
    }
    return app.server.test_client().post("/_dash-update-component", json=body)


def page_at(reader: FakeReader, path: str, zone: str = "UTC") -> Any:
    answer = fire(app_over(reader), f"{ids.VIEW}.data", **{ids.VIEW: {"path": path, "zone": zone, "retries": 0}})
    assert answer.status_code == 200
    return answer.json["response"]


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(
        metrics=(builders.ranked_metric(1), builders.ranked_metric(2, market="okx", price=60_200.0)),
        price_series={1: builders.series([60_000.0 + i for i in range(1500)])},
        fired=(
            builders.alert(),
            builders.alert(2, metric_id=2, market="okx", fired_at=builders.NOON - timedelta(days=3)),
        ),
    )


@pytest.mark.parametrize(
    ("path", "text", "title"),
    [
        ("/", "ranking-table", ""),
        ("/alerting", "history-search", "Alerts"),
        ("/status", "Recent ticks", "Status"),
        ("/status/", "Recent ticks", "Status"),
        ("/metric/1", "metric-chart", "60,123.40 BTC/USD"),
        ("/metric/OKX:btc-usd", "60,200.00", "60,200.00 BTC/USD"),
        ("/metric/okx%3ABTC-USD", "60,200.00", "60,200.00 BTC/USD"),
        ("/metric/77", "This metric is not tracked", "Unknown metric"),
        ("/metric/9999999999999999999999", "This metric is not tracked", "Unknown metric"),
        ("/metric/1/2", "Page not found", "Not found"),
        ("/metrics", "Page not found", "Not found"),
        ("/nowhere", "Page not found", "Not found"),
    ],
)
def test_each_path_shows_its_page(reader, path, text, title):
    response = page_at(reader, path)

    assert text in str(response[ids.PAGE])
    assert response[ids.TITLE]["data"] == title
    assert response[ids.RETRY]["disabled"] is True


def test_nothing_is_shown_before_the_browser_has_sent_its_path(reader):
    assert fire(app_over(reader), f"{ids.VIEW}.data", **{ids.VIEW: None}).status_code == 204


def test_a_page_is_requested_again_while_the_database_is_down(reader):
    reader.down = True

    response = page_at(reader, "/metric/1")

    assert "The database is unavailable" in str(response[ids.PAGE])
    assert response[ids.RETRY]["disabled"] is False


def test_a_metrics_chart_shows_the_last_24_hours_and_no_more(reader):
    chart = str(page_at(reader, "/metric/1", zone="Asia/Tokyo")[ids.PAGE])

    assert "'x': ['2026-02-28T12:01:00'," in chart
    assert "Time (Asia/Tokyo)" in chart
    assert "'zone': 'Asia/Tokyo'" in chart


def test_a_metrics_chart_begins_with_a_day_for_any_window(reader):
    reader.profile = builders.profile(window_hours=1)

    assert "2026-02-28T12:01:00" in str(page_at(reader, "/metric/1")[ids.PAGE])


def choose(reader: FakeReader, span: str, kind: str = "line") -> Any:
    values = {
        ids.METRIC_SPAN: span,
        ids.METRIC_KIND: kind,
        ids.METRIC_ID: 1,
        ids.METRIC_THRESHOLD: True,
        ids.ZONE_NAME: "UTC",
    }
    return fire(app_over(reader), f"{ids.METRIC_SPAN}.value", **values).json["response"][ids.METRIC_CHART]["figure"]


NOTHING_DRAWN = {"revision": 8}


def follow(reader: FakeReader, drawn: Any = NOTHING_DRAWN, span: str = "24", title: str = "", known: Any = None) -> Any:
    values = {
        ids.METRIC_ASK: drawn,
        ids.METRIC_ID: 1,
        ids.METRIC_SPAN: span,
        ids.METRIC_KIND: "line",
        ids.ZONE_NAME: "UTC",
        ids.METRIC_TITLE: title,
    }
    return fire(app_over(reader), f"{ids.METRIC_ASK}.data", known, **values)


def test_a_new_revision_brings_new_points_and_figures_but_no_new_chart(reader):
    another = choose(reader, "24")["layout"]["meta"] | {"recent": 14.0}  # a price of the current bar arrived late
    response = follow(reader, another).json["response"]

    price = response[ids.METRIC_UPDATE]["data"]["traces"][price_chart.PRICE]
    assert len(price["columns"]["y"]) == 15
    assert price["columns"]["y"][-1] == 61_499.0
    assert "60,123.40" in str(response[ids.METRIC_HEADLINE])
    assert "812.25" in str(response[ids.METRIC_FIGURES])
    assert "60,200.00" in str(response[ids.METRIC_NEIGHBOURS])
    assert "/metric/2" in str(response[ids.METRIC_RANKS])
    assert "190,000.00" in str(response[ids.METRIC_ALERTS])
    assert response[ids.METRIC_TITLE]["data"] == "60,123.40 BTC/USD"


def test_a_metrics_page_gets_only_changes(reader):
    title = "60,123.40 BTC/USD"
    whole = follow(reader, title=title).json["response"]
    known = {identity: part["content"]["known"] for identity, part in whole.items()}
    assert set(known) == set(PARTS)

    assert follow(reader, title=title, known=known).json["response"] == {}

    reader.fired = (builders.alert(7), *reader.fired)
    changed = follow(reader, title=title, known=known).json["response"]
    assert set(changed) == {ids.METRIC_ALERTS}
    *rows, _ = changed[ids.METRIC_ALERTS]["content"]["rows"].values()
    assert [row[1]["key"] for row in rows] == ["alert-7"]


def test_a_page_is_updated_although_its_chart_shows_another_view(reader):
    for drawn in (NOTHING_DRAWN, choose(reader, "1")["layout"]["meta"]):
        response = follow(reader, drawn, span="24").json["response"]

        assert ids.METRIC_UPDATE not in response
        assert "60,123.40" in str(response[ids.METRIC_HEADLINE])


def test_a_page_without_a_metric_gets_no_updates(reader):
    assert follow(reader, drawn=None).status_code == 204


def test_another_zone_updates_the_times_of_a_metric(reader):
    values = {ids.ZONE_NAME: "Asia/Tokyo", ids.TICK_STALE: False, ids.METRIC_ID: 1}

    response = fire(app_over(reader), f"{ids.ZONE_NAME}.data", **values).json["response"]

    page_text = " ".join(str(part["content"]) for part in response.values())
    assert "1 Mar 2026, 21:00" in page_text
    assert "190,000.00" in page_text


def test_the_shown_range_can_be_downloaded(reader):
    values = {ids.METRIC_CSV: 1, ids.METRIC_ID: 1, ids.METRIC_SPAN: "1"}
    file = fire(app_over(reader), f"{ids.METRIC_CSV}.n_clicks", **values).json["response"][ids.METRIC_FILE]["data"]

    assert (file["filename"], file["type"]) == ("kraken-BTC-USD-1h.csv", "text/csv")
    lines = file["content"].splitlines()
    assert len(lines) == 1 + 60
    assert lines[-1] == "2026-03-01T12:00:00Z,61499.0,60"


def test_an_update_during_a_database_outage_changes_nothing_and_shows_a_message(reader):
    reader.down = True

    answer = follow(reader).json

    assert "The database is unavailable" in answer["sideUpdate"][ids.TOAST_TEXT]["children"]
    assert answer["sideUpdate"][ids.TOAST]["is_open"] is True
    assert answer["sideUpdate"][ids.FAILED]["data"] == [f"{ids.METRIC_ASK}.data"]
    assert ids.METRIC_CHART not in answer["response"]


def test_a_metric_that_no_longer_exists_is_named_in_the_message(reader):
    reader.metrics = ()

    assert follow(reader).json["sideUpdate"][ids.TOAST_TEXT]["children"] == "no metric 1"


def test_an_unexpected_error_is_logged_and_not_quoted(reader, caplog):
    reader.price_series = {1: "not a series"}  # type: ignore[dict-item]

    text = follow(reader).json["sideUpdate"][ids.TOAST_TEXT]["children"]

    assert "Something went wrong" in text
    assert "'str' object" in caplog.text
    assert "'str' object" not in text


@pytest.mark.parametrize(("span", "points"), [("1", 60), ("6", 360), ("24", 1440), ("9999", 1440)])
def test_a_range_up_to_a_day_gives_a_chart_of_its_samples(reader, span, points):
    figure = choose(reader, span)

    assert len(figure["data"][price_chart.PRICE]["y"]) == points
    assert figure["data"][price_chart.THRESHOLD]["visible"] is True
    assert "hours" not in reader.calls


@pytest.mark.parametrize(("span", "hours"), [("168", 168), ("720", 720), ("8760", 800)])
def test_a_longer_range_gives_a_chart_of_its_available_hours(reader, span, hours):
    reader.price_series[1] = builders.series([60_000.0 + i for i in range(6 * 800)], step=600)

    figure = choose(reader, span)

    drawn = figure["data"][price_chart.PRICE]
    assert len(drawn["y"]) == 1 + hours
    assert drawn["y"][-2:] == [64_793.0, 64_799.0]
    assert drawn["customdata"][-1] == [64_794.0, 64_799.0]
    assert figure["data"][price_chart.THRESHOLD]["visible"] is True
    assert reader.calls.count("prices") == (hours == 800)  # of the first hour, to find when history begins


def test_alerts_too_old_for_the_list_are_still_marked_in_the_chart(reader):
    reader.price_series[1] = builders.series([60_000.0] * (6 * 800), step=600)
    reader.fired = tuple(
        builders.alert(number, fired_at=builders.NOON - timedelta(hours=2 * number)) for number in range(1, 300)
    )

    assert len(choose(reader, "720")["data"][price_chart.FIRED]["x"]) == 299


def follow_status(reader: FakeReader, live: Any, drawn: Any = (), lead: str = "", known: Any = None) -> Any:
    values = {
        ids.LIVE: live,
        ids.ZONE_NAME: "Asia/Tokyo",
        ids.STATUS_ZONE: lead,
        ids.STATUS_DRAWN: list(drawn),
    }
    return fire(app_over(reader), f"{ids.LIVE}.data", known, **values)


def test_the_open_status_page_shows_the_new_state(reader):
    reader.state = builders.status(exchanges=(builders.exchange_state("okx"),))

    response = follow_status(reader, {"connection": "ok"}).json["response"]

    assert "okx" in str(response[ids.STATUS_OVERVIEW])
    assert "Recent ticks" in str(response[ids.STATUS_TICKS])
    assert response[ids.STATUS_ZONE]["children"] == "Times are Asia/Tokyo"
    assert set(response[ids.STATUS_CHART]["figure"]["data"][0]["y"]) == {340.0}


def test_the_status_page_gets_only_changes(reader):
    whole = follow_status(reader, {"connection": "ok"}).json["response"]
    known = {identity: part["content"]["known"] for identity, part in whole.items() if "content" in part}
    held = {"drawn": whole[ids.STATUS_DRAWN]["data"], "lead": "Times are Asia/Tokyo", "known": known}

    assert follow_status(reader, {"connection": "ok"}, **held).json["response"] == {}

    before = reader.state.ticks
    tick = builders.tick_state(minute=builders.NOON + timedelta(minutes=1))
    reader.state = replace(reader.state, ticks=(tick, *before))
    changed = follow_status(reader, {"connection": "ok"}, **held).json["response"]
    assert set(changed) == {ids.STATUS_TICKS}
    *rows, _ = changed[ids.STATUS_TICKS]["content"]["rows"].values()
    assert [row[1]["key"] for row in rows] == ["2026-03-01T12:01:00+00:00"]

    reader.today = builders.eventful_day()
    changed = follow_status(reader, {"connection": "ok"}, **held).json["response"]
    assert set(changed) == {
        ids.STATUS_OVERVIEW,
        ids.STATUS_TICKS,
        ids.STATUS_LISTINGS,
        ids.STATUS_CHART,
        ids.STATUS_SIZES,
        ids.STATUS_DRAWN,
    }


@pytest.mark.parametrize("live", [None, {"connection": "lost"}, {"connection": "database"}])
def test_the_open_status_page_does_not_change_while_the_server_is_unreachable(reader, live):
    assert follow_status(reader, live).status_code == 204
    assert "status" not in reader.calls


def test_two_apps_do_not_share_callbacks(reader):
    first, second = app_over(reader), app_over(FakeReader())
    for app in (first, second):
        app._setup_server()

    assert first.callback_map.keys() == second.callback_map.keys()
