import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from selenium.webdriver.support.ui import Select

from layouts import ids
from services.actions.alerts import StoreAlertService
from services.market.alerting.alerts import Alert, AlertQuery
from services.market.alerting.rule_json import parse_rule
from services.market.types import Listing, Pair
from services.store.alerting import alerts, rules
from services.store.alerting.alerts import NewAlert
from services.store.database.engine import Engine, open_engine, writing
from services.store.ranking import metrics
from services.store.reader import StoreReader
from tests import builders
from tests.browser.conftest import Server
from tests.browser.pages import Site
from tests.builders import NOON
from tests.waiting import wait_for

T = int(NOON.timestamp())
BANNER = f"#{ids.ALERT_BANNER}"
TABLE = f"#{ids.ALERT_HISTORY}"
RULE = {
    "name": "Halved",
    "scope": ["kraken:*/USD"],
    "condition": {"kind": "change", "direction": "down", "percent": 50, "window_seconds": 3600},
}
MANY = 120


@pytest.fixture
def engine(migrated_sqlite_url: str) -> Iterator[Engine]:
    """A firing and a resolved alert on Bitcoin, one on Ether by another rule, many old ones on Solana."""
    engine = open_engine(migrated_sqlite_url)
    with writing(engine) as connection:
        listings = [Listing(Pair(base, "USD")) for base in ("BTC", "ETH", "SOL")]
        metrics.track(connection, "kraken", listings, lambda _pair: True, NOON)
        text = rules.encode_rule(rules.add(connection, parse_rule(RULE)))
        old = [NewAlert(3, T - 86_400 - 60 * number, 400.0, 100.0, 3.0, 60) for number in range(MANY)]
        alerts.insert_alerts(connection, [*old, NewAlert(1, T - 7_200, 190_000.0, 60_000.0, 3.0, 60)])
        alerts.resolve(connection, {(0, 3): None, (0, 1): None}, T - 3_600)
        halved = NewAlert(2, T - 120, 1_500.0, None, None, 0, 1, text, "price", 1_500.0, 3_100.0, 1_550.0)
        alerts.insert_alerts(connection, [halved, NewAlert(1, T - 60, 200_000.0, 60_000.0, 3.0, 60)])
    yield engine
    engine.dispose()


@pytest.fixture
def server(engine: Engine, port: int) -> Iterator[Server]:
    server = Server(StoreReader(engine, builders.profile()), port, alert_service=StoreAlertService(engine, ()))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def alert_service(engine: Engine) -> StoreAlertService:
    return StoreAlertService(engine, ())


def newest_alert(engine: Engine) -> Alert:
    return StoreReader(engine, builders.profile()).alerts(AlertQuery(limit=1))[0]


def unacknowledged(engine: Engine, **filters: Any) -> int:
    return StoreReader(engine, builders.profile()).count_alerts(AlertQuery(**filters)).unacknowledged


def rows(site: Site) -> list[str]:
    """The metrics in the table, in order."""
    script = "return [...document.querySelectorAll(arguments[0])].map(cell => cell.innerText.split('\\n')[0])"
    return list(site.script(script, f"{TABLE} tbody .history-metric"))


def choose(site: Site, identity: str, value: str) -> None:
    Select(site.script("return document.querySelector(arguments[0])", f"#{identity}")).select_by_value(value)


def test_alerts_are_shown_with_their_causes(site: Site) -> None:
    site.open("/alerting")
    site.shows(TABLE, "1 to 50 of 123")

    assert rows(site)[:3] == ["BTC/USD", "ETH/USD", "BTC/USD"]
    texts = ("Halved", "price falls by more than 50 %", "from 3,100.00", "threshold 1,550.00", "average 60,000.00")
    for text in texts:
        assert text in site.text(TABLE)
    site.shows(TABLE, "after 1 h")


def test_filtered_alerts_are_downloaded_as_csv_that_spreadsheets_read(site: Site, tmp_path: Path) -> None:
    site.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    site.open("/alerting?q=btc")
    site.shows(TABLE, "1 to 2 of 2")

    site.click(f"#{ids.HISTORY_CSV}")
    wait_for(lambda: list(tmp_path.glob("alerts-*Z.csv")) != [], what="the download")

    (file,) = tmp_path.glob("alerts-*Z.csv")
    text = file.read_bytes().decode()
    assert text[0] == "\ufeff"
    assert [row["base"] for row in csv.DictReader(text[1:].splitlines())] == ["BTC", "BTC"]
    address = site.script(f"return document.querySelector('#{ids.HISTORY_CSV}').href")
    assert urlopen(address).read().decode().startswith("id,")


def test_filters_are_in_the_address_and_can_be_cleared(site: Site) -> None:
    site.open("/alerting")
    site.shows(TABLE, "of 123")
    assert site.text(f"#{ids.HISTORY_CLEAR}") == ""

    site.click(f"#{ids.HISTORY_SEARCH}")
    site.press("btc")
    site.shows(TABLE, "1 to 2 of 2")
    choose(site, ids.HISTORY_STATE, "firing")
    site.shows(TABLE, "1 to 1 of 1")
    assert site.script("return location.search") == "?q=btc&state=firing"
    assert "words=btc&state=firing" in site.script(f"return document.querySelector('#{ids.HISTORY_TOOLS} a').href")

    site.open("/alerting?q=btc&state=firing")
    site.shows(TABLE, "1 to 1 of 1")
    assert site.script(f"return document.querySelector('#{ids.HISTORY_SEARCH}').value") == "btc"
    site.click(f"#{ids.HISTORY_CLEAR}")
    site.shows(TABLE, "of 123")
    assert site.script("return location.search") == ""
    site.until(lambda: site.text(f"#{ids.HISTORY_CLEAR}") == "")

    choose(site, ids.HISTORY_RULE, "1")
    site.until(lambda: rows(site) == ["ETH/USD"])


def test_a_long_history_is_shown_in_pages(site: Site) -> None:
    site.open("/alerting?page=2")
    site.shows(TABLE, "51 to 100 of 123")
    site.click(f"{TABLE} .pager button:last-child")
    site.shows(TABLE, "101 to 123 of 123")
    assert site.script("return location.search") == "?page=3"
    assert len(rows(site)) == 23


def test_an_alert_is_acknowledged_with_a_note(site: Site, engine: Engine) -> None:
    site.open("/alerting")
    site.shows(BANNER, "BTC/USD")
    site.shows(TABLE, "of 123")
    site.click(f"{TABLE} tbody tr:first-child [data-act='acknowledge']")
    site.shows(f"#{ids.ACKNOWLEDGE_DIALOG}", "The alert on BTC/USD on kraken.")
    site.click(f"#{ids.ACKNOWLEDGE_NOTE}")
    site.press("a listing")
    site.click(f"#{ids.ACKNOWLEDGE_DO}")

    site.shows(f"{TABLE} tbody tr:first-child", "a listing")
    site.shows(f"{TABLE} tbody tr:first-child", "Acknowledged")
    site.lacks(BANNER, "BTC/USD")
    assert newest_alert(engine).note == "a listing"
    site.until(lambda: not site.script(f"return document.querySelector('#{ids.ACKNOWLEDGE_DIALOG}')"))


@pytest.mark.parametrize(
    ("action", "dialog", "cancel"),
    [
        ("acknowledge", ids.ACKNOWLEDGE_DIALOG, ids.ACKNOWLEDGE_CANCEL),
        ("mute", ids.MUTE_DIALOG, ids.MUTE_CANCEL),
    ],
)
def test_a_cancelled_dialog_does_nothing_and_returns_focus(
    site: Site, engine: Engine, alert_service: StoreAlertService, action: str, dialog: str, cancel: str
) -> None:
    button = f"{TABLE} tbody tr:first-child [data-act='{action}']"
    site.open("/alerting")
    site.shows(TABLE, "of 123")
    site.click(button)
    site.shows(f"#{dialog}", "BTC/USD on kraken")
    site.click(f"#{cancel}")

    site.until(lambda: not site.script(f"return document.querySelector('#{dialog}')"))
    site.until(lambda: site.script("return document.activeElement === document.querySelector(arguments[0])", button))
    assert alert_service.mutes(NOON) == ()
    assert unacknowledged(engine, state="firing") == 2


def test_all_filtered_alerts_are_acknowledged_at_once(site: Site, engine: Engine) -> None:
    site.open("/alerting?q=btc")
    site.shows(f"#{ids.HISTORY_TOOLS} button", "Acknowledge all 2")
    site.click(f"#{ids.HISTORY_TOOLS} button")
    site.shows(f"#{ids.ACKNOWLEDGE_DIALOG}", "All 2 alerts")
    site.click(f"#{ids.ACKNOWLEDGE_DO}")

    site.shows(f"#{ids.HISTORY_TOOLS} button", "All acknowledged")
    assert unacknowledged(engine) == MANY + 1


def test_a_metric_is_muted_until_it_resolves_and_unmuted(site: Site, alert_service: StoreAlertService) -> None:
    site.open("/alerting")
    site.shows(BANNER, "BTC/USD")
    site.shows(TABLE, "of 123")
    site.click(f"{TABLE} tbody tr:first-child [data-act='mute']")
    site.click(f"#{ids.MUTE_NOTE}")
    site.press("known")
    site.click(f"#{ids.MUTE_DO}")

    site.shows(".muted-card", "BTC/USD on kraken")
    site.shows(".muted-card", "muted until it resolves: known")
    site.shows(f"{TABLE} tbody tr:first-child", "Muted")
    site.lacks(BANNER, "BTC/USD")
    assert [(mute.metric_id, mute.until, mute.note) for mute in alert_service.mutes(NOON)] == [(1, None, "known")]

    site.click(".muted-card button")
    site.shows(BANNER, "BTC/USD")
    assert alert_service.mutes(NOON) == ()


def test_a_metric_is_muted_for_a_time(site: Site, alert_service: StoreAlertService) -> None:
    site.open("/alerting")
    site.shows(TABLE, "of 123")
    site.click(f"{TABLE} tbody tr:first-child [data-act='mute']")
    site.click(f"#{ids.MUTE_LENGTH} .form-check:nth-child(3) label")
    site.click(f"#{ids.MUTE_DO}")

    site.shows(".muted-card", "muted until 1 Mar 2026, 21:00")
    assert [mute.until for mute in alert_service.mutes(NOON)] == [NOON + timedelta(hours=8)]


def test_a_metric_is_muted_until_a_chosen_time(site: Site, alert_service: StoreAlertService) -> None:
    site.open("/alerting")
    site.shows(TABLE, "of 123")
    site.click(f"{TABLE} tbody tr:first-child [data-act='mute']")
    site.shows(f"#{ids.MUTE_DIALOG}", "BTC/USD on kraken")
    assert site.text(f"#{ids.MUTE_DIALOG} .mute-until") == ""
    site.click(f"#{ids.MUTE_LENGTH} .form-check:last-child label")
    site.click(f"#{ids.MUTE_DO}")
    site.shows(f"#{ids.MUTE_REFUSED}", "Choose a date and a time.")

    # As the field's calendar does: what one types depends on the locale.
    site.script(
        """const field = document.querySelector(arguments[0]);
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, '2026-03-02T09:30');
        field.dispatchEvent(new Event('input', {bubbles: true}))""",
        f"#{ids.MUTE_UNTIL}",
    )
    site.click(f"#{ids.MUTE_DO}")
    site.shows(".muted-card", "muted until 2 Mar 2026, 09:30")
    assert [mute.until for mute in alert_service.mutes(NOON)] == [datetime(2026, 3, 2, 8, 30, tzinfo=UTC)]


def test_alerts_are_acknowledged_from_the_banner_one_by_one_or_all(
    site: Site, engine: Engine, alert_service: StoreAlertService
) -> None:
    site.open("/status")
    site.shows(BANNER, "Halved: price falls by more than 50 %")
    site.until(lambda: site.browser.title.startswith("(2) "))
    site.click(f"{BANNER} [data-acknowledge='{MANY + 3}']")
    site.lacks(BANNER, "BTC/USD")
    assert newest_alert(engine).acknowledged_at == NOON
    assert "ETH/USD" in site.text(BANNER)

    with_another = [NewAlert(3, T, 500.0, 100.0, 3.0, 60)]
    with writing(engine) as connection:
        alerts.insert_alerts(connection, with_another)
    alert_service.acknowledge(1, None, NOON)  # commits a new revision
    site.shows(BANNER, "SOL/USD")
    site.click(f"#{ids.ACKNOWLEDGE_ALL}")
    site.until(lambda: site.text(BANNER) == "")
    assert unacknowledged(engine, state="firing") == 0
