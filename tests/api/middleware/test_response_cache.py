"""What is answered a second time comes without Flask, and nobody can tell."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from api.middleware.access import Access
from api.middleware.response_cache import OVERHEAD_BYTES, ResponseCache
from api.responses.cached_response import CachedResponse
from api.responses.freshness import Freshness, Present
from app import create_app
from tests import builders
from tests.builders import NOON
from tests.fakes import FakeReader, fake_dependencies

BASIC = {"Authorization": "Basic YW5uOm9wZW4gc2VzYW1l"}
ADDRESSES = (
    "/metrics",
    "/metrics/3",
    "/metrics/kraken:BTC-USD",
    "/metrics/3/prices",
    "/metrics/3/prices?interval=5m",
    "/metrics/3/volumes",
    "/metrics?limit=1&sort=-price",
    "/metrics?format=records&fields=id,price",
)


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(seconds=5)

    def __call__(self):
        return self.now


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(metrics=tuple(builders.ranked_metric(id, base=f"C{id}") for id in range(1, 31)))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def client(reader, time) -> FlaskClient:
    app = create_app(fake_dependencies(reader, time))
    client = app.server.test_client()
    client.reached = []  # what came to Flask
    app.server.before_request(lambda: client.reached.append(1))
    return client


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "headers", [{}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "gzip;q=0.5, br"}, {"Accept-Encoding": "identity"}]
)
def test_the_second_answer_is_the_first_one_without_flask(reader, client, address, headers):
    reader.put(*reader.metrics, builders.ranked_metric(100))  # kraken:BTC-USD
    first = client.get(address, headers=headers)
    second = client.get(address, headers=headers)
    assert len(client.reached) == 1
    assert second.status_code == first.status_code == 200
    assert sorted(second.headers) == sorted(first.headers)
    assert second.data == first.data


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_client_that_has_the_response_gets_304(reader, client, time, address):
    reader.put(*reader.metrics, builders.ranked_metric(100))
    tag = client.get(address).headers["ETag"]
    known = {"If-None-Match": f'W/"other", {tag}'}
    second = client.get(address, headers=known)
    assert (len(client.reached), second.status_code, second.data) == (1, 304, b"")
    elsewhere = create_app(fake_dependencies(reader, time)).server.test_client()
    anew = elsewhere.get(address, headers=known)
    assert (anew.status_code, sorted(anew.headers)) == (304, sorted(second.headers))


def test_other_requests_have_other_answers(client):
    client.get("/metrics")
    assert client.get("/metrics", headers={"Accept": "text/csv"}).mimetype == "text/csv"
    assert client.get("/metrics?limit=1").json != client.get("/metrics").json
    assert client.get("/metrics", headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head("/metrics")
    assert (head.status_code, head.data) == (200, b"")
    assert client.post("/metrics").status_code == 405


def test_a_new_tick_is_seen_at_once(reader, client):
    before = client.get("/metrics/3").json
    reader.put(*(builders.ranked_metric(id, base=f"C{id}", price=7.5) for id in range(1, 31)))
    after = client.get("/metrics/3").json
    assert (before["metric"]["price"] == 7.5, after["metric"]["price"]) == (False, 7.5)


def test_within_the_next_period_the_day_ends_later(reader, client, time):
    address = "/metrics/3/prices"
    client.get(address)
    time.now += timedelta(seconds=30)
    client.get(address)
    assert reader.calls.count("prices") == 1
    time.now += timedelta(seconds=30)
    client.get(address)
    assert reader.calls.count("prices") == 2


def test_it_holds_for_ever_less_seconds(reader, client, time):
    reader.put(*reader.metrics)
    ages = []
    for _ in range(3):
        ages.append(client.get("/metrics").headers["Cache-Control"])
        time.now += timedelta(seconds=10)
    assert ages == ["private, max-age=55", "private, max-age=45", "private, max-age=35"]
    assert len(client.reached) == 1


def test_without_the_database_nothing_old_is_sent(reader, client):
    client.get("/metrics")
    reader.down = True
    assert client.get("/metrics").status_code == 503
    reader.down = False
    assert client.get("/metrics").status_code == 200


def test_a_404_is_not_cached(client):
    assert client.get("/metrics/99").status_code == 404
    assert client.get("/metrics/99").status_code == 404
    assert len(client.reached) == 2


@pytest.mark.parametrize("address", ADDRESSES)
def test_cached_responses_are_only_for_admitted_visitors(reader, time, address):
    reader.put(*reader.metrics, builders.ranked_metric(100))
    closed = create_app(fake_dependencies(reader, time), Access(("ann", "open sesame"))).server.test_client()
    for _ in range(2):
        assert closed.get(address, headers=BASIC).status_code == 200
        assert closed.get(address).status_code == 401


@pytest.mark.parametrize("address", ["/metrics?limit=1", "/metrics/3/prices?limit=1"])
def test_other_values_that_a_client_sends_reach_no_other_client(reader, client, address):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0])
    odd = client.get(f"{address}&own=http://evil.example", environ_overrides={"SCRIPT_NAME": "//evil.example"})
    assert client.get(address).headers["Link"] == odd.headers["Link"]
    assert "evil" not in odd.headers["Link"]
    assert "limit=1" in odd.headers["Link"]


def test_an_answer_that_another_tick_has_overtaken_does_not_hold(time):
    class Overtaken(FakeReader):
        def ranking(self):
            return replace(super().ranking(), revision=self.state.revision + 1)

    reader = Overtaken(metrics=(builders.ranked_metric(),))
    assert Freshness(reader, time).present().max_age == 0
    assert Freshness(FakeReader(metrics=reader.metrics), time).present().max_age == 55


def answer(size: int, **headers: str) -> CachedResponse:
    return CachedResponse(b"x" * size, "tag", headers)


def test_no_more_bytes_are_cached_than_the_limit():
    each, now = 10_000, Present(1, NOON, 0)
    cache = ResponseCache(max_bytes=5 * (each * 3 // 2 + OVERHEAD_BYTES + 10))
    asked = [(f"/{number}", "", "") for number in range(7)]
    for one in asked:
        cache.put(one, now, answer(each))
        cache.put(one, now, answer(each))  # by two who came at once
    assert [one in cache for one in asked] == [False] * 5 + [True] * 2


def test_long_questions_count_too():
    now = Present(1, NOON, 0)
    cache = ResponseCache(max_bytes=100_000)
    asked = [("/metrics", f"x={number}{'y' * 8_000}", "") for number in range(100)]
    for one in asked:
        cache.put(one, now, answer(10))
    assert 0 < sum(one in cache for one in asked) < 100_000 / 8_000


def test_long_headers_count_too():
    now = Present(1, NOON, 0)
    cache = ResponseCache(max_bytes=100_000)
    asked = [("/metrics", f"x={number}", "") for number in range(100)]
    for one in asked:
        cache.put(one, now, answer(10, Link="y" * 8_000))
    assert 0 < sum(one in cache for one in asked) < 100_000 / 8_000


def test_a_response_larger_than_the_cache_evicts_nothing():
    now = Present(1, NOON, 0)
    cache = ResponseCache(max_bytes=10_000)
    cache.put(("/metrics/1", "", ""), now, answer(10))
    cache.put(("/metrics", "", ""), now, answer(20_000))
    assert ("/metrics/1", "", "") in cache
    assert ("/metrics", "", "") not in cache


def test_an_answer_of_another_state_is_none():
    cache, now = ResponseCache(), Present(1, NOON, 0)
    asked = ("/metrics", "", "")
    cache.put(asked, now, answer(1))
    assert cache.get(asked, Present(1, NOON, 30)) is not None
    assert cache.get(asked, Present(2, NOON, 0)) is None
    assert cache.get(asked, Present(1, NOON + timedelta(minutes=1), 0)) is None
    cache.put(("/metrics/1", "", ""), Present(2, NOON, 0), answer(1))
    assert asked not in cache
