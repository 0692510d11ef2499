"""The Flask server that the dashboard and the JSON interface share."""

import gzip
from collections.abc import Callable

import brotli
import pytest
from flask.testing import FlaskClient

from api.middleware.access import Access
from app import create_app
from tests import builders
from tests.fakes import FakeReader, fake_dependencies

COMPRESSED = {"Accept-Encoding": "gzip, br, zstd"}


@pytest.fixture
def client() -> FlaskClient:
    reader = FakeReader(metrics=tuple(builders.ranked_metric(number) for number in range(1, 21)))
    return create_app(fake_dependencies(reader)).server.test_client()


@pytest.mark.parametrize(
    ("accepted", "encoding", "decompress"),
    [("gzip, deflate, br, zstd", "br", brotli.decompress), ("gzip, deflate", "gzip", gzip.decompress)],
)
def test_responses_of_the_dashboard_are_compressed(
    client: FlaskClient, accepted: str, encoding: str, decompress: Callable[[bytes], bytes]
) -> None:
    answer = client.get("/_dash-layout", headers={"Accept-Encoding": accepted})

    assert answer.headers["Content-Encoding"] == encoding
    assert decompress(answer.data) == client.get("/_dash-layout").data


def test_responses_of_the_interface_are_compressed_and_keep_their_etag(client: FlaskClient) -> None:
    plain, compressed = client.get("/metrics"), client.get("/metrics", headers=COMPRESSED)

    assert brotli.decompress(compressed.data) == plain.data
    assert compressed.headers["ETag"] == plain.headers["ETag"]
    for path in ("/metrics", "/live", "/healthz"):
        tag = client.get(path, headers=COMPRESSED).headers["ETag"]
        assert client.get(path, headers=COMPRESSED | {"If-None-Match": tag}).status_code == 304, path


def test_browsers_cache_scripts_and_styles_but_no_pages(client: FlaskClient) -> None:
    with client.get("/assets/tracker.css", headers=COMPRESSED) as answer:
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Encoding"] == "br"
        assert b"ranking-grid" in brotli.decompress(answer.data)
    assert "max-age" not in client.get("/").headers.get("Cache-Control", "")


@pytest.mark.parametrize(
    ("path", "directives"),
    [
        ("/", "private, no-cache"),
        ("/status", "private, no-cache"),
        ("/docs", "private, no-cache"),
        ("/_dash-layout", "private, no-cache"),
        ("/_dash-dependencies", "private, no-cache"),
        ("/assets/nothing.css", "private, no-cache"),
        ("/telemetry", "private, no-cache"),
        ("/metrics/nothing", "no-store"),
        ("/alerts?limit=x", "no-store"),
        ("/metrics", "private, max-age="),
        ("/live", "no-cache"),
    ],
)
def test_every_response_has_one_cache_control_header(client: FlaskClient, path: str, directives: str) -> None:
    with client.get(path) as answer:
        assert answer.headers.get_all("Cache-Control")[0].startswith(directives)
        assert len(answer.headers.get_all("Cache-Control")) == 1


def test_refusals_are_not_cached() -> None:
    app = create_app(fake_dependencies(), Access(("me", "pw")))
    for path in ("/", "/metrics", "/assets/tracker.css"):
        answer = app.server.test_client().get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")


@pytest.mark.parametrize("path", ["/metrics/", "/metrics/1/nothing", "/alerts/1", "/metrics//1"])
def test_unknown_paths_of_the_interface_are_not_pages_of_the_dashboard(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_every_other_path_is_a_page_of_the_dashboard(client: FlaskClient) -> None:
    for path in ("/", "/metric/1", "/status", "/alerting", "/nowhere"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
        assert '<html lang="en"' in answer.text
