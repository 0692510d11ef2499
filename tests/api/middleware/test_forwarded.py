"""Client addresses reported by proxies: limits hold for every form, and for headers that a client forges."""

from base64 import b64encode

import pytest
from flask.testing import FlaskClient

from api.middleware.access import Access
from api.middleware.forwarded import address_in
from api.middleware.rate_limits import FAILURES_A_MINUTE, Limits
from app import create_app
from tests.fakes import fake_dependencies

PROXY = "127.0.0.1"


def behind(hops: int, access: Access | None = None, requests_a_minute: int = 0) -> FlaskClient:
    app = create_app(
        fake_dependencies(),
        access or Access(),
        limits=Limits(requests_a_minute),
        proxies=hops,
    )
    return app.server.test_client()


def ask(client: FlaskClient, header: str, **headers: str) -> int:
    given = {"X-Forwarded-For": header} | headers
    return client.get("/metrics", headers=given, environ_base={"REMOTE_ADDR": PROXY}).status_code


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:5678", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:5678", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:567890", None),
        ("192.0.2.1:٣", None),
        ("192.0.2.1 ", None),
        ("192.0.2.1:80:80", None),
        ("[2001:db8::1", None),
        ("2001:db8::1]:80", None),
        ('"192.0.2.1"', None),
        ("for=192.0.2.1", None),
    ],
)
def test_an_address_is_parsed_with_and_without_a_port_and_garbage_gives_none(text: str, address: str | None) -> None:
    assert address_in(text) == address


@pytest.mark.parametrize("form", ["192.0.2.1:{}", "[2001:db8::1]:{}", "[2001:db8::{:x}]:80", "not an address {}", ""])
def test_wrong_passwords_are_counted_for_any_port_or_garbage_that_a_proxy_adds(form: str) -> None:
    client = behind(1, Access(("me", "right")))
    guesses = [
        ask(client, form.format(number), Authorization=f"Basic {b64encode(f'me:{number}'.encode()).decode()}")
        for number in range(1000, 1040)
    ]
    assert guesses == [401] * FAILURES_A_MINUTE + [429] * (40 - FAILURES_A_MINUTE)


@pytest.mark.parametrize(
    "form",
    [
        "192.0.2.1:{}",
        "[2001:db8::1]:{}",
        "rubbish {}",
        "203.0.113.{}, 192.0.2.1",
        '"unclosed {}, 192.0.2.1',
        'unclosed {}", 192.0.2.1:80',
        "127.0.0.1, {}, unknown",
    ],
)
def test_requests_are_counted_for_the_address_that_the_proxy_saw(form: str) -> None:
    client = behind(1, requests_a_minute=3)
    assert [ask(client, form.format(number)) for number in range(5)] == [200, 200, 200, 429, 429]
    assert ask(client, "192.0.2.99") == 200, "another visitor"


def test_each_trusted_proxy_takes_one_address_from_the_end() -> None:
    client = behind(2, requests_a_minute=1)
    assert ask(client, "192.0.2.1:80, 10.0.0.1") == 200
    assert ask(client, "198.51.100.7, 192.0.2.1:81, 10.0.0.2") == 429
    assert ask(client, "192.0.2.2, 10.0.0.1") == 200


def test_requests_of_the_proxy_itself_are_not_counted() -> None:
    client = behind(1, requests_a_minute=1)
    for _ in range(3):
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": PROXY}).status_code == 200
    assert [ask(client, PROXY) for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("header", "by_tls"),
    [
        ("https", True),
        ("HTTPS", True),
        ("http, https", True),
        ("https, http", False),
        ("javascript", False),
        ('"x, https', True),
        ("", False),
    ],
)
def test_only_http_and_https_are_accepted_as_schemes(header: str, by_tls: bool) -> None:
    answer = behind(1).get("/metrics", headers={"X-Forwarded-Proto": header})
    assert ("Strict-Transport-Security" in answer.headers) is by_tls
