import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.exchanges.demo_exchange import NAMED_PAIRS
from services.settings import SIMULATED_TRACK, BadSettings, Settings, read_settings

SEED = (
    "kraken:BTC/USD,kraken:ETH/USD,kraken:BNB/USD,kraken:AVAX/USD,kraken:SOL/USD,"
    "kraken:FIL/USD,kraken:ETC/USD,kraken:NEAR/USD,kraken:DOT/USD,kraken:XRP/USD"
)

DEFAULTS = {
    "DATABASE_URL": "sqlite:///data/tracker.db",
    "PORT": 8888,
    "HOST": "127.0.0.1",
    "TRACK": SEED,
    "EXCHANGE_BASE_URL": None,
    "DEMO_PAIRS": 40,
    "PERIOD_SECONDS": 60,
    "WINDOW_HOURS": 24,
    "RETENTION_DAYS": None,
    "REDIS_URL": None,
    "ALERT_FACTOR": 3,
    "ALERT_WINDOW_MINUTES": 60,
    "ALERT_COOLDOWN_MINUTES": 60,
    "ALERT_MIN_SAMPLES": 5,
    "NOTIFY_URLS": (),
    "WEBHOOK_SECRET": None,
    "WEBHOOK_ALLOW_PRIVATE": False,
    "HEARTBEAT_URL": None,
    "SCHEDULER": "auto",
    "AUTH_USERNAME": None,
    "AUTH_PASSWORD": None,
    "AUTH_PROXY_HEADER": None,
    "AUTH_PROXY_ADDRESSES": (),
    "PROXY_HOPS": 0,
    "URL_PREFIX": "/",
    "ALLOWED_HOSTS": (),
    "RATE_LIMIT": 3000,
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
}
"""The settings and defaults of the public interface."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from this machine's environment or `.env`."""
    for name in os.environ:
        if name.upper() in {field.upper() for field in Settings.model_fields}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def value_of(settings: Settings, name: str) -> object:
    """The setting's value, without wrappers for secrets and patterns."""
    if name == "DATABASE_URL":
        return settings.database
    if name == "TRACK":
        return ",".join(map(str, settings.track))
    value = getattr(settings, name.lower())
    return value.get_secret_value() if isinstance(value, SecretStr) else value


# ---- access


def test_a_proxy_has_a_header_and_addresses(monkeypatch):
    monkeypatch.setenv("AUTH_PROXY_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("AUTH_PROXY_ADDRESSES", "10.0.0.1, fd00::/8")
    assert [str(network) for network in read_settings().auth_proxy_addresses] == ["10.0.0.1/32", "fd00::/8"]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"auth_proxy_header": "X-User"}, "AUTH_PROXY_HEADER and AUTH_PROXY_ADDRESSES: set both or neither"),
        ({"auth_proxy_addresses": "10.0.0.1"}, "AUTH_PROXY_HEADER and AUTH_PROXY_ADDRESSES: set both or neither"),
        ({"auth_proxy_header": "X User"}, "AUTH_PROXY_HEADER: is not a header name"),
        ({"auth_proxy_header": "X", "auth_proxy_addresses": "10.0.0.0/33"}, "AUTH_PROXY_ADDRESSES"),
        ({"allowed_hosts": "https://x.test"}, "ALLOWED_HOSTS: 'https://x.test' is not a host name"),
        ({"allowed_hosts": "x.test:443"}, "ALLOWED_HOSTS: 'x.test:443' is not a host name"),
        ({"proxy_hops": "-1"}, "PROXY_HOPS"),
    ],
)
def test_an_invalid_access_setting_is_named(settings, error):
    with pytest.raises(BadSettings, match=error):
        read_settings(**settings)


@pytest.mark.parametrize(
    ("settings", "exposed"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "192.168.1.5"}, True),
        ({"host": "tracker.example"}, True),
        ({"host": "0.0.0.0", "auth_username": "a", "auth_password": "b"}, False),
        ({"host": "0.0.0.0", "auth_proxy_header": "X-User", "auth_proxy_addresses": "10.0.0.1"}, False),
    ],
)
def test_a_server_that_others_can_reach_without_authentication_is_exposed(settings, exposed):
    assert read_settings(**settings).exposed is exposed


def test_host_names_are_converted_to_lower_case():
    assert read_settings(allowed_hosts="Tracker.example.org, .LAN,[::1]").allowed_hosts == (
        "tracker.example.org",
        ".lan",
        "[::1]",
    )


# ---- names and defaults


def test_the_settings_are_those_of_the_public_interface():
    assert {name.upper() for name in Settings.model_fields} == set(DEFAULTS)


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_unset_setting_has_the_default_of_the_public_interface(name):
    assert value_of(read_settings(), name) == DEFAULTS[name]


def test_by_default_the_simulated_exchange_has_only_its_well_known_pairs():
    assert DEFAULTS["DEMO_PAIRS"] == NAMED_PAIRS


def test_every_setting_has_a_description():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


# ---- values


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATABASE_URL", "postgres://me:pw@host/db", "postgres://me:pw@host/db"),
        ("PORT", "5000", 5000),
        ("PORT", "0", 0),
        ("PORT", "65535", 65535),
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("TRACK", "kraken:*/usd, Binance:btc/*", "kraken:*/USD,binance:BTC/*"),
        ("TRACK", "demo:*", "demo:*/*"),
        ("EXCHANGE_BASE_URL", "http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("EXCHANGE_BASE_URL", "https://mirror/x", "https://mirror/x"),
        ("DEMO_PAIRS", "1", 1),
        ("DEMO_PAIRS", "200000", 200_000),
        ("PERIOD_SECONDS", "5", 5),
        ("PERIOD_SECONDS", "3600", 3600),
        ("WINDOW_HOURS", "0.5", 0.5),
        ("WINDOW_HOURS", "744", 744),
        ("RETENTION_DAYS", "1", 1),
        ("RETENTION_DAYS", "", None),
        ("ALERT_FACTOR", "1.01", 1.01),
        ("ALERT_WINDOW_MINUTES", "1", 1),
        ("ALERT_COOLDOWN_MINUTES", "0", 0),
        ("ALERT_MIN_SAMPLES", "1", 1),
        ("SCHEDULER", "off", "off"),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("LOG_LEVEL", "Warning", "WARNING"),
        ("LOG_FORMAT", "json", "json"),
    ],
)
def test_a_valid_value_is_accepted(monkeypatch, name, text, value):
    monkeypatch.setenv(name, text)
    assert value_of(read_settings(), name) == value


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_empty_value_counts_as_unset(monkeypatch, name):
    monkeypatch.setenv(name, "")
    assert value_of(read_settings(), name) == DEFAULTS[name]


def test_names_may_be_in_lower_case(monkeypatch):
    monkeypatch.setenv("port", "5001")
    assert read_settings().port == 5001


def test_notify_urls_are_split_at_commas_and_hidden(monkeypatch):
    monkeypatch.setenv("NOTIFY_URLS", " json://hunter2@a , ,mailto://b,")
    settings = read_settings()
    assert [url.get_secret_value() for url in settings.notify_urls] == ["json://hunter2@a", "mailto://b"]
    assert "hunter2" not in repr(settings)


def test_passwords_are_hidden_when_settings_are_printed(monkeypatch):
    monkeypatch.setenv("AUTH_USERNAME", "me")
    monkeypatch.setenv("AUTH_PASSWORD", "hunter2")
    settings = read_settings()
    assert "hunter2" not in repr(settings) + str(settings)
    assert settings.credentials == ("me", "hunter2")


def test_without_user_name_and_password_there_are_no_credentials():
    assert read_settings().credentials is None


@pytest.mark.parametrize(
    ("track", "simulated", "database"),
    [
        (SIMULATED_TRACK, True, "sqlite:///data/demo.db"),
        ("demo:BTC/USD,DEMO:ETH/*", True, "sqlite:///data/demo.db"),
        ("kraken:BTC/USD", False, "sqlite:///data/tracker.db"),
    ],
)
def test_simulated_data_has_a_database_of_its_own(monkeypatch, track, simulated, database):
    monkeypatch.setenv("TRACK", track)
    settings = read_settings()
    assert (settings.simulated, settings.database) == (simulated, database)


def test_a_configured_database_is_also_used_for_simulated_data(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    assert read_settings(track="demo:*").database == "sqlite:///elsewhere.db"


def test_settings_are_immutable():
    with pytest.raises(ValueError, match="frozen"):
        read_settings().port = 1  # type: ignore[misc]


# ---- bad values


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        (
            "PORT",
            "eighty",
            "PORT: Input should be a valid integer, unable to parse string as an integer (got 'eighty')",
        ),
        ("PORT", "-1", "PORT: Input should be greater than or equal to 0 (got '-1')"),
        ("PORT", "65536", "PORT: Input should be less than or equal to 65535 (got '65536')"),
        ("TRACK", "kraken", "TRACK: 'kraken' is not exchange:BASE/QUOTE (got 'kraken')"),
        ("TRACK", ",", "TRACK: names no pair (got ',')"),
        ("TRACK", "demo:*,kraken:*/USD", "TRACK: simulated and real markets cannot be tracked together"),
        ("EXCHANGE_BASE_URL", "ftp://me:hunter2@x", "EXCHANGE_BASE_URL: must start with http:// or https://"),
        ("DEMO_PAIRS", "0", "DEMO_PAIRS: Input should be greater than or equal to 1 (got '0')"),
        ("DEMO_PAIRS", "200001", "DEMO_PAIRS: Input should be less than or equal to 200000 (got '200001')"),
        ("PERIOD_SECONDS", "4", "PERIOD_SECONDS: Input should be greater than or equal to 5 (got '4')"),
        ("PERIOD_SECONDS", "3601", "PERIOD_SECONDS: Input should be less than or equal to 3600 (got '3601')"),
        ("WINDOW_HOURS", "0", "WINDOW_HOURS: Input should be greater than 0 (got '0')"),
        ("WINDOW_HOURS", "745", "WINDOW_HOURS: Input should be less than or equal to 744 (got '745')"),
        ("WINDOW_HOURS", "0.01", "WINDOW_HOURS: must be at least one period"),
        ("RETENTION_DAYS", "0", "RETENTION_DAYS: Input should be greater than 0 (got '0')"),
        ("RETENTION_DAYS", "0.9", "RETENTION_DAYS: must be at least WINDOW_HOURS"),
        ("ALERT_FACTOR", "1", "ALERT_FACTOR: Input should be greater than 1 (got '1')"),
        ("ALERT_FACTOR", "inf", "ALERT_FACTOR: Input should be a finite number (got 'inf')"),
        ("ALERT_FACTOR", "nan", "ALERT_FACTOR: Input should be a finite number (got 'nan')"),
        (
            "ALERT_WINDOW_MINUTES",
            "0",
            "ALERT_WINDOW_MINUTES: Input should be greater than or equal to 1 (got '0')",
        ),
        (
            "ALERT_COOLDOWN_MINUTES",
            "-1",
            "ALERT_COOLDOWN_MINUTES: Input should be greater than or equal to 0 (got '-1')",
        ),
        ("ALERT_MIN_SAMPLES", "0", "ALERT_MIN_SAMPLES: Input should be greater than or equal to 1 (got '0')"),
        ("SCHEDULER", "on", "SCHEDULER: Input should be 'auto' or 'off' (got 'on')"),
        ("AUTH_USERNAME", "me", "AUTH_USERNAME and AUTH_PASSWORD: set both or neither"),
        ("AUTH_PASSWORD", "hunter2", "AUTH_USERNAME and AUTH_PASSWORD: set both or neither"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR' (got 'LOUD')"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT: Input should be 'text' or 'json' (got 'xml')"),
    ],
)
def test_an_invalid_value_is_named_in_one_line(monkeypatch, name, text, line):
    monkeypatch.setenv(name, text)
    with pytest.raises(BadSettings) as caught:
        read_settings()
    assert str(caught.value) == line


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_blank_value_is_refused(monkeypatch, name):
    monkeypatch.setenv(name, " \t ")
    with pytest.raises(BadSettings, match=f"{name}: must not be blank"):
        read_settings()


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://h/",
        "redis://h:6379/0",
        "rediss://:p%2Fw@h:6380/15?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=1",
        "redis://[::1]:6379/1",
    ],
)
def test_a_redis_url_with_a_database_number_is_accepted(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)
    assert value_of(read_settings(), "REDIS_URL") == url


@pytest.mark.parametrize(
    "url",
    ["redis://h/0x", "redis://h/x", "redis://h/-1", "redis://h/0/1", "redis://h//0", "redis://h/1.5", "redis://[h/0"],
)
def test_a_redis_url_with_a_path_that_is_no_number_is_refused(monkeypatch, url):
    """redis-py would use database 0 for all of them."""
    monkeypatch.setenv("REDIS_URL", url.replace("://", "://:hunter2@"))
    with pytest.raises(BadSettings) as caught:
        read_settings()
    assert str(caught.value) == "REDIS_URL: not a URL of the form redis://host:port/number"


def test_an_alert_window_longer_than_the_retention_is_refused_in_one_line(monkeypatch):
    monkeypatch.setenv("RETENTION_DAYS", "2")
    monkeypatch.setenv("ALERT_WINDOW_MINUTES", "2880")
    assert read_settings().alert_window_minutes == 2880
    monkeypatch.setenv("ALERT_WINDOW_MINUTES", "2881")
    with pytest.raises(BadSettings) as caught:
        read_settings()
    assert str(caught.value) == "RETENTION_DAYS: must be at least ALERT_WINDOW_MINUTES"


def test_several_invalid_values_are_reported_together(monkeypatch):
    monkeypatch.setenv("PORT", "x\ny")
    monkeypatch.setenv("SCHEDULER", "on")
    with pytest.raises(BadSettings) as caught:
        read_settings()
    parts = str(caught.value).split("; ")
    assert [part.partition(":")[0] for part in parts] == ["PORT", "SCHEDULER"]
    assert len(str(caught.value).splitlines()) == 1


def test_a_long_invalid_value_is_truncated(monkeypatch):
    monkeypatch.setenv("TRACK", "kraken:" + "x" * 70)
    with pytest.raises(BadSettings) as caught:
        read_settings()
    assert str(caught.value).endswith(f" (got 'kraken:{'x' * 52})")


@pytest.mark.parametrize(
    "values",
    [
        {"AUTH_USERNAME": "hunter2:", "AUTH_PASSWORD": "hunter2"},
        {"AUTH_PASSWORD": "hunter2"},
        {"AUTH_USERNAME": "me", "AUTH_PASSWORD": "hunter2", "PORT": "x"},
        {"NOTIFY_URLS": "json://hunter2@a", "PORT": "x"},
        {"AUTH_USERNAME": "me", "AUTH_PASSWORD": "hunter2", "SCHEDULER": "on", "TRACK": "demo:*,kraken:*"},
        {"DATABASE_URL": "postgres://me:hunter2@host", "TRACK": "demo:*,kraken:*"},
        {"EXCHANGE_BASE_URL": "me:hunter2@host"},
    ],
)
def test_an_error_never_contains_a_secret(monkeypatch, values):
    for name, text in values.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(BadSettings) as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_user_name_with_a_colon_is_refused(monkeypatch):
    monkeypatch.setenv("AUTH_USERNAME", "m:e")
    monkeypatch.setenv("AUTH_PASSWORD", "pw")
    with pytest.raises(BadSettings, match=r"^AUTH_USERNAME: must not contain a colon$"):
        read_settings()


@pytest.mark.parametrize("seconds", ["7", "59", "60", "90", "120", "700", "3600"])
def test_any_period_from_five_seconds_to_an_hour_is_valid(monkeypatch, seconds):
    monkeypatch.setenv("PERIOD_SECONDS", seconds)
    assert read_settings().period_seconds == int(seconds)


def test_a_window_of_exactly_one_period_is_valid(monkeypatch):
    monkeypatch.setenv("PERIOD_SECONDS", "3600")
    monkeypatch.setenv("WINDOW_HOURS", "1")
    assert read_settings().window_hours == 1


# ---- sources


def test_the_env_file_is_read(tmp_path):
    (tmp_path / ".env").write_text('PORT=5002\nTRACK="demo:*"  # simulated\n\nSOMETHING_ELSE=1\n')
    settings = read_settings()
    assert (settings.port, settings.simulated) == (5002, True)


def test_the_environment_takes_precedence_over_the_env_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=5002\nHOST=0.0.0.0\n")
    monkeypatch.setenv("PORT", "5003")
    settings = read_settings()
    assert (settings.port, settings.host) == (5003, "0.0.0.0")


def test_an_empty_value_in_the_environment_leaves_that_of_the_env_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=5002\n")
    monkeypatch.setenv("PORT", "")
    assert read_settings().port == 5002


def test_the_command_line_takes_precedence_over_both(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("TRACK=kraken:ETH/USD\n")
    monkeypatch.setenv("TRACK", "kraken:BTC/USD")
    monkeypatch.setenv("PORT", "5003")
    settings = read_settings(track=SIMULATED_TRACK, port=5004)
    assert (settings.simulated, settings.port) == (True, 5004)


def test_another_env_file_or_none_can_be_chosen(tmp_path):
    (tmp_path / ".env").write_text("PORT=5002\n")
    (tmp_path / "other").write_text("PORT=5005\n")
    assert read_settings(tmp_path / "other").port == 5005
    assert read_settings(None).port == 8888


def test_a_byte_order_mark_does_not_hide_the_first_setting(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfPORT=5002\n")
    assert read_settings().port == 5002


def test_a_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / ".env").write_bytes("PORT=5002\n".encode("utf-16"))
    with pytest.raises(BadSettings, match=r"^\.env: is not UTF-8 text$"):
        read_settings()


def test_an_invalid_value_in_the_env_file_is_named_like_any_other(tmp_path):
    (tmp_path / ".env").write_text("SCHEDULER=perhaps\n")
    with pytest.raises(BadSettings, match=r"^SCHEDULER: Input should be 'auto' or 'off' \(got 'perhaps'\)$"):
        read_settings()


# ---- files of secrets


@pytest.fixture
def secret(tmp_path):
    """Writes a file and returns its path."""

    def write(text: str | bytes) -> str:
        (tmp_path / "secret").write_bytes(text.encode() if isinstance(text, str) else text)
        return str(tmp_path / "secret")

    return write


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATABASE_URL", "postgresql://me:hunter2@host/db\n", "postgresql://me:hunter2@host/db"),
        ("REDIS_URL", "redis://:hunter2@host", "redis://:hunter2@host"),
        ("PORT", "5001\r\n", 5001),
    ],
)
def test_a_setting_can_come_from_a_file(monkeypatch, secret, name, text, value):
    monkeypatch.setenv(f"{name}_FILE", secret(text))
    assert value_of(read_settings(), name) == value
    assert "hunter2" not in repr(read_settings())


def test_a_file_may_have_one_notify_url_per_line(monkeypatch, secret):
    monkeypatch.setenv("NOTIFY_URLS_FILE", secret("json://a\njson://b, json://c\n"))
    assert [url.get_secret_value() for url in read_settings().notify_urls] == ["json://a", "json://b", "json://c"]


def test_a_password_from_a_file_is_required(monkeypatch, secret):
    monkeypatch.setenv("auth_password_file", secret("open sesame\n"))
    monkeypatch.setenv("AUTH_USERNAME", "ann")
    assert read_settings().credentials == ("ann", "open sesame")


def test_the_env_file_may_name_a_file_and_the_environment_takes_precedence(monkeypatch, tmp_path, secret):
    (tmp_path / ".env").write_text(f"PORT_FILE={secret('5002')}\n")
    assert read_settings().port == 5002
    monkeypatch.setenv("PORT", "5003")
    assert read_settings().port == 5003


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, r"^AUTH_PASSWORD_FILE: .*secret: No such file or directory$"),
        ("", r"^AUTH_PASSWORD_FILE: .*secret: is empty$"),
        ("\n", r"^AUTH_PASSWORD_FILE: .*secret: is empty$"),
        (b"\xff\xfe", r"^AUTH_PASSWORD_FILE: .*secret: is not UTF-8 text$"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(monkeypatch, tmp_path, secret, text, error):
    monkeypatch.setenv("AUTH_PASSWORD_FILE", str(tmp_path / "secret") if text is None else secret(text))
    with pytest.raises(BadSettings, match=error):
        read_settings()


def test_a_setting_and_its_file_together_are_refused(monkeypatch, secret):
    monkeypatch.setenv("PORT", "5003")
    monkeypatch.setenv("PORT_FILE", secret("5002"))
    with pytest.raises(BadSettings, match=r"^PORT and PORT_FILE: set only one of them$"):
        read_settings()


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("mailto://u:p@h?to=a@x,b@y", ["mailto://u:p@h?to=a@x,b@y"]),
        ("mailto://u:p@h?to=a@x,b@y&cc=c@x,d@y,json://b", ["mailto://u:p@h?to=a@x,b@y&cc=c@x,d@y", "json://b"]),
        ("a=json://h/x,y,b=json://h", ["a=json://h/x,y", "b=json://h"]),
        (
            "json://a,webhook+https://b/c,d,On-Call_2=mailtos://e",
            ["json://a", "webhook+https://b/c,d", "On-Call_2=mailtos://e"],
        ),
        ("json://a, json://b ,\njson://c,", ["json://a", "json://b", "json://c"]),
        ("json://a, nosuch", ["json://a", "nosuch"]),
        ("json://a,ops=nosuch", ["json://a", "ops=nosuch"]),
        ("json://a,,json://b", ["json://a", "json://b"]),
    ],
)
def test_a_comma_separates_notify_urls_only_before_a_scheme_or_name(text: str, entries: list[str]) -> None:
    settings = read_settings(None, notify_urls=text)
    assert [entry.get_secret_value() for entry in settings.notify_urls] == entries
