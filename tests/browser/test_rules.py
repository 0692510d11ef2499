"""The rules of the alerts page."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from layouts import ids
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import AlertRule
from services.market.errors import Busy, DeliveryFailed
from tests import builders
from tests.browser.conftest import Server
from tests.browser.pages import Site
from tests.fakes import FakeAlertService, FakeReader

LIST = f"#{ids.RULES_LIST}"
SENTENCE = f"#{ids.RULE_SENTENCE}"
REPLAY = f"#{ids.RULE_REPLAY}"
SAVE = f"#{ids.RULE_SAVE}"
RULES = "/alerting?tab=rules"
NEW = f"{RULES}&edit=new"

PUMPS = parse_rule(
    {
        "name": "Pumps",
        "scope": ["kraken:*/USD"],
        "condition": {"kind": "change", "direction": "up", "percent": 5, "window_seconds": 900},
        "channels": ["ops"],
    },
    1,
)


@pytest.fixture
def alert_service(server: Server) -> FakeAlertService:
    """One rule that fires on three metrics."""
    assert isinstance(server.alert_service, FakeAlertService)
    server.deliveries.channels = server.alert_service.channels = ("ops", "mail")
    server.alert_service.stored[1] = PUMPS
    server.alert_service.states[1] = {"firing": 3}
    return server.alert_service


def part(**identity: object) -> str:
    """A selector for a component with a pattern-matching id."""
    return "".join(f'[id*=\'"{name}":"{value}"\']' for name, value in identity.items())


def field(name: str) -> str:
    return part(type="rule-field", name=name)


def action(name: str, rule: int = 1) -> str:
    return f"{LIST} [data-rule='{rule}'] [data-act='{name}']"


def fill(site: Site, name: str, text: str) -> None:
    site.click(field(name))
    box = site.script("return document.querySelector(arguments[0])", field(name))
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(text or Keys.DELETE)


def choose(site: Site, select: str, value: str) -> None:
    """Chooses an option of `select` by its value, once it has that option."""
    site.until(lambda: site.script("return !!document.querySelector(arguments[0])", f"{select} [value='{value}']"))
    Select(site.script("return document.querySelector(arguments[0])", select)).select_by_value(value)


def is_shown(site: Site, name: str) -> bool:
    look = "return document.querySelector(arguments[0]).checkVisibility()"
    return bool(site.script(look, part(type="rule-row", name=name)))


def stored_rules(alert_service: FakeAlertService) -> dict[str, AlertRule]:
    return {rule.name: rule for rule in alert_service.rules()}


def open_menu(site: Site, name: str) -> None:
    found = (
        "const found = [...document.querySelectorAll('.rule-menu > summary')]"
        ".filter(one => one.innerText.startsWith(arguments[0])).at(-1); found?.click(); return Boolean(found);"
    )
    site.until(lambda: site.script(found, name))


def test_a_rule_is_written_from_a_template(site: Site, alert_service: FakeAlertService) -> None:
    site.open(RULES)
    site.click("a[href*='template=dumps']")
    site.shows(SENTENCE, "Fill in all fields")

    fill(site, "scope", "kraken:*/USD, okx:*")
    site.shows(SENTENCE, "the price of kraken:*/USD or any pair of okx falls by more than 10 % within 15 min")
    site.shows(f"#{ids.RULE_REACH}", "It watches 200 metrics now.")
    fill(site, "percent", "12.5")
    site.shows(SENTENCE, "12.5 %")
    site.click(SAVE)

    site.shows(LIST, "Dumps")
    rule = stored_rules(alert_service)["Dumps"]
    assert rule.condition.percent == 12.5  # type: ignore[union-attr]
    assert [str(pattern) for pattern in rule.scope] == ["kraken:*/USD", "okx:*/*"]
    assert site.script("return location.search") == "?tab=rules"


def test_mistakes_are_shown_at_their_fields(site: Site, alert_service: FakeAlertService) -> None:
    site.open(NEW)
    fill(site, "percent", "much")
    site.shows(part(type="rule-error", name="percent"), "Must be a number from 0.001 to 1,000,000.")
    assert site.text(part(type="rule-error", name="name"), "") == ""

    site.click(SAVE)
    site.shows(f"#{ids.RULE_REFUSED}", "Not saved: correct the marked fields.")
    site.shows(part(type="rule-error", name="name"), "Give the rule a name.")
    fill(site, "name", "Mine")
    site.lacks(part(type="rule-error", name="name"), "Give")
    site.shows(f"#{ids.RULE_REFUSED}", "Not saved")
    fill(site, "scope", "kraken:*/USD")
    fill(site, "percent", "12.5")
    site.shows(SENTENCE, "12.5 %")
    site.until(lambda: site.text(f"#{ids.RULE_REFUSED}") == "")
    assert len(alert_service.stored) == 1


def test_the_reason_a_rule_was_not_saved_stays_until_it_is_changed(site: Site, alert_service: FakeAlertService) -> None:
    site.open(f"{RULES}&edit=1")
    site.shows(SENTENCE, "rises by more than 5 %")
    del alert_service.stored[1]
    site.click(SAVE)
    site.shows(f"#{ids.RULE_REFUSED}", "this rule was deleted")
    site.until(lambda: site.script(f"return !document.querySelector('{SAVE}').disabled"))
    assert "this rule was deleted" in site.text(f"#{ids.RULE_REFUSED}")

    fill(site, "percent", "7")

    site.shows(SENTENCE, "7 %")
    site.until(lambda: site.text(f"#{ids.RULE_REFUSED}") == "")


def test_the_fields_follow_the_condition(site: Site) -> None:
    site.open(NEW)
    site.shows(SENTENCE, "Fill in all fields")
    choose(site, field("quantity"), "rank")
    site.until(lambda: is_shown(site, "level") and not is_shown(site, "percent"))
    site.shows(part(type="rule-row", name="way"), "Gets better")
    choose(site, field("kind"), "top")
    site.until(lambda: is_shown(site, "places") and not is_shown(site, "way"))


def test_a_rule_is_edited_in_its_place(site: Site, alert_service: FakeAlertService) -> None:
    site.open(RULES)
    site.click("a[href*='edit=1']")
    site.shows(SENTENCE, "rises by more than 5 % within 15 min")
    fill(site, "name", "Big pumps")
    fill(site, "percent", "20")
    site.click(SAVE)  # at once: what was typed last counts

    site.shows(LIST, "Big pumps")
    assert list(alert_service.stored) == [1]
    assert alert_service.stored[1].condition == replace(PUMPS.condition, percent=20.0)
    assert alert_service.stored[1].channels == ("ops",)


def test_a_copy_begins_as_the_rule_was(site: Site, alert_service: FakeAlertService) -> None:
    site.open(RULES)
    site.click("a[href*='like=1']")
    site.shows(SENTENCE, "rises by more than 5 %")
    site.click(SAVE)

    site.shows(LIST, "Pumps (copy)")
    assert set(stored_rules(alert_service)) == {"Pumps", "Pumps (copy)"}


def test_rules_are_switched_off_and_on(site: Site, alert_service: FakeAlertService) -> None:
    site.open(RULES)
    site.shows(LIST, "3 firing")
    site.click(action("off"))
    site.shows(LIST, "Off")
    assert not alert_service.stored[1].enabled
    site.click(action("on"))
    site.until(lambda: alert_service.stored[1].enabled)
    site.lacks(LIST, "Off")


def test_rules_are_muted_for_a_while_until_resolved_and_not_at_all(site: Site, alert_service: FakeAlertService) -> None:
    site.open(RULES)
    site.shows(LIST, "Pumps")
    open_menu(site, "Mute")
    site.click(f"{action('mute')}[data-length='8h']")
    site.shows(LIST, "Muted until 1 Mar 2026, 21:00")
    (mute,) = alert_service.muted.values()
    assert (mute.rule_id, mute.metric_id, mute.until) == (1, None, builders.NOON + timedelta(hours=8))

    site.click(action("unmute"))
    site.lacks(LIST, "Muted")
    assert not alert_service.muted
    open_menu(site, "Mute")
    site.click(f"{action('mute')}[data-length='resolved']")
    site.shows(LIST, "Muted until it resolves")


@pytest.mark.parametrize("name", ["Mute", "Delete"])
@pytest.mark.usefixtures("alert_service")
def test_a_phone_has_room_for_the_menus_of_a_rule(phone: Site, name: str) -> None:
    phone.open(RULES)
    phone.shows(LIST, "Pumps")
    open_menu(phone, name)
    phone.until(lambda: phone.text(".menu-panel", ""))

    place = "const {left, right, bottom} = document.querySelector('.menu-panel').getBoundingClientRect()"
    phone.until(lambda: phone.script(f"{place}; return left >= 0 && right <= 390 && bottom < innerHeight + 1"))
    assert phone.script("return document.documentElement.scrollWidth") <= 390


def test_deleting_a_rule_needs_a_confirmation(site: Site, alert_service: FakeAlertService) -> None:
    site.open(RULES)
    site.shows(LIST, "Pumps")
    open_menu(site, "Delete")
    site.shows(".menu-panel", "Its alerts stay on record")
    assert alert_service.stored
    site.click(action("delete"))

    site.shows(LIST, "No rules of your own yet")
    assert not alert_service.stored


def test_a_rule_is_replayed_before_it_is_saved(site: Site, alert_service: FakeAlertService, reader: FakeReader) -> None:
    series = reader.price_series[1]
    reader.price_series[2] = series
    fired = [(1, 60), (2, 50), (1, 40)]
    alert_service.fired = {
        number: builders.alert(number, metric_id=metric, fired_at=builders.NOON - timedelta(minutes=ago))
        for number, (metric, ago) in enumerate(fired, 1)
    }
    site.open(f"{NEW}&template=pumps&scope=okx:*")
    site.shows(SENTENCE, "any pair of okx rises")
    site.click(part(type="rule-replay-span", span="24h"))

    site.shows(REPLAY, "It would have fired 3 times in the last 24 h, on 2 of 100 metrics.")
    points = f"return document.querySelector('#{ids.RULE_REPLAY_CHART} .js-plotly-plot')?.data?.[1].x.length"
    site.until(lambda: site.script(points) == 2)
    choose(site, f"#{ids.RULE_REPLAY_METRIC}", "2")
    site.until(lambda: site.script(points) == 1)
    assert alert_service.tried is not None
    assert alert_service.tried.name == "Pumps"
    assert len(alert_service.stored) == 1


class Following:
    """Reports the shares of a replay one by one, each on demand of the test."""

    def __init__(self, *shares: float | None) -> None:
        self.steps = [(share, Event()) for share in shares]

    def __iter__(self) -> Iterator[float | None]:
        for share, may in self.steps:
            yield share
            assert may.wait(60)

    def next_share(self) -> None:
        next(may for _, may in self.steps if not may.is_set()).set()


def test_a_replay_shows_its_progress_and_can_be_cancelled(site: Site, alert_service: FakeAlertService) -> None:
    alert_service.steps = following = Following(None, 0.25, 0.75)
    site.open(f"{NEW}&template=pumps&scope=okx:*")
    site.shows(SENTENCE, "any pair of okx rises")
    site.click(part(type="rule-replay-span", span="7d"))

    wait, share = f"#{ids.RULE_REPLAY_WAIT}", f"return document.querySelector('#{ids.RULE_REPLAY_PROGRESS}').value"
    site.shows(wait, "Waiting for another replay to finish.")
    following.next_share()
    site.until(lambda: site.script(share) == 0.25)
    site.shows(wait, "Replaying the stored prices.")
    site.click(f"#{ids.RULE_REPLAY_CANCEL}")
    site.shows(REPLAY, "How often would it have fired?")
    following.next_share()
    following.next_share()
    site.until(lambda: alert_service.ended == 1)


def test_a_refused_replay_says_when_to_try_again(site: Site, alert_service: FakeAlertService) -> None:
    alert_service.steps, alert_service.trouble = (
        (),
        Busy("too many replays are running or waiting; try again in 10 s", 10),
    )
    site.expect("status of 503")
    site.open(f"{NEW}&template=pumps&scope=okx:*")
    site.shows(SENTENCE, "any pair of okx rises")
    site.click(part(type="rule-replay-span", span="24h"))

    site.shows(REPLAY, "Not replayed: too many replays are running or waiting; try again in 10 s.")


@pytest.mark.usefixtures("alert_service")
def test_a_test_shows_the_result_of_each_channel(site: Site, server: Server) -> None:
    site.open(f"{RULES}&edit=1")
    site.shows(SENTENCE, "rises")
    site.click(f"#{ids.RULE_TEST}")
    site.shows(f"#{ids.RULE_TEST_RESULT}", "ops: accepted")
    assert server.deliveries.tried == ["ops"]
    server.deliveries.refuses = DeliveryFailed("answered 500")
    site.click(f"#{ids.RULE_TEST}")
    site.shows(f"#{ids.RULE_TEST_RESULT}", "ops: answered 500")


def test_a_metrics_page_begins_a_rule_for_it(site: Site) -> None:
    site.open("/metric/1")
    site.click("a[href*='edit=new']")
    site.arrives_at("/alerting")

    def scope() -> Any:
        return site.script("return document.querySelector(arguments[0])?.value", field("scope"))

    assert site.until(scope) == "okx:BTC/USD"


@pytest.mark.usefixtures("alert_service")
def test_tabs_are_in_the_address_and_the_browser_goes_back(site: Site) -> None:
    site.open("/alerting")
    site.shows("h2", "No alert has fired yet")
    site.click("a[href$='tab=rules']")
    site.shows(LIST, "Pumps")
    site.browser.back()
    site.shows("h2", "No alert has fired yet")
    site.browser.forward()
    site.shows(LIST, "Pumps")


def test_another_zone_keeps_what_was_typed(site: Site) -> None:
    site.open(NEW)
    fill(site, "name", "Half a rule")
    site.click(f"#{ids.ZONE} .form-check:nth-child(2) label")
    site.until(lambda: site.script(f"return document.querySelector('#{ids.ZONE} input:checked').value") == "utc")
    assert site.script("return document.querySelector(arguments[0]).value", field("name")) == "Half a rule"


def test_the_list_shows_changes_by_others(site: Site, alert_service: FakeAlertService, reader: FakeReader) -> None:
    site.open(RULES)
    site.shows(LIST, "3 firing")
    alert_service.states[1] = {"firing": 1, "pending": 2}
    reader.put(*reader.metrics)
    site.shows(LIST, "1 firing")
    site.shows(LIST, "2 pending")
