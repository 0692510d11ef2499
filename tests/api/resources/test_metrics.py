"""Queries, pages and tables of `/metrics`."""

import csv
import io

import pytest

from api.contract.queries import METRIC_FIELDS
from api.responses.bodies import metric_body
from tests import builders
from tests.api.conftest import serve
from tests.fakes import FakeReader


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(
        metrics=(
            builders.ranked_metric(5, rank=1, market="kraken", base="BTC", quote="USD", price=300.0, change_1h=-0.5),
            builders.ranked_metric(2, rank=2, market="binance", base="BTC", quote="USDT", price=100.0, change_1h=0.5),
            builders.ranked_metric(9, rank=3, market="kraken", base="ETH", quote="USD", price=200.0, change_1h=None),
            builders.ranked_metric(1, rank=4, market="kraken", base="ETH", quote="EUR", price=200.0, change_1h=0.0),
            builders.ranked_metric(4, rank=None, market="demo", base="NEW", quote="USD", price=None, change_1h=None),
        )
    )


def ids(answer) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json["metrics"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("market=kraken", [5, 9, 1]),
        ("market=KRAKEN,demo", [5, 9, 1, 4]),
        ("base=btc", [5, 2]),
        ("quote=USD", [5, 9, 4]),
        ("market=kraken&base=ETH&quote=EUR", [1]),
        ("market=nowhere", []),
        ("q=eth", [9, 1]),
        ("q=btc/usd", [5, 2]),
        ("q=kraken:btc-usd", [5]),
        ("q=usd%20kraken", [5, 9]),
        ("q=Binance", [2]),
        ("q=%20", [5, 2, 9, 1, 4]),
        ("q=nothing", []),
        ("sort=id", [1, 2, 4, 5, 9]),
        ("sort=-id", [9, 5, 4, 2, 1]),
        ("sort=price", [2, 9, 1, 5, 4]),
        ("sort=-price", [5, 9, 1, 2, 4]),
        ("sort=-price,id", [5, 1, 9, 2, 4]),
        ("sort=quote,-price", [1, 5, 9, 4, 2]),
        ("sort=change_1h", [5, 1, 2, 9, 4]),
        ("sort=-change_1h", [2, 1, 5, 9, 4]),
        ("sort=-rank", [1, 9, 2, 5, 4]),
        ("limit=2", [5, 2]),
        ("limit=2&offset=1", [2, 9]),
        ("offset=3", [1, 4]),
        ("offset=99", []),
        ("limit=1&offset=1&market=kraken&sort=id", [5]),
    ],
)
def test_a_query_filters_sorts_and_limits(client, query, expected):
    assert ids(client.get(f"/metrics?{query}")) == expected


def test_only_the_requested_fields_are_sent(client):
    assert client.get("/metrics?fields=price,id&limit=2").json == {
        "metrics": [{"price": 300.0, "id": 5}, {"price": 100.0, "id": 2}]
    }


def test_the_selectable_fields_are_those_of_a_metric():
    assert tuple(metric_body(builders.ranked_metric())) == METRIC_FIELDS


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=10001", "limit: '10001' is not a whole number from 1 to 10000"),
        ("limit=0", "limit: '0' is not a whole number from 1 to 10000"),
        ("offset=-1", "offset: '-1' is not a whole number from 0 to 10000000"),
        ("sort=secret", "sort: 'secret' is none of id, -id, market, "),
        ("sort=--id", "sort: '--id' is none of"),
        ("fields=id,__class__", "fields: '__class__' is none of id, market, "),
        ("market=", "market: '' does not have 1 to 100 characters"),
        ("base=BTC,,ETH", "base: '' does not have 1 to 100 characters"),
        ("quote=" + "x" * 101, "quote: 'xxxx"),
        ("base=" + ",".join("x" * 101), "base: 101 values are more than the 100 allowed"),
        ("q=" + "x" * 101, "q: 'xxxx"),
        ("format=xml", "format: 'xml' is none of json, records, csv"),
    ],
)
def test_an_invalid_value_is_refused_by_its_name(client, query, reason):
    answer = client.get(f"/metrics?{query}")

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert answer.json["detail"].startswith(reason)


@pytest.mark.parametrize("path", ["/metrics", "/metrics/5", "/metrics/5/prices", "/metrics/5/volumes"])
def test_query_parameters_added_by_clients_of_the_original_service_are_ignored(client, path):
    answer = client.get(f"{path}?_=1772366400000&nocache=x{'y' * 500}")

    assert (answer.status_code, answer.data) == (200, client.get(path).data)


@pytest.mark.parametrize("path", ["/alerts", "/stream"])
def test_unknown_query_parameters_are_refused_on_other_routes(client, path):
    answer = client.get(f"{path}?x{'y' * 500}=1")

    assert answer.status_code == 422
    assert answer.json["detail"].startswith("xyyy")
    assert len(answer.data) < 600


# ---- pages


def test_links_lead_through_all_pages_forwards_and_backwards(client):
    seen, address = [], "/metrics?limit=2&quote=USD,USDT"
    while address:
        answer = client.get(address)
        seen.append(ids(answer))
        assert answer.headers["X-Total-Count"] == "4"
        links = relations(answer)
        assert links["first"] == "/metrics?limit=2&quote=USD,USDT&offset=0"
        assert links["last"] == "/metrics?limit=2&quote=USD,USDT&offset=2"
        address = links.get("next")
    assert seen == [[5, 2], [9, 4]]
    assert ids(client.get(links["prev"])) == [5, 2]


def relations(answer) -> dict[str, str]:
    pairs = [link.split("; rel=") for link in answer.headers.get("Link", "").split(", ") if link]
    return {relation.strip('"'): target.strip("<>") for target, relation in pairs}


def test_without_a_limit_there_are_no_pages(client):
    assert "Link" not in client.get("/metrics?market=kraken").headers


def test_values_in_a_link_are_quoted(client):
    answer = client.get("/metrics", query_string={"limit": 1, "q": 'u"> ,\r\nSet-Cookie: x=1'})

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert '"> ' not in relations(answer)["first"]


def test_the_etag_of_a_page_changes_with_the_number_of_pages(reader, client):
    before = client.get("/metrics?limit=1").headers["ETag"]
    reader.put(*reader.metrics[:-1])
    assert client.get("/metrics?limit=1", headers={"If-None-Match": before}).status_code == 200


# ---- tables


def test_csv_has_one_line_per_metric_under_a_header_of_field_names(client):
    answer = client.get("/metrics?format=csv&fields=id,base,price,change_1h,active,updated_at&limit=2&offset=3")

    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    assert answer.text == (
        "id,base,price,change_1h,active,updated_at\r\n"
        "1,ETH,200.0,0.0,true,2026-03-01T12:00:00Z\r\n"
        "4,NEW,,,true,2026-03-01T12:00:00Z\r\n"
    )
    assert answer.headers["X-Total-Count"] == "5"


def test_csv_without_rows_still_has_a_header(client):
    assert client.get("/metrics?format=csv&market=nowhere").text == ",".join(METRIC_FIELDS) + "\r\n"


def test_clients_that_accept_only_csv_get_it(client):
    assert client.get("/metrics", headers={"Accept": "text/csv"}).mimetype == "text/csv"
    assert client.get("/metrics", headers={"Accept": "text/csv;q=0.5, application/json"}).is_json
    assert client.get("/metrics", headers={"Accept": "text/html, */*"}).is_json
    assert client.get("/metrics?format=json", headers={"Accept": "text/csv"}).is_json


def test_records_are_one_plain_array(client):
    assert client.get("/metrics?format=records&fields=id,rank&quote=USD").json == [
        {"id": 5, "rank": 1},
        {"id": 9, "rank": 3},
        {"id": 4, "rank": None},
    ]


@pytest.mark.parametrize("symbol", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x";"y")'])
def test_text_that_a_spreadsheet_would_evaluate_is_escaped_and_numbers_are_not(reader, symbol):
    reader.put(builders.ranked_metric(1, market=symbol, base=symbol, quote=symbol, reason=symbol, change_1h=-0.5))

    text = serve(reader).get("/metrics?format=csv").get_data(as_text=True)
    (row,) = csv.DictReader(io.StringIO(text, newline=""))

    for name in ("market", "base", "quote", "reason"):
        assert row[name] == f"'{symbol}"
    assert row["change_1h"] == "-0.5"


def test_a_client_that_has_the_table_gets_304_and_it_is_not_made(reader, client):
    tag = client.get("/metrics?format=csv").headers["ETag"]

    again = client.get("/metrics?format=csv", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/metrics?format=csv&limit=1").headers["ETag"] != tag
    reader.put(*reader.metrics)
    assert client.get("/metrics?format=csv", headers={"If-None-Match": tag}).status_code == 200


def test_a_selection_is_built_once_per_revision(reader, client):
    for _ in range(3):
        client.get("/metrics?limit=2")
        client.get("/metrics?market=kraken&format=records")
    assert reader.calls.count("ranking") == 3  # once for each selection, and once for the minute


def test_a_long_table_is_sent_in_full(reader):
    reader.put(*(builders.ranked_metric(id) for id in range(1, 12_002)))

    assert serve(reader).get("/metrics?format=csv&fields=id").text.split() == ["id", *map(str, range(1, 12_002))]
