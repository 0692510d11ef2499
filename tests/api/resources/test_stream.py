"""Server-sent events: their content, and the limit on streams."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import create_environ

from api.environ import LIVE
from api.resources import stream
from api.resources.stream import HEARTBEAT_POLLS, Streams
from api.responses.problems import handle_problems
from tests import builders
from tests.api.conftest import route_context
from tests.fakes import FakeReader


@pytest.fixture
def server(reader: FakeReader) -> Flask:
    server = Flask(__name__)
    server.register_blueprint(stream.blueprint(route_context(reader), Streams(max_open=2, poll_seconds=0.001)))
    handle_problems(server, ("stream",))
    return server


@pytest.fixture
def client(server: Flask) -> FlaskClient:
    return server.test_client()


def listen(client: FlaskClient, query: str = "", **headers: str) -> tuple[Any, Iterator[str]]:
    """The response, and its lines as they arrive, without the empty lines between events."""
    answer = client.get(f"/stream{query}", headers=headers, buffered=False)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream"), answer.text
    lines = (line for part in answer.iter_encoded() for line in part.decode().splitlines() if line)
    assert next(lines) == "retry: 2000"
    return answer, lines


def event(lines: Iterator[str]) -> tuple[str, dict[str, Any]]:
    """The next event's id and data, skipping comments."""
    name, data = islice((line for line in lines if not line.startswith(":")), 2)
    assert name.startswith("id: ")
    assert data.startswith("data: ")
    return name.removeprefix("id: "), json.loads(data.removeprefix("data: "))


def test_the_current_revision_is_sent_first_and_then_each_new_one(reader, client):
    answer, lines = listen(client)

    assert event(lines) == ("7", {"revision": 7, "minute": "2026-03-01T12:00:00Z"})
    reader.put(*reader.metrics)
    assert event(lines) == ("8", {"revision": 8, "minute": "2026-03-01T12:00:00Z"})
    answer.close()


def test_a_client_with_the_present_revision_gets_the_next(reader, client):
    answer, lines = listen(client, **{"Last-Event-ID": "7"})

    assert next(lines) == ": nothing new"
    reader.put(*reader.metrics)
    assert event(lines)[0] == "8"
    answer.close()


@pytest.mark.parametrize("seen", ["6", "nonsense", "-1", "9" * 400])
def test_a_client_with_an_old_or_invalid_event_id_gets_the_present_revision(client, seen):
    answer, lines = listen(client, **{"Last-Event-ID": seen})

    assert event(lines)[0] == "7"
    answer.close()


def test_selected_metrics_are_sent_first_and_then_those_that_changed(reader, client):
    answer, lines = listen(client, "?metrics=3,kraken:eth-usd")

    assert [row["id"] for row in event(lines)[1]["metrics"]] == [3, 1]
    reader.put(builders.ranked_metric(3, rank=1), builders.ranked_metric(1, rank=2, base="ETH", price=5.0))
    (row,) = event(lines)[1]["metrics"]
    assert (row["id"], row["price"]) == (1, 5.0)
    reader.put(builders.ranked_metric(3, rank=1))
    assert event(lines)[1]["metrics"] == []
    answer.close()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("metrics=99", 404),
        ("metrics=nonsense", 404),
        ("metrics=", 422),
        ("metric=3", 422),
        ("metrics=" + "1," * 100 + "1", 422),
    ],
)
def test_an_invalid_query_is_refused_before_the_stream_begins(client, query, status):
    answer = client.get(f"/stream?{query}")

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_an_idle_stream_sends_keep_alive_comments(reader, client):
    answer, lines = listen(client)
    event(lines)

    asked = reader.calls.count("revision")
    assert next(lines) == ": nothing new"
    assert reader.calls.count("revision") - asked == HEARTBEAT_POLLS
    answer.close()


def test_a_database_outage_does_not_end_the_stream(reader, client):
    answer, lines = listen(client)
    event(lines)
    reader.down = True
    assert next(lines) == ": nothing new"
    reader.down = False
    reader.put(*reader.metrics)
    assert event(lines)[0] == "8"
    answer.close()


def test_beyond_the_limit_a_stream_is_refused_until_a_place_is_free(client):
    open_ones = [listen(client)[0] for _ in range(2)]

    full = client.get("/stream")
    assert (full.status_code, full.mimetype) == (503, "application/problem+json")
    assert (full.headers["Retry-After"], full.json["reason"]) == ("10", "Too many streams")
    assert "2 streams" in full.json["detail"]
    open_ones[0].close()
    again, lines = listen(client)
    assert event(lines)[0] == "7"
    again.close()
    open_ones[1].close()


def test_a_head_request_takes_no_place(client):
    for _ in range(5):
        assert client.head("/stream").status_code == 200


def test_a_stream_that_is_closed_unread_frees_its_place(client):
    for _ in range(5):
        client.get("/stream", buffered=False).close()


def test_an_asgi_server_gets_changes_by_polling_and_never_blocks(server, reader):
    environ, statuses = create_environ("/stream"), []
    body = server(environ, lambda status, _headers, _failed=None: statuses.append(status))
    live = environ[LIVE]

    assert statuses == ["200 OK"]
    assert next(live).startswith(b"retry: 2000\n\nid: 7\n")
    assert next(live) == b""
    reader.put(*reader.metrics)
    assert next(live).startswith(b"id: 8\n")
    body.close()


def test_events_are_neither_cached_nor_buffered(client):
    answer, _ = listen(client)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    answer.close()
