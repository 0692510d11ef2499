import logging

import pytest

from tests.api.conftest import serve
from tests.fakes import fake_dependencies


@pytest.mark.parametrize(
    "address",
    [
        "/metrics/",
        "/metrics//",
        "/metrics//1",
        "/metrics/1/",
        "/metrics/1/prices/",
        "/metrics/1/nothing",
        "/metrics/1/prices/2",
        "/alerts/",
        "/alerts//",
        "/alerts/1",
        "/alerts/x/y",
    ],
)
def test_unknown_paths_are_problems_and_not_the_dashboard(client, address):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.json == {
        "title": "Not Found",
        "status": 404,
        "detail": f"nothing at {address}",
        "reason": "Resource not found",
    }


@pytest.mark.parametrize("address", ["/", "/metric/1", "/alerting", "/metricsx", "/live/", "/status"])
def test_other_paths_show_the_dashboard(client, address):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.text.startswith("<html>the dashboard")


@pytest.mark.parametrize(
    "wanted",
    [
        "nonsense",
        "-1",
        "1.0",
        "1e3",
        "%C2%B2",
        "%D9%A1",
        "9" * 19,
        "kraken:BTCUSD",
        "kraken-BTC-USD",
        "kraken:BTC-%00",
        "kraken:BTC-USD%0A",
        "kraken:" + "X" * 100 + "-USD",
    ],
)
@pytest.mark.parametrize("rest", ["", "/prices", "/volumes"])
def test_an_impossible_id_is_not_found_without_a_look_up(reader, client, wanted, rest):
    answer = client.get(f"/metrics/{wanted}{rest}")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.json["reason"] == "Resource not found"
    assert "metric" not in reader.calls


@pytest.mark.parametrize(
    "address",
    [
        "/metrics/99",
        "/metrics/999999999999999999",
        "/metrics/kraken:DOGE-USD",
        "/metrics/99/prices",
        "/metrics/99/prices?interval=1h",
        "/metrics/99/volumes",
        "/alerts?metric=99",
        "/alerts?metric=nonsense",
        "/alerts?metric=",
    ],
)
def test_a_metric_that_does_not_exist_is_not_found(client, address):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert (answer.json["title"], answer.json["status"]) == ("Not Found", 404)
    assert answer.json["reason"] == "Resource not found"


def test_a_metric_is_found_once_it_exists(reader, client):
    before = reader.metrics
    reader.metrics = ()
    assert client.get("/metrics/3").status_code == 404
    reader.metrics = before
    assert client.get("/metrics/3").status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/metrics", "/metrics/1", "/metrics/1/prices", "/alerts", "/live", "/healthz"],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_a_problem_with_the_allowed_ones(client, address, method):
    answer = client.open(address, method=method)
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert (answer.json["title"], answer.json["status"]) == ("Method Not Allowed", 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("address", ["/metrics/1/nothing", "/alerts/1"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_unknown_api_paths_are_not_found_with_any_method(client, address, method):
    answer = client.open(address, method=method)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert "Allow" not in answer.headers


def test_a_wrong_method_on_a_page_gets_the_response_of_flask(client):
    answer = client.post("/metric/1")
    assert (answer.status_code, answer.mimetype) == (405, "text/html")


@pytest.mark.parametrize(
    "address",
    [
        "/metrics",
        "/metrics/1",
        "/metrics/1/prices",
        "/metrics/1/prices?interval=1h",
        "/metrics/1/volumes",
        "/alerts",
        "/table",
        "/sparklines",
        "/live",
        "/readyz",
    ],
)
def test_a_database_outage_is_reported_and_not_cached(reader, client, address):
    reader.down = True
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.json == {
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the database is away",
        "reason": "Database unavailable",
    }
    reader.down = False
    assert client.get(address).status_code == 200


def test_an_internal_error_is_a_problem_without_details(reader):
    def broken():
        raise ZeroDivisionError("inner secret")

    client = serve(reader, broken)
    answer = client.get("/metrics/3/prices")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.json["title"] == "Internal Server Error"
    assert b"secret" not in answer.data


def test_without_a_dashboard_unknown_paths_are_the_same_problems(reader):
    from flask import Flask

    from api.routes import mount

    server = Flask(__name__)
    mount(server, fake_dependencies(reader))
    answer = server.test_client().get("/metrics/1/nothing")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert answer.json["reason"] == "Resource not found"


def test_a_database_outage_is_logged_once_and_so_is_its_end(client, reader, caplog):
    caplog.set_level(logging.INFO)
    reader.down = True
    for _ in range(20):
        assert client.get("/alerts?state=no%0aERROR").status_code == 422
        assert client.get("/metrics/1%0aERROR%20forged").status_code == 503
        assert client.get("/metrics").status_code == 503
        assert client.get("/healthz").status_code == 200
    reader.down = False
    assert client.get("/metrics").status_code == 200

    first, last = caplog.messages
    assert first.startswith("GET: '/metrics/1\\nERROR forged' is not answered: ")
    assert last == "GET: requests are answered again, after 40 failures in 0:00:00"
