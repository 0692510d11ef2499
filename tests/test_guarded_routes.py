"""Every route, including those of the dashboard and of Dash, is behind the guard."""

import pytest
from dash import Dash
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from api.middleware.access import Access
from api.middleware.guard import OPEN_PATHS
from app import create_app
from tests import builders
from tests.fakes import FakeReader, fake_dependencies

CREDENTIALS = ("ann", "open sesame")
BASIC = {"Authorization": "Basic YW5uOm9wZW4gc2VzYW1l"}
OPEN_RULES = {"/healthz", "/readyz"}


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader(metrics=(builders.ranked_metric(),))


@pytest.fixture
def app(reader: FakeReader) -> Dash:
    app = create_app(fake_dependencies(reader), Access(CREDENTIALS))
    app._setup_server()  # Dash adds some of its routes at the first request
    return app


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    return app.server.test_client()


def address_of(rule: Rule) -> str:
    """A path that matches `rule`."""
    parts = dict.fromkeys(rule.arguments, "1")
    _, path = rule.build(parts) or ("", "")
    assert path, rule
    return path


def test_all_methods_of_all_routes_require_authentication(app: Dash, client: FlaskClient, reader: FakeReader) -> None:
    rules = [rule for rule in app.server.url_map.iter_rules() if rule.rule not in OPEN_RULES]
    assert {"/_dash-update-component", "/_dash-layout", "/_dash-dependencies", "/metrics", "/"} <= {
        rule.rule for rule in rules
    }
    for rule in rules:
        for method in rule.methods or ():
            assert client.open(address_of(rule), method=method).status_code == 401, (rule.rule, method)
    assert reader.calls == []


@pytest.mark.parametrize("path", ["/assets/tracker.css", "/_favicon.ico", "/nowhere", "/metrics/", "/_reload-hash"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_files_unknown_paths_and_wrong_methods_require_authentication(
    client: FlaskClient, path: str, method: str
) -> None:
    assert client.open(path, method=method).status_code == 401


def test_a_route_that_is_added_later_is_guarded(app: Dash) -> None:
    later = app.server.test_client()
    app.server._got_first_request = False
    app.server.add_url_rule("/brand/new", view_func=lambda: "secret", endpoint="new", methods=["GET", "DELETE"])

    assert later.get("/brand/new").status_code == 401
    assert later.delete("/brand/new").status_code == 401
    assert later.get("/brand/new", headers=BASIC).text == "secret"


def test_the_open_paths_reveal_nothing(client: FlaskClient) -> None:
    assert OPEN_PATHS == OPEN_RULES
    assert client.get("/healthz").json == {"status": "alive"}
    assert set(client.get("/readyz").json) <= {"status", "minute"}


def test_an_authenticated_user_reaches_everything(client: FlaskClient) -> None:
    for path in ("/", "/metrics", "/_dash-layout", "/_dash-dependencies", "/assets/tracker.css", "/live"):
        with client.get(path, headers=BASIC) as answer:
            assert answer.status_code == 200, path
