"""Repeated responses come from the cache without Flask, and are identical."""

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


class FakeTime:
    """A clock under the test's control."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(seconds=5)

    def __call__(self):
        return self.now


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(metrics=tuple(builders.ranked_metric(id, base=f"C{id}") for id in range(1, 31)))


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
def client(reader, clock) -> FlaskClient:
    app = create_app(fake_dependencies(reader, clock))
    client = app.server.test_client()
    client.reached = []  # the requests that reached Flask
    app.server.before_request(lambda: client.reached.append(1))
    return client


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "headers", [{}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "gzip;q=0.5, br"}, {"Accept-Encoding": "identity"}]
)
def test_the_second_response_equals_the_first_and_skips_flask(reader, client, address, headers):
    reader.put(*reader.metrics, builders.ranked_metric(100))  # kraken:BTC-USD
    first = client.get(address, headers=headers)
    second = client.get(address, headers=headers)
    assert len(client.reached) == 1
    assert second.status_code == first.status_code == 200
    assert sorted(second.headers) == sorted(first.headers)
    assert second.data == first.data


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_client_that_has_the_response_gets_304(reader, client, clock, address):
    reader.put(*reader.metrics, builders.ranked_metric(100))
    tag = client.get(address).headers["ETag"]
    known = {"If-None-Match": f'W/"other", {tag}'}
    second = client.get(address, headers=known)
    assert (len(client.reached), second.status_code, second.data) == (1, 304, b"")
    elsewhere = create_app(fake_dependencies(reader, clock)).server.test_client()
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


def test_a_new_tick_invalidates_the_cache_at_once(reader, client):
    before = client.get("/metrics/3").json
    reader.put(*(builders.ranked_metric(id, base=f"C{id}", price=7.5) for id in range(1, 31)))
    after = client.get("/metrics/3").json
    assert (before["metric"]["price"] == 7.5, after["metric"]["price"]) == (False, 7.5)


def test_the_span_of_a_day_moves_on_with_each_period(reader, client, clock):
    address = "/metrics/3/prices"
    client.get(address)
    clock.now += timedelta(seconds=30)
    client.get(address)
    assert reader.calls.count("prices") == 1
    clock.now += timedelta(seconds=30)
    client.get(address)
    assert reader.calls.count("prices") == 2


def test_max_age_falls_as_the_next_tick_comes_near(reader, client, clock):
    reader.put(*reader.metrics)
    ages = []
    for _ in range(3):
        ages.append(client.get("/metrics").headers["Cache-Control"])
        clock.now += timedelta(seconds=10)
    assert ages == ["private, max-age=55", "private, max-age=45", "private, max-age=35"]
    assert len(client.reached) == 1


def test_cached_responses_are_not_sent_without_the_database(reader, client):
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
def test_cached_responses_are_only_for_admitted_visitors(reader, clock, address):
    reader.put(*reader.metrics, builders.ranked_metric(100))
    closed = create_app(fake_dependencies(reader, clock), Access(("ann", "open sesame"))).server.test_client()
    for _ in range(2):
        assert closed.get(address, headers=BASIC).status_code == 200
        assert closed.get(address).status_code == 401


@pytest.mark.parametrize("address", ["/metrics?limit=1", "/metrics/3/prices?limit=1"])
def test_headers_of_one_client_never_reach_another_through_the_cache(reader, client, address):
    reader.price_series[3] = builders.series([1.0, 2.0, 3.0])
    odd = client.get(f"{address}&own=http://evil.example", environ_overrides={"SCRIPT_NAME": "//evil.example"})
    assert client.get(address).headers["Link"] == odd.headers["Link"]
    assert "evil" not in odd.headers["Link"]
    assert "limit=1" in odd.headers["Link"]


def test_a_response_built_during_a_tick_is_not_cached(clock):
    class Overtaken(FakeReader):
        def ranking(self):
            return replace(super().ranking(), revision=self.state.revision + 1)

    reader = Overtaken(metrics=(builders.ranked_metric(),))
    assert Freshness(reader, clock).present().max_age == 0
    assert Freshness(FakeReader(metrics=reader.metrics), clock).present().max_age == 55


def answer(size: int, **headers: str) -> CachedResponse:
    return CachedResponse(b"x" * size, "tag", headers)


def test_no_more_bytes_are_cached_than_the_limit():
    each, now = 10_000, Present(1, NOON, 0)
    cache = ResponseCache(max_bytes=5 * (each * 3 // 2 + OVERHEAD_BYTES + 10))
    asked = [(f"/{number}", "", "") for number in range(7)]
    for one in asked:
        cache.put(one, now, answer(each))
        cache.put(one, now, answer(each))  # as two simultaneous requests do
    assert [one in cache for one in asked] == [False] * 5 + [True] * 2


def test_long_paths_count_towards_the_limit():
    now = Present(1, NOON, 0)
    cache = ResponseCache(max_bytes=100_000)
    asked = [("/metrics", f"x={number}{'y' * 8_000}", "") for number in range(100)]
    for one in asked:
        cache.put(one, now, answer(10))
    assert 0 < sum(one in cache for one in asked) < 100_000 / 8_000


def test_long_headers_count_towards_the_limit():
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


def test_a_response_of_another_revision_is_not_returned():
    cache, now = ResponseCache(), Present(1, NOON, 0)
    asked = ("/metrics", "", "")
    cache.put(asked, now, answer(1))
    assert cache.get(asked, Present(1, NOON, 30)) is not None
    assert cache.get(asked, Present(2, NOON, 0)) is None
    assert cache.get(asked, Present(1, NOON + timedelta(minutes=1), 0)) is None
    cache.put(("/metrics/1", "", ""), Present(2, NOON, 0), answer(1))
    assert asked not in cache
