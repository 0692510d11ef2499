"""Numbers and names that no record can have cause no error on any route or page, with either database."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient

from app import serve_by
from layouts import ids
from services.bootstrap import open_services
from services.settings import read_settings
from tests.callbacks.browser import request_of

LARGE = (2**31, 2**32, 10**15 - 1, 10**15, 2**63 - 1, 2**63, 2**64, 10**30)
TEXTS = ("\x00", "a\x00b", "kraken:\x00-USD", "kraken:BTC-\u202e", "%", "_", "\\", "'", '"', "\U0010ffff", "😀" * 50)

Ask = Callable[..., int]


@pytest.fixture
def app(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dash]:
    for name in ("DATABASE_URL", "REDIS_URL", "TRACK", "HOST", "ALLOWED_HOSTS", "AUTH_USERNAME", "AUTH_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    services = open_services(read_settings(None, database_url=migrated_url, track="kraken:BTC/USD"))
    app = serve_by(services)
    app._setup_server()
    yield app
    services.engine.dispose()


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    return app.server.test_client()


def requests(odd: Any) -> list[tuple[str, str, Any]]:
    """Requests with this in place of a number, a name or a text."""
    return [
        ("GET", f"/metrics/{odd}", None),
        ("GET", f"/metrics/{odd}/prices", None),
        ("GET", f"/metrics/{odd}/volumes?since={odd}", None),
        ("GET", f"/metrics?offset={odd}&limit={odd}", None),
        ("GET", f"/sparklines?metrics={odd}", None),
        ("GET", f"/alerts?metric={odd}", None),
        ("GET", f"/alerts?rule={odd}", None),
        ("GET", f"/alerts?words={odd}", None),
        ("GET", f"/alerts?offset={odd}", None),
        ("GET", f"/alerts/rules/{odd}", None),
        ("PATCH", f"/alerts/rules/{odd}", {"enabled": False}),
        ("DELETE", f"/alerts/rules/{odd}", None),
        ("POST", f"/alerts/{odd}/acknowledge", {}),
        ("POST", "/alerts/acknowledge", {"up_to": odd}),
        ("POST", "/alerts/acknowledge", {"up_to": 1, "note": odd}),
        ("POST", "/alerts/mutes", {"rule": odd}),
        ("POST", "/alerts/mutes", {"metric": odd}),
        ("POST", "/alerts/mutes", {"rule": 0, "until": odd}),
        ("DELETE", f"/alerts/mutes/{odd}", None),
        ("GET", f"/alerts/deliveries?offset={odd}", None),
        ("POST", f"/alerts/deliveries/{odd}/retry", None),
        ("POST", f"/alerts/channels/{odd}/test", None),
    ]


def test_the_interface_responds_without_a_server_error(client: FlaskClient) -> None:
    failed = [
        (method, path, body)
        for odd in (*LARGE, *(-number for number in LARGE), *TEXTS)
        for method, path, body in requests(odd)
        if client.open(path.replace("\\", "%5c"), method=method, json=body).status_code >= 500
    ]
    assert failed == []


@pytest.mark.parametrize("odd", [*LARGE, *TEXTS])
def test_no_page_fails(app: Dash, client: FlaskClient, odd: int | str) -> None:
    for path, search in (
        (f"/metric/{odd}", ""),
        ("/compare", f"?m={odd}"),
        ("/alerting", f"?tab=rules&edit={odd}"),
        ("/alerting", f"?tab=rules&edit=new&like={odd}"),
        ("/alerting", f"?q={odd}&rule={odd}&page={odd}"),
    ):
        view = {"path": path, "search": search, "zone": str(odd)}
        values = {f"{ids.VIEW}.data": view}
        answer = client.post("/_dash-update-component", json=request_of(app, ids.PAGE, values))
        assert answer.status_code in (200, 400), (path, search)
        assert "Something went wrong" not in answer.text, (path, search)
    ask = {f"{ids.HISTORY_ASK}.data": {"q": str(odd), "rule": str(odd), "page": str(odd)}}
    answer = client.post("/_dash-update-component", json=request_of(app, ids.ALERT_HISTORY, ask))
    assert answer.status_code == 200
    assert "Something went wrong" not in answer.text
