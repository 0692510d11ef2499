from base64 import b64encode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.access import require_basic_auth
from api.routes import mount
from tests.api.conftest import dashboard
from tests.builders import NOON
from tests.fakes import FakeDesk

PASSWORD = "pass:wörd"


@pytest.fixture
def closed(reader) -> FlaskClient:
    server = Flask(__name__)
    require_basic_auth(server, "me", PASSWORD)
    mount(server, reader, lambda: NOON, FakeDesk())
    server.add_url_rule("/<path:path>", view_func=dashboard)
    server.add_url_rule("/_dash-update-component", view_func=dashboard, endpoint="callbacks", methods=["POST"])
    return server.test_client()


def basic(username: str, password: str, scheme: str = "Basic") -> dict[str, str]:
    return {"Authorization": f"{scheme} {b64encode(f'{username}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize(
    "address", ["/metrics", "/metrics/3", "/alerts", "/live", "/telemetry", "/metrics/", "/some/page", "/healthz/", "/"]
)
def test_who_says_no_name_is_asked_for_it_before_anything_is_read(reader, closed, address):
    answer = closed.get(address)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Data Tracker", charset="UTF-8"'
    assert answer.json["title"] == "Unauthorized"
    assert reader.calls == []


def test_routes_added_later_are_closed_too(closed):
    assert closed.post("/_dash-update-component").status_code == 401
    assert closed.post("/_dash-update-component", headers=basic("me", PASSWORD)).status_code == 200


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_checks_need_no_name(closed, address):
    assert closed.get(address).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_right_name_and_password_come_in(closed, scheme):
    assert closed.get("/metrics", headers=basic("me", PASSWORD, scheme)).status_code == 200
    assert closed.get("/some/page", headers=basic("me", PASSWORD, scheme)).text == dashboard("some/page")


@pytest.mark.parametrize(
    "headers",
    [
        basic("me", "wrong"),
        basic("Me", PASSWORD),
        basic("me", ""),
        basic("", ""),
        basic("me", PASSWORD + "x"),
        basic("me", PASSWORD, "Bearer"),
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic \xff\xfe"},
        {"Authorization": f"Basic me:{PASSWORD}"},
    ],
)
def test_anything_else_stays_outside(closed, headers):
    assert closed.get("/metrics", headers=headers).status_code == 401
