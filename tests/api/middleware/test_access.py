from base64 import b64encode
from ipaddress import ip_network

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.middleware.access import OPEN, Access, ProxyUsers
from api.middleware.forwarded import forwarded
from api.middleware.guard import MAX_BODY_BYTES, MAX_QUERY_BYTES, guarded
from api.middleware.hosts import ANY_HOST, LOOPBACK_NAMES, Hosts, hosts_of
from api.middleware.rate_limits import FAILURES_A_MINUTE, Limits
from api.routes import mount
from services.market.errors import StoreUnavailable
from services.market.tokens import Token
from tests.api.conftest import dashboard
from tests.builders import NOON
from tests.fakes import fake_dependencies

PASSWORD = "pass:wörd"
PROXY = ProxyUsers("X-Forwarded-User", (ip_network("10.1.0.0/16"), ip_network("fd00::/8")))


def behind(reader, access: Access = OPEN, hosts: Hosts = ANY_HOST, limits: Limits | None = None) -> FlaskClient:
    server = Flask(__name__)
    server.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    mount(server, fake_dependencies(reader))
    server.add_url_rule("/<path:path>", view_func=dashboard)
    server.add_url_rule("/_dash-update-component", view_func=dashboard, endpoint="callbacks", methods=["POST"])
    server.wsgi_app = guarded(server.wsgi_app, access, hosts, limits or Limits(0), lambda: NOON)
    return server.test_client()


@pytest.fixture
def closed(reader) -> FlaskClient:
    return behind(reader, Access(("me", PASSWORD)))


def basic(username: str, password: str, scheme: str = "Basic") -> dict[str, str]:
    return {"Authorization": f"{scheme} {b64encode(f'{username}:{password}'.encode()).decode()}"}


# ---- user name and password


@pytest.mark.parametrize(
    "address", ["/metrics", "/metrics/3", "/alerts", "/live", "/telemetry", "/metrics/", "/some/page", "/healthz/", "/"]
)
def test_a_request_without_credentials_gets_401_before_anything_is_read(reader, closed, address):
    answer = closed.get(address)
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Data Tracker", charset="UTF-8"'
    assert answer.json["title"] == "Unauthorized"
    assert reader.calls == []


def test_routes_added_later_require_credentials_too(closed):
    assert closed.post("/_dash-update-component").status_code == 401
    assert closed.post("/_dash-update-component", headers=basic("me", PASSWORD)).status_code == 200


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_checks_need_no_credentials(closed, address):
    assert closed.get(address).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_right_name_and_password_are_accepted(closed, scheme):
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
        {"X-Forwarded-User": "me"},
    ],
)
def test_any_other_credentials_are_refused(closed, headers):
    assert closed.get("/metrics", headers=headers).status_code == 401


# ---- a proxy's user


def asked(client: FlaskClient, peer: str, user: str | None, **headers: str) -> int:
    named = {} if user is None else {"X-Forwarded-User": user}
    return client.get("/metrics", headers=named | headers, environ_base={"REMOTE_ADDR": peer}).status_code


@pytest.mark.parametrize("peer", ["10.1.0.1", "10.1.255.255", "::ffff:10.1.2.3", "fd00::1"])
def test_the_user_named_by_a_trusted_proxy_is_accepted(reader, peer):
    assert asked(behind(reader, Access(proxy=PROXY)), peer, "ann@example.org") == 200


@pytest.mark.parametrize("peer", ["10.2.0.1", "127.0.0.1", "::1", "::ffff:10.2.0.1", "fe80::1", "", "a socket"])
def test_the_user_header_is_ignored_from_other_addresses(reader, peer):
    assert asked(behind(reader, Access(proxy=PROXY)), peer, "ann") == 401


@pytest.mark.parametrize("user", [None, "", " ", "ann, root", "a" * 201, "ann\tb"])
def test_a_proxy_must_name_exactly_one_user(reader, user):
    assert asked(behind(reader, Access(proxy=PROXY)), "10.1.0.1", user) == 401


def test_a_forwarded_address_is_not_trusted_as_a_proxy(reader):
    client = behind(reader, Access(proxy=PROXY))
    client.application.wsgi_app = forwarded(client.application.wsgi_app, 1)
    assert asked(client, "192.0.2.1", "ann", **{"X-Forwarded-For": "10.1.0.1"}) == 401
    assert asked(client, "10.1.0.1", "ann", **{"X-Forwarded-For": "192.0.2.1"}) == 200


def test_a_challenge_for_a_password_is_sent_only_if_one_is_set(reader):
    assert behind(reader, Access(proxy=PROXY)).get("/").headers["WWW-Authenticate"] == 'Bearer realm="Data Tracker"'


def test_a_password_may_be_set_together_with_the_proxy(reader):
    client = behind(reader, Access(("me", PASSWORD), PROXY))
    assert asked(client, "192.0.2.1", None, **basic("me", PASSWORD)) == 200
    assert asked(client, "10.1.0.1", "ann") == 200
    assert asked(client, "192.0.2.1", "ann") == 401


# ---- host names


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8888", "LOCALHOST:1", "127.0.0.1:8888", "[::1]:80", "x.localhost", "localhost."]
)
def test_on_loopback_the_names_of_this_machine_are_accepted(reader, host):
    assert behind(reader, hosts=Hosts(LOOPBACK_NAMES)).get("/metrics", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evillocalhost", "127.0.0.2", "[::2]", "localhost@evil", "a b"]
)
def test_a_foreign_host_name_that_resolves_here_is_refused(reader, host):
    client = behind(reader, hosts=Hosts(LOOPBACK_NAMES))
    answer = client.get("/metrics", headers={"Host": host})
    assert (answer.status_code, answer.json["reason"]) == (421, "Unknown host")
    assert "ALLOWED_HOSTS" in answer.json["detail"]
    assert reader.calls == []
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_leading_dot_includes_all_subdomains(reader):
    client = behind(reader, hosts=Hosts((".example.org", "tracker.test")))
    answers = {
        host: client.get("/metrics", headers={"Host": host}).status_code
        for host in ("a.example.org", "example.org", "b.tracker.test", "tracker.test:443")
    }
    assert answers == {"a.example.org": 200, "example.org": 421, "b.tracker.test": 421, "tracker.test:443": 200}


NEAR = {"nas", "nas.local", "nas.example.org", "10.0.0.1", "[fd00::1]:80", "127.0.0.2"}


@pytest.mark.parametrize(
    ("allowed", "on_loopback", "is_closed", "answered"),
    [
        ((), True, False, {"localhost"}),
        ((), False, False, {"localhost", *NEAR}),
        ((), True, True, {"localhost", *NEAR, "x.test"}),
        ((), False, True, {"localhost", *NEAR, "x.test"}),
        (("x.test",), False, False, {"localhost", "x.test"}),
        (("x.test",), False, True, {"localhost", "x.test"}),
        (("x.test",), True, False, {"localhost", "x.test"}),
    ],
)
def test_a_server_without_access_control_refuses_foreign_host_names(allowed, on_loopback, is_closed, answered):
    hosts = hosts_of(allowed, "NAS.example.org", on_loopback=on_loopback, is_closed=is_closed)
    assert {host for host in ("localhost", "x.test", *NEAR) if hosts.include(host)} == answered


# ---- size limits


def test_a_query_beyond_the_limit_is_refused(reader):
    client = behind(reader)
    assert client.get("/metrics?q=" + "a" * (MAX_QUERY_BYTES - 2)).status_code == 422  # refused by the route itself
    assert client.get("/metrics?x=" + "a" * (MAX_QUERY_BYTES - 1)).status_code == 422


def test_a_body_beyond_the_limit_is_refused_unread(reader):
    client = behind(reader)
    assert client.post("/_dash-update-component", data=b"a" * MAX_BODY_BYTES).status_code == 200
    assert client.post("/_dash-update-component", data=b"a" * (MAX_BODY_BYTES + 1)).status_code == 413


# ---- tokens


class FakeTokens:
    """One token that may read, and one that may write."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def holder(self, secret, now):
        assert now == NOON
        self.asked.append(secret)
        return {
            "dt_reads": Token(1, "a", "dt_reads", "read", NOON),
            "dt_writes": Token(2, "b", "dt_writes", "write", NOON),
        }.get(secret)


def bearing(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


CLOSED = {"credentials": ("me", PASSWORD)}


@pytest.mark.parametrize("others", [CLOSED, {}], ids=["closed", "open"])
def test_a_valid_token_is_accepted_and_a_wrong_one_is_not(reader, others):
    client = behind(reader, Access(**others, tokens=FakeTokens()))
    assert client.get("/metrics", headers=bearing("dt_reads")).status_code == 200
    assert client.get("/metrics", headers=bearing("dt_wrong")).status_code == 401
    assert client.get("/metrics", headers=bearing("")).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "bearer  dt_reads "}).status_code == 200


def test_an_error_in_the_guard_refuses_all_requests_without_details(reader):
    class Broken(FakeTokens):
        def holder(self, text, now):
            raise ZeroDivisionError("inner secret")

    answer = behind(reader, Access(tokens=Broken())).get("/metrics", headers={"Authorization": "Bearer dt_reads"})
    assert (answer.status_code, answer.json["title"]) == (500, "Internal Server Error")
    assert b"secret" not in answer.data
    assert reader.calls == []


def test_a_token_is_refused_while_tokens_cannot_be_looked_up(reader):
    class Lost(FakeTokens):
        def holder(self, text, now):
            raise StoreUnavailable("the test took the database away")

    answer = behind(reader, Access(tokens=Lost())).get("/some/page", headers={"Authorization": "Bearer dt_reads"})
    assert (answer.status_code, answer.json["reason"]) == (503, "Database unavailable")


@pytest.mark.parametrize("others", [CLOSED, {}], ids=["closed", "open"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_a_read_only_token_cannot_change_anything(reader, others, method):
    client = behind(reader, Access(**others, tokens=FakeTokens()))
    for path in ("/_dash-update-component", "/metrics", "/alerts/rules/1"):
        answer = client.open(path, method=method, headers=bearing("dt_reads"))
        assert (answer.status_code, answer.json["detail"]) == (403, "token dt_reads may only read")
        assert client.open(path, method=method, headers=bearing("dt_writes")).status_code in (200, 404, 405)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_read_only_token_may_use_every_safe_method(reader, method):
    client = behind(reader, Access(**CLOSED, tokens=FakeTokens()))
    assert client.open("/metrics", method=method, headers=bearing("dt_reads")).status_code == 200


# ---- cross-site requests


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        (
            {"Sec-Fetch-Site": "same-origin", "Origin": "http://elsewhere"},
            200,
        ),  # behind a proxy the server's name may differ
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "https://LOCALHOST"}, 200),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Referer": "http://localhost/alerting"}, 200),
        ({"Referer": "http://evil.example/page"}, 403),
        ({"Referer": "http://localhost.evil.example/"}, 403),
        ({"Referer": "about:client"}, 403),
        ({"Origin": "http://localhost", "Referer": "http://evil.example/"}, 200),
    ],
)
def test_cross_site_requests_that_change_data_are_refused(reader, headers, status):
    client = behind(reader)
    assert client.post("/_dash-update-component", headers=headers).status_code == status
    assert client.get("/metrics", headers=headers).status_code == 200


# ---- rate limits


def tried(client: FlaskClient, password: str = "wrong", peer: str = "192.0.2.1", path: str = "/metrics"):
    return client.get(path, headers=basic("me", password), environ_base={"REMOTE_ADDR": peer})


def test_after_too_many_wrong_passwords_even_the_right_one_has_to_wait(closed):
    statuses = [tried(closed, f"guess {number}").status_code for number in range(FAILURES_A_MINUTE + 2)]
    assert statuses == [401] * FAILURES_A_MINUTE + [429, 429]

    answer = tried(closed, PASSWORD)

    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert tried(closed, PASSWORD, "192.0.2.2").status_code == 200, "another address"
    assert closed.get("/healthz", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


def test_wrong_passwords_are_counted_over_all_paths(closed):
    for path in ("/nowhere/at/all", "/metrics/", "/_dash-layout", "/assets/x.css", "/") * 2:
        assert tried(closed, path=path).status_code == 401
    assert tried(closed, PASSWORD).status_code == 429


def test_a_client_with_an_earlier_success_is_not_locked_out_by_others_at_its_address(closed):
    assert tried(closed, PASSWORD).status_code == 200
    for _ in range(FAILURES_A_MINUTE + 1):
        tried(closed)
    assert tried(closed).status_code == 429
    assert tried(closed, PASSWORD).status_code == 200


def test_a_request_without_credentials_does_not_count_as_a_wrong_password(closed):
    for _ in range(FAILURES_A_MINUTE * 2):
        assert closed.get("/metrics").status_code == 401
    assert closed.get("/metrics", headers=basic("me", PASSWORD)).status_code == 200


def test_wrong_tokens_count_like_wrong_passwords(reader):
    client = behind(reader, Access(("me", PASSWORD), tokens=FakeTokens()))
    for number in range(FAILURES_A_MINUTE):
        assert client.get("/metrics", headers=bearing(f"dt_{number}")).status_code == 401
    assert client.get("/metrics", headers=bearing("dt_reads")).status_code == 429


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
    ],
)
def test_requests_are_counted_by_address(reader, first, second, together):
    client = behind(reader, limits=Limits(3))
    for _ in range(3):
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": first}).status_code == 200

    answer = client.get("/metrics", environ_base={"REMOTE_ADDR": second})

    assert answer.status_code == (429 if together else 200)
    if together:
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "RATE_LIMIT" in answer.json["detail"]


def test_requests_are_counted_separately_for_each_token(reader):
    client = behind(reader, Access(**CLOSED, tokens=FakeTokens()), limits=Limits(2))

    def ask(secret: str) -> int:
        return client.get("/metrics", headers=bearing(secret), environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code

    assert [ask("dt_reads"), ask("dt_reads"), ask("dt_reads"), ask("dt_writes")] == [200, 200, 429, 200]


def test_requests_from_this_machine_and_for_assets_are_not_counted(reader):
    client = behind(reader, limits=Limits(1))
    for _ in range(3):
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code == 200
        assert client.get("/assets/x.css", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200
