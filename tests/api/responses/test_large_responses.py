"""Large responses and replays: limited in number, yielding to other requests, and ended with their client."""

import json
import socket
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.environ import CLIENT_GONE
from api.resources import history, metrics
from api.responses import large_responses
from api.responses.large_responses import LargeResponses, client_gone
from api.routes import mount
from services.concurrency.long_work import LongWork
from services.market.errors import Busy, Unfinished
from tests import builders
from tests.api.resources.test_rules import RULE
from tests.fakes import FakeAlertService, FakeReader, Timer, fake_dependencies
from tests.waiting import wait_for

REPLAY = "/alerts/rules/replay"
EVENTS = {"Accept": "text/event-stream"}


class Gate:
    """Stands for other requests, to which large responses yield: they wait at it until it is opened."""

    def __init__(self) -> None:
        self.opened = Event()
        self.waiting = 0

    def __call__(self) -> None:
        self.waiting += 1
        assert self.opened.wait(60)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def work(gate: Gate, timer: Timer) -> LongWork:
    return LongWork("large response", 20, 1, gate, timer)


@pytest.fixture
def many_metrics() -> FakeReader:
    """Enough metrics for a large response, and one sample a second for a day of one of them."""
    rows = (builders.ranked_metric(number, base=f"C{number}") for number in range(1, 2_502))
    prices = builders.series([float(number) for number in range(21_000)], step=1, width=1)
    return FakeReader(builders.profile(period_seconds=1), tuple(rows), {1: prices}, {1: prices})


@pytest.fixture
def server(many_metrics: FakeReader, work: LongWork) -> Flask:
    server = Flask(__name__, static_folder=None)
    alert_service = FakeAlertService(fired={number: builders.alert(number) for number in range(1, 2_502)})
    many_metrics.fired = tuple(alert_service.fired.values())
    mount(server, fake_dependencies(many_metrics, alert_service=alert_service), LargeResponses(work=work))
    return server


LARGE = [
    "/metrics?sort=-volatility",
    "/metrics?format=records",
    "/metrics?format=csv",
    "/metrics/1/prices?since=2026-03-01T06:00:00Z",
    "/metrics/1/prices?since=2026-03-01T06:00:00Z&format=records",
    "/metrics/1/prices?since=2026-03-01T06:00:00Z&format=csv",
    "/metrics/1/volumes?since=2026-03-01T06:00:00Z",
    "/alerts?limit=10000",
    "/alerts?limit=10000&format=records",
    "/alerts?limit=10000&format=csv",
]
ORDINARY = [
    "/metrics",
    "/table",
    "/metrics?sort=-volatility&limit=100",
    "/metrics?q=c77",
    "/metrics?market=nowhere&format=csv",
    "/metrics/1/prices?since=2026-03-01T11:00:00Z",
    "/metrics/1/prices?since=2026-03-01T06:00:00Z&interval=1h",
    "/alerts",
    "/alerts?limit=10000&offset=600",
    "/live",
]


def ask(server: Flask, path: str, answers: dict[str, TestResponse]) -> Thread:
    def run() -> None:
        answers[path] = server.test_client().get(path)

    thread = Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("path", LARGE)
def test_one_large_response_is_built_one_waits_and_others_get_retry_after(
    server: Flask, gate: Gate, work: LongWork, path: str
) -> None:
    answers: dict[str, TestResponse] = {}
    first = ask(server, path, answers)
    wait_for(lambda: gate.waiting == 1)
    with work.place():  # the place of one that waits
        refused = server.test_client().get("/metrics?sort=price")
        assert (refused.status_code, refused.mimetype) == (503, "application/problem+json")
        assert (refused.headers["Retry-After"], refused.json["reason"]) == ("1", "Busy")
        assert "too many large responses" in refused.json["detail"]
        for ordinary in ORDINARY:
            assert server.test_client().get(ordinary).status_code == 200, ordinary
    assert answers == {}

    gate.opened.set()
    first.join()
    assert answers[path].status_code == 200
    assert server.test_client().get("/metrics?sort=price").status_code == 200


def test_a_large_response_yields_after_every_250_rows(server: Flask, gate: Gate) -> None:
    gate.opened.set()
    rows = server.test_client().get("/metrics?sort=-id").json["metrics"]
    assert [row["id"] for row in rows] == list(range(2_501, 0, -1))
    assert gate.waiting == 1 + 11  # before the first row, and after each 250 rows


def test_a_large_response_that_takes_too_long_is_ended(server: Flask, gate: Gate, timer: Timer) -> None:
    answers: dict[str, TestResponse] = {}
    asked = ask(server, "/metrics?sort=-id", answers)
    wait_for(lambda: gate.waiting == 1)
    timer.now += 21
    gate.opened.set()
    asked.join()
    (answer,) = answers.values()
    assert (answer.status_code, answer.json["reason"]) == (503, "Unfinished")
    assert "takes longer than 20 seconds" in answer.json["detail"]


@pytest.mark.parametrize("path", LARGE)
def test_a_large_response_is_not_built_when_its_client_has_gone(
    server: Flask, gate: Gate, many_metrics: FakeReader, path: str
) -> None:
    gate.opened.set()
    answer = server.test_client().get(path, environ_overrides={CLIENT_GONE: lambda: True})
    assert answer.status_code == 503
    assert gate.waiting == 1
    assert "prices" not in many_metrics.calls
    assert server.test_client().get(path).status_code == 200


def test_a_client_that_gives_up_waiting_frees_its_place(server: Flask, gate: Gate, work: LongWork) -> None:
    gate.opened.set()
    with work.place():
        answer = server.test_client().get("/metrics?sort=-id", environ_overrides={CLIENT_GONE: lambda: True})
        assert answer.status_code == 503
        with work.place():
            pass


def test_a_response_has_at_most_a_hundred_thousand_seconds_of_samples(server: Flask, gate: Gate) -> None:
    gate.opened.set()
    client = server.test_client()
    since = (builders.NOON - timedelta(hours=28)).isoformat().replace("+00:00", "Z")
    refused = client.get(f"/metrics/1/prices?since={since}")
    assert (refused.status_code, refused.json["detail"]) == (
        422,
        "since: 2026-02-28T08:00:00Z is more than 27 hours before 2026-03-01T12:00:00Z, the longest span of one"
        " response; use limit to read it page by page",
    )
    assert client.get(f"/metrics/1/prices?since={since}&limit=5").status_code == 200
    assert history.MAX_SAMPLES == 100_000
    assert (large_responses.MAX_ORDINARY_ROWS, metrics.SMALL_PAGE) == (2_000, 100)


@pytest.fixture
def alert_service() -> FakeAlertService:
    return FakeAlertService(fired={1: builders.alert(1), 2: builders.alert(2, metric_id=3)})


@pytest.fixture
def client(reader: FakeReader, alert_service: FakeAlertService) -> FlaskClient:
    from tests.api.conftest import serve

    return serve(reader, alert_service=alert_service)


def events(answer: TestResponse) -> list[tuple[str, Any]]:
    found = []
    for text in answer.text.split("\n\n")[:-1]:
        name, data = text.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_streamed_replay_sends_its_progress_and_then_the_same_answer(
    client: FlaskClient, alert_service: FakeAlertService
) -> None:
    alert_service.steps = (None, 0.0, 0.5)
    answer = client.post(REPLAY, json={"rule": RULE}, headers=EVENTS)

    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert answer.headers["X-Accel-Buffering"] == "no"
    *progress, (name, result) = events(answer)
    assert progress == [("progress", {"share": share}) for share in (None, 0.0, 0.5)]
    assert (name, result) == ("result", client.post(REPLAY, json={"rule": RULE}).json)
    assert result["count"] == 2


def test_a_replay_without_a_free_place_gets_retry_after(client: FlaskClient, alert_service: FakeAlertService) -> None:
    alert_service.steps, alert_service.trouble = (), Busy("there is no place", 10)
    for headers in (EVENTS, {}):
        refused = client.post(REPLAY, json={"rule": RULE}, headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
        assert (refused.mimetype, refused.json["detail"]) == ("application/problem+json", "there is no place")


def test_a_replay_that_takes_too_long_is_an_error(client: FlaskClient, alert_service: FakeAlertService) -> None:
    alert_service.steps, alert_service.trouble = (0.5,), Unfinished("it takes too long")
    assert events(client.post(REPLAY, json={"rule": RULE}, headers=EVENTS)) == [
        ("progress", {"share": 0.5}),
        ("problem", {"status": 503, "detail": "it takes too long"}),
    ]
    answer = client.post(REPLAY, json={"rule": RULE})
    assert (answer.status_code, answer.json["reason"]) == (503, "Unfinished")


def gone_after(looks: int) -> Callable[[], bool]:
    left = [looks]

    def is_gone() -> bool:
        left[0] -= 1
        return left[0] < 0

    return is_gone


@pytest.mark.parametrize("headers", [{}, EVENTS])
def test_a_replay_ends_when_its_client_goes(
    client: FlaskClient, alert_service: FakeAlertService, headers: dict[str, str]
) -> None:
    taken: list[float] = []

    def steps():
        for number in range(100):
            taken.append(number / 100)
            yield number / 100

    alert_service.steps = steps()
    overrides = {CLIENT_GONE: gone_after(3)}
    client.post(REPLAY, json={"rule": RULE}, headers=headers, environ_overrides=overrides).get_data()
    assert (len(taken), alert_service.ended) == (4, 1)


def test_a_replay_whose_events_are_not_read_ends_with_its_response(
    client: FlaskClient, alert_service: FakeAlertService
) -> None:
    alert_service.steps = (0.0,) * 100
    answer = client.post(REPLAY, json={"rule": RULE}, headers=EVENTS, buffered=False)
    assert alert_service.ended == 0
    answer.close()
    assert alert_service.ended == 1


@pytest.mark.parametrize("name", ["gunicorn.socket", "werkzeug.socket"])
def test_a_closed_connection_is_detected(name: str) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        is_gone = client_gone({name: ours})
        with theirs:
            assert not is_gone()
            theirs.sendall(b"the next request")
            assert not is_gone()
            ours.recv(100)
        assert is_gone()


def test_without_access_to_the_connection_a_client_counts_as_connected() -> None:
    assert not client_gone({})()
    assert client_gone({CLIENT_GONE: lambda: True})()
