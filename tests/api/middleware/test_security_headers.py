import pytest
from flask.testing import FlaskClient

from api.middleware.access import Access
from app import create_app
from tests.fakes import fake_dependencies


def served(access: Access | None = None, proxies: int = 0) -> FlaskClient:
    app = create_app(fake_dependencies(), access or Access(), proxies=proxies)
    return app.server.test_client()


ANSWERS = [
    ("/", 200),
    ("/metrics", 200),
    ("/metrics/7", 404),
    ("/healthz", 200),
    ("/assets/nothing.js", 404),
    ("/_dash-layout", 200),
]


@pytest.mark.parametrize(("path", "status"), ANSWERS)
def test_every_answer_has_the_security_headers(path: str, status: int) -> None:
    with served().get(path) as answer:
        headers = answer.headers
        assert answer.status_code == status
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"].startswith("'self' 'sha256-")
    assert "unsafe" not in policy["script-src"]
    assert "http" not in headers["Content-Security-Policy"]  # no other origins


def test_refused_requests_get_the_security_headers_too() -> None:
    answer = served(Access(("me", "pw"))).get("/")
    assert answer.status_code == 401
    assert "Content-Security-Policy" in answer.headers


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}


@pytest.mark.parametrize(
    ("proxies", "base", "headers", "is_sent"),
    [
        (0, "http://localhost", {}, False),
        (0, "https://localhost", {}, True),
        (0, "http://localhost", FORWARDED, False),
        (1, "http://localhost", FORWARDED, True),
        (1, "http://localhost", {"X-Forwarded-Proto": "https, http"}, False),
        (2, "http://localhost", {"X-Forwarded-Proto": "https, http"}, True),
    ],
)
def test_strict_transport_security_follows_the_scheme_of_a_trusted_proxy(
    proxies: int, base: str, headers: dict[str, str], is_sent: bool
) -> None:
    answer = served(proxies=proxies).get("/metrics", base_url=base, headers=headers)
    assert ("Strict-Transport-Security" in answer.headers) is is_sent
