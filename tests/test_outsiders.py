"""What clients can read, and can put into the log, while the database is unavailable or the program has a bug."""

import json
import logging
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from dash import Dash
from flask.testing import FlaskClient
from gunicorn.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import create_environ, run_wsgi_app

from app import create_app, serve_by
from layouts import ids
from services.bootstrap import open_services
from services.logs import TRACE_MARK, set_up_logs
from services.settings import read_settings
from tests import builders
from tests.fakes import FakeReader, fake_dependencies
from tests.processes import free_port

ROOT = Path(__file__).parents[1]
HIDDEN = "hidden-place"

FORGED = "2026-03-01T12:00:00Z ERROR   tick: all prices are gone"
FORGED_PATHS = (f"/metrics/x%0a{FORGED}", f"/metric/%0d%0a{FORGED}", f"/%e2%80%a8{FORGED}", f"/%1b[2J{FORGED}")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO   |WARNING|ERROR  ) (?!tick: all prices are gone)|  \| ")


@pytest.fixture(params=["refused", "no such folder", "no database"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Dash, tuple[str, ...]]:
    """A server whose database is unavailable, and texts that would reveal the database's location."""
    port = free_port()
    folder = tmp_path / HIDDEN
    url = f"sqlite:///{folder}/tracker.db"
    secrets: tuple[str, ...] = (HIDDEN, str(tmp_path), "tracker.db")
    if request.param == "refused":
        url = f"postgresql://{HIDDEN}:secret@127.0.0.1:{port}/{HIDDEN}"
        secrets = (HIDDEN, str(port), "secret", "127.0.0.1")
    services = open_services(read_settings(None, database_url=url, redis_url=None, scheduler="off"))
    if request.param == "no such folder":
        folder.rmdir()
    if request.param == "no database":
        (folder / "tracker.db").write_bytes(b"no database" * 1000)
    return serve_by(services), secrets


@pytest.mark.usefixtures("_no_environment")
def test_no_response_reveals_the_location_of_an_unavailable_database(away: tuple[Dash, tuple[str, ...]]) -> None:
    app, secrets = away
    app._setup_server()
    client = app.server.test_client()
    texts = {}
    for rule in app.server.url_map.iter_rules():
        _, path = rule.build(dict.fromkeys(rule.arguments, "1")) or ("", "")
        for method in rule.methods - {"HEAD", "OPTIONS"} if "component-suites" not in path else ():
            if path != "/stream":
                texts[method, path] = client.open(path, method=method, json={}).data.decode(errors="replace")
    for page in ("/", "/metric/1", "/compare?m=1", "/alerting", "/alerting?tab=rules", "/status"):
        texts["page", page] = shown(client, page)

    assert {"/readyz", "/metrics", "/telemetry", "/alerts/rules", "/live"} <= {path for _, path in texts}
    assert {ask: secret for ask, text in texts.items() for secret in secrets if secret in text} == {}
    assert "the database is away" in texts["GET", "/readyz"]
    assert "The database is unavailable" in texts["page", "/status"]


@pytest.fixture
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "TRACK", "HOST", "ALLOWED_HOSTS", "AUTH_USERNAME", "AUTH_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def shown(client: FlaskClient, address: str) -> str:
    """The response to a browser's request for a page."""
    path, _, search = address.partition("?")
    view = {"path": path, "search": f"?{search}" if search else "", "zone": "UTC"}
    parts = ((ids.PAGE, "children"), (ids.TITLE, "data"), (ids.RETRY, "disabled"))
    output = "..".join(("", "...".join(f"{name}.{prop}" for name, prop in parts), ""))
    body = {
        "output": output,
        "outputs": [{"id": name, "property": prop} for name, prop in parts],
        "inputs": [{"id": ids.VIEW, "property": "data", "value": view}],
        "changedPropIds": [f"{ids.VIEW}.data"],
        "state": [],
    }
    answer = client.post("/_dash-update-component", json=body)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level


@pytest.mark.usefixtures("_logs_as_before")
@pytest.mark.parametrize("style", ["text", "json"])
def test_no_request_can_forge_a_log_line(capfd: pytest.CaptureFixture[str], style: str) -> None:
    reader = FakeReader(metrics=(builders.ranked_metric(),), down=True)
    app = create_app(fake_dependencies(reader))
    set_up_logs("DEBUG", style)

    def broken(path: str) -> None:
        raise ZeroDivisionError(f"at {path}\n{FORGED}")

    app.server.add_url_rule("/broken/<path:path>", view_func=broken)
    client = app.server.test_client()
    for path in (*FORGED_PATHS, *(f"/broken{path}" for path in FORGED_PATHS)):
        client.get(path, headers={"User-Agent": FORGED, "Referer": FORGED, "X-Forwarded-For": FORGED})
        client.post(path, headers={"Authorization": f"Bearer {FORGED}"}, json={"a": f"\n{FORGED}"})

    out, err = capfd.readouterr()
    assert out == ""
    lines = err.split("\n")[:-1]
    assert "prices are gone" in err, "the log quotes the request"
    for line in lines:
        if style == "json":
            assert json.loads(line)["time"]
        else:
            assert LINE.match(line), line


@pytest.mark.usefixtures("_no_environment")
def test_no_request_can_forge_a_log_line_of_gunicorn(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config()
    config.set("accesslog", "-")
    log = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["logger_class"](config)
    log.access_log.info('"GET / HTTP/1.1" 200 "%s"', f"agent\x1b[2K\r{FORGED}")
    try:
        raise ValueError(f"odd\n{FORGED}")
    except ValueError:
        log.exception("Error handling request %s", f"/x\n{FORGED}")

    captured = capfd.readouterr()
    lines = (captured.out + captured.err).splitlines()
    assert all(line.isprintable() for line in lines)
    access, failed = (line for line in lines if not line.startswith(TRACE_MARK))
    assert f"agent\\x1b[2K\\r{FORGED}" in access
    assert f"/x\\n{FORGED}" in failed


FIRST = (
    "metrics", "alerts", "alerts/rules", "alerts/channels", "assets", "_dash-component-suites", "_dash-layout", "docs",
    "_dash-update-component", "_favicon.ico", "_reload-hash", "static", "metric", "compare", "stream/x", "",
)  # fmt: skip
ODD = (
    "%00", "%0a", "%0d%0a", "%2e%2e", "..", "%2f", "%5c", "%ff", "%25", "%e2%80%ae", "1", "-1", "9" * 40, "a" * 2_000,
    "kraken:BTC-USD", "{}", "[]", "%7b%7b", "con", ".", ";", "dash", "x.v1m0.js",
)  # fmt: skip
APP = create_app(fake_dependencies()).server
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X-\u00e4")


@settings(derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FIRST),
    st.lists(st.sampled_from(ODD) | st.text("ab%0./\\:?&=\n", max_size=8), max_size=4),
    st.sampled_from(METHODS),
    st.sampled_from([b"", b"[]", b"{", b"\xff", b"[" * 100_000]),
)
def test_no_path_method_or_body_causes_a_server_error(
    caplog: pytest.LogCaptureFixture, first: str, rest: list[str], method: str, body: bytes
) -> None:
    path = "/" + "/".join([first, *rest])
    environ = create_environ("/", method=method, data=body, content_type="application/json")
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
    _, status, _ = run_wsgi_app(APP, environ, buffered=True)

    assert not status.startswith("5"), (method, path)
    assert not any(record.exc_info for record in caplog.records), (method, path)
