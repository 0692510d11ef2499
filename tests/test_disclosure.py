"""The settings on the status page, without secrets."""

import pytest

from services.disclosure import shown_settings
from services.settings import Settings, read_settings

SECRET = "hunter2"


def shown(**given: object) -> dict[str, tuple[str, bool]]:
    return {one.name: (one.value, one.is_default) for one in shown_settings(read_settings(None, **given))}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_every_setting_is_shown_and_marked_if_it_is_the_default() -> None:
    found = shown(period_seconds=5, window_hours=1.5, log_level="debug")

    assert set(found) == {name.upper() for name in Settings.model_fields}
    assert found["PERIOD_SECONDS"] == ("5", False)
    assert found["WINDOW_HOURS"] == ("1.5", False)
    assert found["LOG_LEVEL"] == ("DEBUG", False)
    assert found["ALERT_FACTOR"] == ("3", True)
    assert found["SCHEDULER"] == ("auto", True)
    assert found["HOST"] == ("127.0.0.1", True)
    assert found["RETENTION_DAYS"] == ("unset", True)
    assert found["TRACK"][0].startswith("kraken:BTC/USD, kraken:ETH/USD")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (f"postgres://me:{SECRET}@db.example:5433/prices?password={SECRET}", "postgresql://db.example:5433/prices"),
        (f"postgresql://me:a/{SECRET}@db.example/prices", "postgresql://db.example/prices"),
        (f"sqlite:////srv/tracker.db?key={SECRET}", "sqlite:////srv/tracker.db"),
        (None, "sqlite:///data/tracker.db"),
    ],
)
def test_of_the_database_url_only_kind_host_and_name_are_shown(url: str | None, text: str) -> None:
    assert shown(database_url=url)["DATABASE_URL"][0] == text


@pytest.mark.parametrize(
    ("url", "kind"),
    [("postgresql://db.example:5433/prices", "postgresql"), ("sqlite:////srv/tracker.db", "sqlite"), (None, "sqlite")],
)
def test_on_an_exposed_server_only_the_kind_of_database_is_shown(url: str | None, kind: str) -> None:
    assert shown(database_url=url, host="0.0.0.0")["DATABASE_URL"][0] == kind
    closed = shown(database_url=url, host="0.0.0.0", auth_username="ann", auth_password=SECRET)
    assert closed["DATABASE_URL"] == shown(database_url=url)["DATABASE_URL"]


@pytest.mark.parametrize(
    "url", [f"https://me:{SECRET}@mirror.example/{SECRET}/x?t={SECRET}", f"https://me:a/{SECRET}@mirror.example"]
)
def test_of_the_mirrors_url_only_the_host_is_shown(url: str) -> None:
    assert shown(exchange_base_url=url)["EXCHANGE_BASE_URL"] == ("https://mirror.example", False)


def test_secrets_are_shown_as_set_or_unset() -> None:
    found = shown(
        redis_url=f"redis://:{SECRET}@cache/0",
        notify_urls=f"tgram://{SECRET}/1,json://{SECRET}",
        auth_username=SECRET,
        auth_password=SECRET,
    )

    assert SECRET not in str(found)
    for name in ("REDIS_URL", "NOTIFY_URLS", "AUTH_USERNAME", "AUTH_PASSWORD"):
        assert found[name] == ("set", False)
        assert shown()[name] == ("unset", True)


def test_a_text_setting_is_hidden_unless_it_is_listed() -> None:
    class Longer(Settings):
        token: str = SECRET

    found = shown_settings(Longer(_env_file=None))  # type: ignore[call-arg]

    assert (found[-1].name, found[-1].value) == ("TOKEN", "set")
