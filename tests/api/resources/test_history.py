"""Pages, candles and tables of a metric's history."""

import gzip
from datetime import timedelta

import brotli
import numpy as np
import pytest

from services.market.types import Series
from tests import builders
from tests.api.resources.test_metrics import relations
from tests.builders import NOON


def walk(client, address: str, outer: str = "prices") -> list[list[dict[str, object]]]:
    """The rows of each page from `address` on."""
    pages = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json[outer])
        address = relations(answer).get("next")
    return pages


@pytest.mark.parametrize("name", ["price", "volume"])
def test_pages_have_every_sample_once(reader, client, name):
    series = builders.series([float(i) for i in range(10)])
    reader.price_series[3] = reader.volume_series[3] = series

    pages = walk(client, f"/metrics/3/{name}s?limit=4", f"{name}s")

    assert [[row[name] for row in page] for page in pages] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_full_last_page_has_no_next_link(reader, client):
    reader.price_series[3] = builders.series([1.0, 2.0])

    assert "Link" not in client.get("/metrics/3/prices?limit=2").headers
    assert "Link" not in client.get("/metrics/3/prices").headers


def test_pages_keep_the_end_of_the_first_request(reader, client):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0])

    following = relations(client.get("/metrics/kraken:btc-usd/prices?limit=1&interval=raw"))["next"]

    assert following == (
        "/metrics/kraken:btc-usd/prices?limit=1&interval=raw&since=2026-03-01T11:58:00Z&until=2026-03-01T12:00:00Z"
    )


@pytest.mark.parametrize("interval", ["raw", "5m", "1h"])
def test_pages_continue_across_a_gap_of_years(reader, client, interval):
    old = builders.series([1.0, 2.0], until=NOON - timedelta(days=800))
    new = builders.series([3.0])
    reader.price_series[3] = Series(
        *(np.concatenate([getattr(old, name), getattr(new, name)]) for name in ("times", "values", "widths"))
    )

    pages = walk(client, f"/metrics/3/prices?since=2023-01-01&limit=50000&interval={interval}")

    sent = [row["price"] for page in pages for row in page]
    assert sent == ([1.0, 2.0, 3.0] if interval == "raw" else [2.0, 3.0])
    assert len(pages) > 2


@pytest.mark.parametrize(("interval", "seconds"), [("5m", 300), ("1h", 3600)])
def test_paged_candles_equal_the_candles_of_the_whole_span(reader, client, interval, seconds):
    reader.price_series[3] = builders.series([float(i) for i in range(601)])
    reader.volume_series[3] = builders.series([float(i) for i in range(601)])
    address = f"/metrics/3/prices?interval={interval}&since={int(NOON.timestamp()) - 36_000 + 60}"

    pages = walk(client, f"{address}&limit=7")

    whole = client.get(address).json["prices"]
    assert [row for page in pages for row in page] == whole
    assert len(whole) == 36_000 // seconds - 1


def test_five_minutes_have_open_high_low_close_mean_count_and_volume(reader, client):
    reader.price_series[3] = builders.series([9.0, 10.0, 30.0, 5.0, 20.0, 15.0], until=NOON)
    reader.volume_series[3] = builders.series([7.0], until=NOON - timedelta(minutes=1))

    sent = client.get("/metrics/3/prices?interval=5m").json["prices"]

    assert sent[-1] == {
        "price": 15.0,
        "open": 10.0,
        "high": 30.0,
        "low": 5.0,
        "close": 15.0,
        "mean": 16.0,
        "count": 5,
        "volume": 7.0,
        "createdAt": "2026-03-01T11:55:00Z",
    }
    assert [row["price"] for row in sent] == [9.0, 15.0]


@pytest.mark.parametrize(
    ("query", "begins"),
    [
        ("since=2026-03-01T11:50:00Z", ["11:50", "11:55"]),
        ("since=2026-03-01T11:50:01Z", ["11:55"]),
        ("since=2026-03-01T11:45:00Z&until=2026-03-01T11:55:00Z", ["11:45", "11:50"]),
        ("since=2026-03-01T11:45:00Z&until=2026-03-01T11:55:01Z", ["11:45", "11:50", "11:55"]),
    ],
)
def test_five_minute_candles_are_selected_by_their_start(reader, client, query, begins):
    reader.price_series[3] = builders.series([1.0] * 60)

    sent = client.get(f"/metrics/3/prices?interval=5m&{query}").json["prices"]

    assert [row["createdAt"][11:16] for row in sent] == begins


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=50001", "limit: '50001' is not a whole number from 1 to 50000"),
        ("interval=5m&since=2026-01-01", "since: 2026-01-01T00:00:00Z is more than 31 days before"),
    ],
)
def test_a_value_beyond_its_limit_is_refused_by_its_name(client, query, reason):
    answer = client.get(f"/metrics/3/prices?{query}")

    assert answer.status_code == 422
    assert answer.json["detail"].startswith(reason)


@pytest.mark.parametrize("zone", ["+05:30", "%2B05:30", "+0530"])
@pytest.mark.parametrize("time", ["2026-03-01T17:28:00", "2026-03-01%2017:28", "2026-03-01T17:28:00.250"])
def test_a_time_zone_is_understood_if_its_plus_arrives_as_a_space(reader, client, time, zone):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0])

    sent = client.get(f"/metrics/3/prices?since={time}{zone}").json["prices"]

    assert [row["price"] for row in sent] == [2.0, 3.0]


def test_a_space_before_the_time_is_not_a_time_zone(reader, client):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0])

    assert len(client.get("/metrics/3/prices?since=2026-03-01 11:58").json["prices"]) == 2


@pytest.mark.parametrize("interval", ["raw", "5m"])
def test_the_last_representable_second_can_be_requested(client, interval):
    answer = client.get(f"/metrics/3/prices?until=9999-12-31T23:59:59Z&interval={interval}")

    assert (answer.status_code, answer.json) == (200, {"prices": []})


def test_the_next_link_of_a_page_in_the_first_years_can_be_parsed(client):
    following = relations(client.get("/metrics/3/prices?since=0001-01-01&limit=2"))["next"]

    assert "since=0001-02-01T00:00:00Z" in following
    assert client.get(following).status_code == 200


def test_volumes_have_no_intervals(client):
    assert client.get("/metrics/3/volumes?interval=1h").data == client.get("/metrics/3/volumes").data


# ---- tables


def test_a_series_as_csv_has_the_width_of_every_sample(reader, client):
    reader.price_series[3] = Series(
        np.array([int(NOON.timestamp()) - 60, int(NOON.timestamp())]), np.array([1.5, 2.0]), np.array([300, 60])
    )
    assert client.get("/metrics/3/prices?format=csv").text == (
        "price,created_at,width\r\n1.5,2026-03-01T11:59:00Z,300\r\n2.0,2026-03-01T12:00:00Z,60\r\n"
    )
    assert client.get("/metrics/3/volumes", headers={"Accept": "text/csv"}).text == "volume,created_at,width\r\n"


@pytest.mark.parametrize(("encoding", "unzip"), [("gzip", gzip.decompress), ("br", brotli.decompress)])
def test_csv_is_compressed_for_clients_that_accept_it(reader, client, encoding, unzip):
    reader.price_series[3] = builders.series([1 / number for number in range(1, 1000)])

    plain = client.get("/metrics/3/prices?format=csv")
    zipped = client.get("/metrics/3/prices?format=csv", headers={"Accept-Encoding": encoding})

    assert (plain.headers.get("Content-Encoding"), zipped.headers["Content-Encoding"]) == (None, encoding)
    assert unzip(zipped.data) == plain.data
    assert len(zipped.data) < len(plain.data) / 2
    assert "Accept-Encoding" in zipped.headers["Vary"]


def test_candles_as_csv_have_the_columns_of_the_json(reader, client):
    reader.price_series[3] = builders.series([1.0, 3.0, 2.0])
    assert client.get("/metrics/3/prices?format=csv&interval=1h").text == (
        "price,open,high,low,close,mean,count,volume,created_at\r\n2.0,1.0,3.0,1.0,2.0,2.0,3,,2026-03-01T11:00:00Z\r\n"
    )


def test_a_page_of_csv_links_to_the_next(reader, client):
    reader.price_series[3] = builders.series([1.0, 2.0])
    first = client.get("/metrics/3/prices?format=csv&limit=1")
    second = client.get(relations(first)["next"])
    assert second.text == "price,created_at,width\r\n2.0,2026-03-01T12:00:00Z,60\r\n"


def test_a_series_as_records_is_one_plain_array(reader, client):
    reader.price_series[3] = builders.series([1.0])
    assert client.get("/metrics/3/prices?format=records").json == [
        {"price": 1.0, "created_at": "2026-03-01T12:00:00Z", "width": 60}
    ]


def test_alerts_are_available_as_tables_too(reader, client):
    reader.fired = (builders.alert(1, base="=1"),)
    names = (
        "id,metric_id,market,base,quote,price,average,factor,samples,fired_at,state,rule_id,rule,condition,quantity,value,"
        "reference,threshold,muted,resolved_at,acknowledged_at,note,acknowledged_by,no_data_since,reason"
    )
    row = "1,1,kraken,'=1,USD,190000.0,60000.0,3.0,60,2026-03-01T11:55:00Z,firing,0,,,price,,,,false,,,,,,"
    assert client.get("/alerts?format=csv").text == f"{names}\r\n{row}\r\n"
    (record,) = client.get("/alerts?format=records").json
    assert record == client.get("/alerts").json["alerts"][0]


def test_a_table_of_an_unknown_metric_is_not_found(client):
    assert client.get("/metrics/99/prices?format=csv").status_code == 404
    assert client.get("/metrics/99/prices", headers={"If-None-Match": "*", "Accept": "text/csv"}).status_code == 404
