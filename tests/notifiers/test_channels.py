import logging

import pytest

from services.notifiers.channels import BadChannel, open_notifiers
from services.notifiers.webhook import WebhookNotifier, WebhookOptions
from tests.builders import NOON

# Apprise imports a module that later Pythons no longer have.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def names(*entries: str) -> list[str]:
    return [notifier.channel for notifier in open_notifiers(entries, WebhookOptions(), lambda: NOON)]


def test_a_channel_may_have_a_name() -> None:
    assert names("ops=json://127.0.0.1/hook", "On-Call_2=webhook+https://example.com/?a=b") == ["ops", "On-Call_2"]


def test_a_channel_without_a_name_is_named_by_its_service_and_a_digest_without_secrets() -> None:
    first, second, third = names(
        "json://user:hunter2@127.0.0.1/hook",
        "json://user:hunter3@127.0.0.1/hook",
        "webhook+https://example.com/hunter2",
    )
    assert names("json://user:hunter2@127.0.0.1/hook") == [first]
    assert first != second
    assert (first[:5], len(first)) == ("json-", 15)
    assert (third[:8], len(third)) == ("webhook-", 18)
    assert "hunter" not in first + second + third


def test_an_equals_sign_in_a_url_does_not_end_a_name() -> None:
    (channel,) = names("json://127.0.0.1/hook?+a=b://c")
    assert channel.startswith("json-")


def test_a_webhook_url_opens_a_webhook_notifier() -> None:
    (notifier,) = open_notifiers(["webhook+http://example.com:8080/a b?c=d"], WebhookOptions(), lambda: NOON)
    assert isinstance(notifier, WebhookNotifier)


def test_two_channels_with_the_same_name_are_refused() -> None:
    with pytest.raises(BadChannel, match=r"^NOTIFY_URLS: entry 2 has the name ops of another entry$"):
        names("ops=json://127.0.0.1/a", "ops=json://127.0.0.1/b")


APPRISE = "is not an address that Apprise knows"


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("nosuch://user:hunter2@host", APPRISE),
        ("no address but hunter2", APPRISE),
        ("hunter2", APPRISE),
        ("hunter2=", APPRISE),
        ("mailto:me:hunter2@example.org", APPRISE),
        ("slack://T1/hunter2", APPRISE),
        ("ops=slack://T1/hunter2", APPRISE),
        ("webhook+ftp://example.com/hunter2", "must start with http:// or https://"),
        ("webhook+https:///hunter2", "has no host name"),
        ("webhook+https://exa mple/hunter2", "has no host name"),
        ("webhook+https://me:hunter2@example.com/", "must not hold a user name or password"),
        ("webhook+https://example.com:hunter2/", "is not a URL"),
        ("webhook+https://[hunter2/", "is not a URL"),
    ],
)
def test_an_invalid_entry_is_refused_and_neither_shown_nor_logged(
    entry: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="apprise")
    with pytest.raises(BadChannel) as caught:
        names("json://127.0.0.1/hook", entry)
    assert str(caught.value) == f"NOTIFY_URLS: entry 2 {complaint}"
    assert "hunter2" not in caplog.text
