import gzip
import json
from datetime import timedelta, timezone

import brotli
import numpy as np
import pytest

from services.market.status import SetAside
from services.market.types import Series
from tests import builders
from tests.api.conftest import serve
from tests.builders import NOON
from tests.fakes import FakeReader


def strict(text: bytes) -> object:
    """Parse JSON, and refuse the NaN and Infinity that Python would let pass."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(text, parse_constant=refuse)


# ---- fields that clients of the original service read


def test_metrics_are_listed_by_rank_and_those_without_prices_last(client):
    answer = client.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert [(row["id"], row["rank"]) for row in answer.json["metrics"]] == [(3, 1), (1, 2), (2, None)]


def test_a_metric_has_the_documented_fields_and_values(client):
    assert client.get("/metrics/3").json == {
        "metric": {
            "id": 3,
            "market": "kraken",
            "base": "BTC",
            "quote": "USD",
            "rank": 1,
            "rank_1h_ago": 3,
            "stdev": 812.25,
            "price": 60_123.4,
            "mean": 60_000.0,
            "average_1h": 60_050.5,
            "change_1h": 0.0125,
            "change_24h": -0.034,
            "range_1h": 0.004,
            "range_24h": 0.05,
            "high_24h": 62_475.0,
            "low_24h": 59_500.0,
            "volatility": 812.25 / 60_000.0,
            "log_volatility": 0.62,
            "volume_24h": 1234.5,
            "samples": 1440,
            "active": True,
            "reason": None,
            "updated_at": "2026-03-01T12:00:00Z",
            "alerted_at": None,
            "new_at": None,
            "stale": False,
            "coverage": 1.0,
        }
    }


def test_the_ranking_and_the_single_metric_are_equal(client):
    assert client.get("/metrics").json["metrics"][1] == client.get("/metrics/1").json["metric"]


def test_prices_cover_the_last_day_oldest_first(reader, client):
    day = NOON - timedelta(hours=24)
    reader.price_series[3] = Series(
        np.array([int((day + timedelta(minutes=m)).timestamp()) for m in (0, 1, 1440)]),
        np.array([1.0, 2.5, 3.0]),
        np.array([60, 60, 60]),
    )
    assert client.get("/metrics/3/prices").json == {
        "prices": [
            {"price": 2.5, "createdAt": "2026-02-28T12:01:00Z"},
            {"price": 3.0, "createdAt": "2026-03-01T12:00:00Z"},
        ]
    }


def test_a_price_from_a_coarser_candle_has_its_width(reader, client):
    reader.price_series[3] = Series(
        np.array([int(NOON.timestamp()) - 60, int(NOON.timestamp())]), np.array([1.0, 2.0]), np.array([300, 60])
    )
    assert client.get("/metrics/3/prices").json["prices"] == [
        {"price": 1.0, "createdAt": "2026-03-01T11:59:00Z", "width": 300},
        {"price": 2.0, "createdAt": "2026-03-01T12:00:00Z"},
    ]


def test_hours_have_open_high_low_close_mean_count_and_volume_oldest_first(reader, client):
    reader.price_series[3] = Series(
        np.array([int(NOON.timestamp()) - ago for ago in (7200 - 60, 5400, 3600, 3600 - 60)]),
        np.array([10.0, 30.0, 20.0, 5.0]),
        np.array([60, 60, 120, 60]),
    )
    reader.volume_series[3] = builders.series([7.0, 8.0], until=NOON - timedelta(hours=1))

    answer = client.get("/metrics/3/prices?interval=1h")

    assert strict(answer.data) == {
        "prices": [
            {
                "price": 20.0,
                "open": 10.0,
                "high": 30.0,
                "low": 10.0,
                "close": 20.0,
                "mean": 20.0,
                "count": 3,
                "volume": 8.0,
                "createdAt": "2026-03-01T10:00:00Z",
            },
            {
                "price": 5.0,
                "open": 5.0,
                "high": 5.0,
                "low": 5.0,
                "close": 5.0,
                "mean": 5.0,
                "count": 1,
                "volume": None,
                "createdAt": "2026-03-01T11:00:00Z",
            },
        ]
    }


def test_hours_cover_the_last_thirty_days(reader, client):
    reader.price_series[3] = builders.series([float(i) for i in range(24 * 40)], step=3600)

    sent = client.get("/metrics/3/prices?interval=1h").json["prices"]

    assert (len(sent), sent[0]["createdAt"], sent[-1]["createdAt"]) == (
        720,
        "2026-01-30T12:00:00Z",
        "2026-03-01T11:00:00Z",
    )


def test_the_current_hour_is_sent_with_its_samples_so_far(reader):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0], until=NOON + timedelta(minutes=2))
    late = serve(reader, lambda: NOON + timedelta(minutes=2))

    sent = late.get("/metrics/3/prices?interval=1h").json["prices"]

    assert [(row["createdAt"], row["price"], row["count"]) for row in sent] == [
        ("2026-03-01T11:00:00Z", 1.0, 1),
        ("2026-03-01T12:00:00Z", 3.0, 2),
    ]


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ("since=2026-03-01T09:00:00Z", ["09:00", "10:00", "11:00"]),
        ("since=2026-03-01T09:00:01Z", ["10:00", "11:00"]),
        ("until=2026-03-01T11:00:00Z&since=2026-03-01T09:00:00Z", ["09:00", "10:00"]),
        ("until=2026-03-01T11:00:01Z&since=2026-03-01T09:00:00Z", ["09:00", "10:00", "11:00"]),
        ("until=2025-01-01", []),
    ],
)
def test_hours_are_selected_by_their_start(reader, client, query, hours):
    reader.price_series[3] = builders.series([1.0] * 300)

    assert times(client.get(f"/metrics/3/prices?interval=1h&{query}")) == hours


def test_raw_prices_are_the_default_interval(reader, client):
    reader.price_series[3] = builders.series([1.0, 2.0])

    assert client.get("/metrics/3/prices?interval=raw").json == client.get("/metrics/3/prices").json
    assert client.get("/metrics/2/prices?interval=1h").json == {"prices": []}


def test_volumes_have_the_format_of_prices(reader, client):
    reader.volume_series[3] = builders.series([10.0, 20.5])
    assert client.get("/metrics/3/volumes").json == {
        "volumes": [
            {"volume": 10.0, "createdAt": "2026-03-01T11:59:00Z"},
            {"volume": 20.5, "createdAt": "2026-03-01T12:00:00Z"},
        ]
    }


def test_a_metric_without_samples_has_an_empty_series(client):
    assert client.get("/metrics/2/prices").json == {"prices": []}
    assert client.get("/metrics/2/volumes").json == {"volumes": []}


def test_alerts_come_newest_first_with_their_figures(reader, client):
    reader.fired = (builders.alert(1, fired_at=NOON - timedelta(hours=2)), builders.alert(2))
    sent = client.get("/alerts").json["alerts"]
    assert [row["id"] for row in sent] == [2, 1]
    assert sent[0] == {
        "id": 2,
        "metric_id": 1,
        "market": "kraken",
        "base": "BTC",
        "quote": "USD",
        "price": 190_000.0,
        "average": 60_000.0,
        "factor": 3.0,
        "samples": 60,
        "fired_at": "2026-03-01T11:55:00Z",
        "state": "firing",
        "rule_id": 0,
        "rule": None,
        "condition": None,
        "quantity": "price",
        "value": None,
        "reference": None,
        "threshold": None,
        "muted": False,
        "no_data_since": None,
        "resolved_at": None,
        "reason": None,
        "acknowledged_at": None,
        "note": None,
        "acknowledged_by": None,
    }


def test_nan_becomes_null(reader, client):
    reader.put(builders.ranked_metric(1, stdev=float("nan"), price=float("inf"), volume_24h=None))
    reader.price_series[1] = builders.series([float("nan"), 1.0])
    row = strict(client.get("/metrics").data)["metrics"][0]
    assert (row["stdev"], row["price"], row["volume_24h"]) == (None, None, None)
    assert strict(client.get("/metrics/1/prices").data)["prices"][0]["price"] is None


# ---- keys


@pytest.mark.parametrize("wanted", ["3", "003", "kraken:BTC-USD", "kraken:btc-usd", "KRAKEN:Btc-uSD"])
def test_a_metric_is_found_by_number_or_by_key_in_any_case(client, wanted):
    assert client.get(f"/metrics/{wanted}").json["metric"]["id"] == 3


def test_a_key_finds_the_series_too(reader, client):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0])
    reader.volume_series[3] = builders.series([4.0])
    assert [row["price"] for row in client.get("/metrics/kraken:btc-usd/prices").json["prices"]] == [1.0, 2.0, 3.0]
    assert [row["volume"] for row in client.get("/metrics/kraken:BTC-usd/volumes").json["volumes"]] == [4.0]


def test_a_key_keeps_letters_that_are_quoted_in_urls(reader, client):
    reader.put(builders.ranked_metric(1, base="ÄÖ+X"))
    assert client.get("/metrics/kraken:%C3%84%C3%96+X-USD").json["metric"]["base"] == "ÄÖ+X"


# ---- query values


def times(answer) -> list[str]:
    return [row["createdAt"][11:16] for row in answer.json["prices"]]


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ("since=2026-03-01T11:58:00Z", ["11:59", "12:00"]),
        ("since=2026-03-01T11:58:00", ["11:59", "12:00"]),
        ("since=2026-03-01T12:58:00%2B01:00", ["11:59", "12:00"]),
        (f"since={int(NOON.timestamp()) - 120}", ["11:59", "12:00"]),
        ("until=2026-03-01T11:57:00Z", ["11:56", "11:57"]),
        ("since=2026-03-01T11:56:00Z&until=2026-03-01T11:58:00Z", ["11:57", "11:58"]),
        ("since=1969-12-31&until=1970-01-01", []),
    ],
)
def test_a_series_can_be_requested_between_two_times(reader, client, query, minutes):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0, 4.0, 5.0])
    assert times(client.get(f"/metrics/3/prices?{query}")) == minutes


def test_a_series_ends_with_the_current_period(reader):
    reader.price_series[3] = builders.series([1.0, 2.0], until=NOON + timedelta(minutes=1))
    late = serve(reader, lambda: NOON + timedelta(seconds=59))
    assert times(late.get("/metrics/3/prices")) == ["12:00"]


def test_the_default_span_is_the_configured_window():
    reader = FakeReader(profile=builders.profile(window_hours=0.05), metrics=(builders.ranked_metric(1),))
    reader.price_series[1] = builders.series([1.0, 2.0, 3.0, 4.0, 5.0])
    assert times(serve(reader).get("/metrics/1/prices")) == ["11:58", "11:59", "12:00"]


def test_alerts_can_be_filtered_by_time_and_metric_and_limited(reader, client):
    reader.fired = (
        builders.alert(1, metric_id=1, fired_at=NOON - timedelta(hours=3)),
        builders.alert(2, metric_id=3, fired_at=NOON - timedelta(hours=2)),
        builders.alert(3, metric_id=1, fired_at=NOON - timedelta(hours=1)),
    )

    def ids(query: str) -> list[int]:
        return [row["id"] for row in client.get(f"/alerts?{query}").json["alerts"]]

    assert ids("since=2026-03-01T10:00:00Z") == [3, 2]
    assert ids("metric=1") == [3, 1]
    assert ids("metric=kraken:BTC-USD") == [2]
    assert ids("limit=1") == [3]
    assert ids("limit=10000&metric=1&since=2026-03-01T10:30:00Z") == [3]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/metrics/3/prices?since=yesterday", "since"),
        ("/metrics/3/prices?until=", "until"),
        ("/metrics/3/prices?until=99999999999999999999999", "until"),
        ("/metrics/3/prices?until=0001-01-01", "until"),
        ("/metrics/3/prices?since=0001-01-01T00:00:00%2B10:00", "since"),
        ("/metrics/3/prices?since=2026-03-01T12:00:00Z", "since"),
        ("/metrics/3/volumes?since=2026-03-02", "since"),
        ("/metrics/3/volumes?since=1e9", "since"),
        ("/metrics/3/volumes?until=-5", "until"),
        ("/metrics/3/prices?interval=2m", "interval"),
        ("/metrics/3/prices?interval=", "interval"),
        ("/metrics/3/prices?interval=1H", "interval"),
        ("/metrics/3/prices?interval=" + "x" * 5000, "interval"),
        ("/metrics/3/prices?interval=1h&until=0001-01-01", "until"),
        ("/metrics/3/prices?interval=1h&since=0001-01-01", "since"),
        ("/alerts?since=noon", "since"),
        ("/alerts?limit=0", "limit"),
        ("/alerts?limit=-1", "limit"),
        ("/alerts?limit=10001", "limit"),
        ("/alerts?limit=1.5", "limit"),
        ("/alerts?limit=%C2%B2", "limit"),
        ("/alerts?limit=" + "9" * 5000, "limit"),
    ],
)
def test_an_invalid_query_value_is_named_in_the_error(client, address, name):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert answer.json["detail"].startswith(f"{name}: ")
    assert len(answer.data) < 400


def test_the_error_for_an_unknown_interval_names_the_known_ones(client):
    assert client.get("/metrics/3/prices?interval=2m").json["detail"] == "interval: '2m' is none of raw, 5m, 1h"


@pytest.mark.parametrize(
    ("address", "days"),
    [("/metrics/3/prices?", 31), ("/metrics/3/volumes?", 31), ("/metrics/3/prices?interval=1h&", 366)],
)
def test_a_span_beyond_the_maximum_is_refused_with_the_maximum(client, address, days):
    longest = int((NOON - timedelta(days=days)).timestamp())

    assert client.get(f"{address}since={longest}").status_code == 200
    refused = client.get(f"{address}since={longest - 1}")

    assert refused.status_code == 422
    assert refused.json["detail"].startswith("since: ")
    assert f"more than {days} days before 2026-03-01T12:00:00Z" in refused.json["detail"]


def test_the_longest_window_is_accepted_as_the_default_span():
    reader = FakeReader(profile=builders.profile(window_hours=24 * 31), metrics=(builders.ranked_metric(1),))

    assert serve(reader).get("/metrics/1/prices").status_code == 200


# ---- caching


def test_a_response_is_built_once_per_revision(reader, client):
    reader.price_series[3] = builders.series([1.0])
    for _ in range(5):
        for address in (
            "/metrics",
            "/metrics/3",
            "/metrics/3/prices",
            "/alerts?metric=3",
            "/sparklines?metrics=3",
            "/live",
        ):
            assert client.get(address).status_code == 200
    builds = [call for call in reader.calls if call != "revision"]
    # The metric is looked up for its own response, the prices and the alerts, and once more by the fake's prices. The
    # ranking is read for its own response, and for the minute until which the responses are valid.
    assert sorted(builds) == sorted(
        [
            "ranking",
            "ranking",
            "sparklines",
            "status",
            "prices",
            "alerts",
            "alerts",
            "count_alerts",
            "open_alerts",
            "metric",
            "metric",
            "metric",
            "metric",
        ]
    )


def test_hours_are_built_once_per_revision_separately_from_prices(reader, client):
    year = int((NOON - timedelta(days=365)).timestamp())
    addresses = ("/metrics/3/prices?interval=1h", f"/metrics/1/prices?interval=1h&since={year}", "/metrics/3/prices")
    for _ in range(3):
        for address in addresses:
            assert client.get(address).status_code == 200
    assert [reader.calls.count(call) for call in ("hours", "prices")] == [2, 1]
    reader.put(*reader.metrics)
    for address in addresses:
        client.get(address)
    assert [reader.calls.count(call) for call in ("hours", "prices")] == [4, 2]


def test_few_long_responses_are_cached(reader, client):
    reader.put(*(builders.ranked_metric(id) for id in range(1, 11)))
    since = int((NOON - timedelta(days=20)).timestamp())
    for place, id in enumerate((*range(1, 11), 10, 1)):  # each with a different query
        client.get(f"/metrics/{id}/prices?since={since}&place={place}")
    assert reader.calls.count("prices") == 11


def test_a_new_revision_is_sent_at_once(reader, client):
    assert client.get("/metrics").json["metrics"][0]["price"] == 60_123.4
    reader.put(builders.ranked_metric(3, price=5.0))
    assert client.get("/metrics").json["metrics"][0]["price"] == 5.0
    assert client.get("/metrics/3").json["metric"]["price"] == 5.0


def test_the_span_of_prices_moves_on_with_each_period(reader):
    now = [NOON]
    client = serve(reader, lambda: now[0])
    reader.price_series[3] = builders.series([1.0, 2.0], until=NOON + timedelta(minutes=1))
    assert times(client.get("/metrics/3/prices")) == ["12:00"]
    now[0] += timedelta(minutes=1)
    assert times(client.get("/metrics/3/prices")) == ["12:00", "12:01"]


def test_different_spans_and_metrics_have_different_responses(reader, client):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0])
    assert times(client.get("/metrics/3/prices?since=2026-03-01T11:59:00Z")) == ["12:00"]
    assert times(client.get("/metrics/3/prices")) == ["11:58", "11:59", "12:00"]
    assert times(client.get("/metrics/3/prices?until=2026-03-01T11:59:00Z")) == ["11:58", "11:59"]
    since = "since=2026-03-01T11:00:00Z"
    assert times(client.get(f"/metrics/3/prices?{since}&until=2026-03-01T11:58:00Z")) == ["11:58"]
    assert times(client.get(f"/metrics/3/prices?{since}")) == ["11:58", "11:59", "12:00"]
    assert times(client.get("/metrics/1/prices")) == []
    assert [client.get(f"/metrics/{id}").json["metric"]["id"] for id in (3, 1, 2)] == [3, 1, 2]
    assert client.get("/metrics/3/volumes").json == {"volumes": []}


def test_a_client_that_has_the_answer_gets_304_and_no_body(reader, client):
    tag = client.get("/metrics").headers["ETag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/metrics", headers={"If-None-Match": sent})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag
    reader.put(builders.ranked_metric(3, price=5.0))
    changed = client.get("/metrics", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_a_revision_that_does_not_change_the_body_keeps_the_etag(reader, client):
    tag = client.get("/metrics").headers["ETag"]
    reader.put(*reader.metrics)
    assert client.get("/metrics", headers={"If-None-Match": tag}).status_code == 304


def test_a_large_answer_is_compressed_for_clients_that_accept_it(reader, client):
    reader.put(*(builders.ranked_metric(id) for id in range(1, 21)))
    plain = client.get("/metrics")
    zipped = client.get("/metrics", headers={"Accept-Encoding": "gzip, deflate"})
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.data) == plain.data
    assert int(zipped.headers["Content-Length"]) == len(zipped.data) < len(plain.data)
    assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("zstd", None),
        ("br;q=0", None),
    ],
)
def test_the_encoding_is_the_clients_preferred_one_or_else_the_smaller(reader, client, accepted, encoding):
    reader.put(*(builders.ranked_metric(id) for id in range(1, 21)))
    plain = client.get("/metrics").data

    zipped = client.get("/metrics", headers={"Accept-Encoding": accepted})

    unzip = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert zipped.headers.get("Content-Encoding") == encoding
    assert unzip(zipped.data) == plain


def test_a_response_is_not_compressed_if_refused_or_too_small(reader, client):
    reader.put(*(builders.ranked_metric(id) for id in range(1, 21)))
    refused = client.get("/metrics", headers={"Accept-Encoding": "gzip;q=0"})
    small = client.get("/metrics/3", headers={"Accept-Encoding": "gzip"})
    assert len(refused.data) > 5_000 > 1_000 > len(small.data)
    assert "Content-Encoding" not in refused.headers
    assert "Content-Encoding" not in small.headers


LASTING = (
    "/metrics",
    "/metrics?limit=1",
    "/metrics?format=csv",
    "/metrics/3",
    "/metrics/3/prices",
    "/metrics/3/volumes",
)


@pytest.mark.parametrize("address", LASTING)
def test_max_age_lasts_until_the_next_tick_may_commit(reader, address):
    now = [NOON + timedelta(seconds=12.5)]
    client = serve(reader, lambda: now[0])
    assert client.get(address).headers["Cache-Control"] == "private, max-age=47"
    tag = client.get(address).headers["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}).headers["Cache-Control"] == "private, max-age=47"
    now[0] = NOON + timedelta(seconds=59.5)
    assert client.get(address).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("address", LASTING)
def test_a_response_is_not_cached_while_the_current_tick_is_awaited(reader, address):
    now = [NOON + timedelta(seconds=61)]
    client = serve(reader, lambda: now[0])
    assert client.get(address).headers["Cache-Control"] == "no-cache"
    reader.state = builders.status(revision=8, minute=NOON + timedelta(minutes=1))
    assert client.get(address).headers["Cache-Control"] == "private, max-age=59"


@pytest.mark.parametrize("address", ["/live", "/alerts", "/healthz", "/sparklines"])
def test_responses_that_can_change_between_ticks_must_be_revalidated(client, address):
    assert client.get(address).headers["Cache-Control"] == "no-cache"


def test_nothing_is_cached_before_the_first_tick(reader, client):
    reader.state = builders.status(minute=None)
    assert client.get("/metrics").headers["Cache-Control"] == "no-cache"


def test_head_has_the_length_and_no_body(client):
    head = client.head("/metrics")
    assert (head.status_code, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(client.get("/metrics").data)


# ---- sparklines and the live poll


def test_the_table_has_the_ranking_by_column_with_derived_figures_to_seven_digits(client):
    columns = client.get("/table").json["columns"]
    rows = client.get("/metrics").json["metrics"]
    assert len(rows) == 3
    for name, values in columns.items():
        sent = [row[name] for row in rows]
        assert values == [pytest.approx(one, rel=5e-7) if isinstance(one, float) else one for one in sent], name
    assert columns["price"] == [row["price"] for row in rows]
    assert columns["volatility"][0] == 0.0135375
    assert {"rank", "market", "base", "quote", "active", "alerted_at", "log_volatility"} <= set(columns)
    assert {"stale", "updated_at", "coverage"} <= set(columns)


def test_sparklines_are_keyed_by_metric_number(client):
    sent = client.get("/sparklines?metrics=3,1,99").json
    assert sent["minute"] == "2026-03-01T12:00:00Z"
    assert set(sent["points"]) == set(sent["low"]) == set(sent["high"]) == {"1", "3"}
    assert sent["points"]["3"] == [place * 100 // 23 for place in range(24)]
    price = client.get("/metrics/3").json["metric"]["price"]
    assert (sent["low"]["3"], sent["high"]["3"]) == (price / 1.5, price)


def test_sparklines_without_numbers_cover_the_first_hundred_metrics(reader, client):
    reader.put(*(builders.ranked_metric(number, rank=number) for number in range(1, 131)))
    assert list(client.get("/sparklines").json["points"]) == [str(number) for number in range(1, 101)]


@pytest.mark.parametrize("metrics", ["x", "1,,2", "-1", ",".join(map(str, range(101)))])
def test_sparklines_of_an_invalid_list_of_numbers_are_refused(client, metrics):
    assert client.get(f"/sparklines?metrics={metrics}").status_code == 422


def test_the_live_poll_has_the_overall_state(reader, client):
    reader.fired = (
        builders.alert(1, fired_at=NOON - timedelta(days=2)),
        builders.alert(2),
        builders.alert(3, resolved_at=NOON),
        builders.alert(4, acknowledged_at=NOON),
        builders.alert(5, muted=True),
    )
    reader.state = builders.status(
        exchanges=(
            builders.exchange_state("kraken", error="timed out", note="refused values: 1 negative"),
            builders.exchange_state("binance", failing_since=NOON - timedelta(minutes=3), error="timed out", note="x"),
        ),
        backfills=(builders.backfill_state("kraken"), builders.backfill_state("binance", done=20)),
        warnings=("TRACK: kraken:FOO/USD matches nothing",),
        set_aside=SetAside(NOON, NOON + timedelta(days=3), NOON + timedelta(days=3, minutes=5), ticks=6, prices=240),
    )
    sent = client.get("/live").json
    assert [alert["id"] for alert in sent.pop("alerts")] == [2, 1]
    assert sent == {
        "revision": 7,
        "minute": "2026-03-01T12:00:00Z",
        "period": 60,
        "simulated": False,
        "stale": False,
        "database_away_since": None,
        "tracked": 10,
        "live": 10,
        "stale_metrics": 0,
        "exchanges": [
            {"market": "kraken", "failing_since": None, "error": None, "note": "refused values: 1 negative"},
            {"market": "binance", "failing_since": "2026-03-01T11:57:00Z", "error": "timed out", "note": None},
        ],
        "backfills": [{"market": "kraken", "done": 5, "failed": 0, "total": 20}],
        "warnings": ["TRACK: kraken:FOO/USD matches nothing"],
        "set_aside": {
            "at": "2026-03-01T12:00:00Z",
            "first": "2026-03-04T12:00:00Z",
            "last": "2026-03-04T12:05:00Z",
            "ticks": 6,
            "prices": 240,
        },
        "cannot_write": None,
        "unattended": 2,
    }


def test_staleness_is_reported_within_a_second_without_a_new_revision(reader):
    now = [NOON]
    client = serve(reader, lambda: now[0])
    assert client.get("/live").json["stale"] is False
    reader.state = builders.status(stale=True)
    assert client.get("/live").json["stale"] is False
    now[0] += timedelta(seconds=1)
    assert client.get("/live").json["stale"] is True


def test_all_prices_become_stale_with_the_tick_without_a_new_revision(reader):
    now = [NOON]
    client = serve(reader, lambda: now[0])
    reader.put(builders.ranked_metric(3, rank=1), builders.ranked_metric(4, rank=2, stale=True))

    def sent() -> list[list[bool]]:
        whole, page = (client.get(address).json["metrics"] for address in ("/metrics", "/metrics?limit=2"))
        single = [client.get(f"/metrics/{number}").json["metric"] for number in (3, 4)]
        sheet = client.get("/metrics?format=csv&fields=stale").text.split()[1:]
        table = client.get("/table").json["columns"]["stale"]
        rows = ([row["stale"] for row in some] for some in (whole, page, single))
        return [*rows, [one == "true" for one in sheet], table]

    for seconds, stale in ((0, [False, True]), (180, [False, True]), (181, [True, True]), (60, [False, True])):
        now[0] = NOON + timedelta(seconds=seconds)
        assert sent() == [stale] * 5, seconds


def test_no_metric_counts_as_live_while_the_tick_is_stale(reader, client):
    reader.state = builders.status(tracked=10, trading=9, priced=7)
    live = client.get("/live").json
    assert (live["tracked"], live["live"], live["stale_metrics"]) == (10, 7, 2)
    reader.state = builders.status(tracked=10, trading=9, priced=7, stale=True, revision=8)
    live = client.get("/live").json
    assert (live["live"], live["stale_metrics"]) == (0, 9)


# ---- health


def test_healthz_is_alive_without_asking_the_database(reader, client):
    reader.down = True
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})
    assert reader.calls == []


def test_readyz_is_ready_after_a_recent_tick(client):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "minute": "2026-03-01T12:00:00Z"})


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (builders.status(minute=None), "No tick yet"),
        (builders.status(stale=True), "Last tick too old"),
        (builders.status(stale=True, minute=NOON + timedelta(days=3)), "Last tick yet to come"),
    ],
)
def test_readyz_is_not_ready_without_a_recent_tick(reader, client, state, reason):
    reader.state = state
    answer = client.get("/readyz")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert (answer.json["status"], answer.json["reason"]) == (503, reason)


def test_readyz_is_not_ready_without_the_database(reader, client):
    reader.down = True
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["reason"]) == (503, "Database unavailable")


def test_a_response_from_memory_is_marked_and_readyz_fails(reader, client):
    reader.state = builders.status(away_since=NOON)
    assert client.get("/live").json["database_away_since"] == "2026-03-01T12:00:00Z"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["reason"]) == (503, "Database unavailable")
    assert answer.json["detail"] == "the database has not answered since 2026-03-01T12:00:00Z"


def test_readyz_recovers(reader, client):
    reader.down = True
    assert client.get("/readyz").status_code == 503
    reader.down = False
    assert client.get("/readyz").status_code == 200


def test_times_of_any_zone_are_sent_in_utc(reader, client):
    there = NOON.astimezone(timezone(timedelta(hours=9)))
    reader.put(builders.ranked_metric(1, updated_at=there, alerted_at=there))
    row = client.get("/metrics/1").json["metric"]
    assert (row["updated_at"], row["alerted_at"]) == ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z")
