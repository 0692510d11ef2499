"""The texts of messages for every quantity and condition."""

from typing import Any

import pytest

from services.market.alerting.alerts import Alert
from services.market.alerting.messages import Entry, compose
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rule_text import condition_text
from tests import builders
from tests.builders import NOON

WINDOW = {"window_seconds": 3_600}
AVERAGE = {"kind": "average", "direction": "below", "factor": 0.5, **WINDOW}
CHANGE = {"kind": "change", "direction": "up", "percent": 20, **WINDOW}
LEVEL = {"kind": "level", "direction": "either", "level": 5}


def alert_of(quantity: str, condition: dict[str, Any], **figures: Any) -> Alert:
    """An alert of a rule with this quantity and condition."""
    rule = parse_rule({"name": "Mine", "scope": ["kraken:*"], "quantity": quantity, "condition": condition}, 4)
    fields: dict[str, Any] = {"rule_id": 4, "rule": "Mine", "condition": condition_text(rule), "quantity": quantity}
    return builders.alert(1, price=100.0, **{"average": None, "factor": None} | fields | figures)


@pytest.mark.parametrize(
    ("alert", "figures"),
    [
        (
            alert_of("price", AVERAGE, value=100.0, average=250.0, factor=0.5, reference=250.0),
            "price is below 0.5 times its average of 1 h (100 USD, average 250 USD)",
        ),
        (
            alert_of("price", CHANGE, value=100.0, reference=80.0),
            "price rises by more than 20 % within 1 h (100 USD, before 80 USD)",
        ),
        (alert_of("price", LEVEL, value=100.0), "price crosses 5 (100 USD)"),
        (
            alert_of("price", {"kind": "no_data", "periods": 5}),
            "has no price for 5 periods (the last price was 100 USD)",
        ),
        (
            alert_of("volume", CHANGE, value=1_234.5, reference=1_000.0),
            "24 h volume rises by more than 20 % within 1 h (1234.5 BTC, before 1000 BTC, at a price of 100 USD)",
        ),
        (alert_of("stdev", LEVEL, value=5.25), "standard deviation crosses 5 (5.25 USD, at a price of 100 USD)"),
        (
            alert_of("volatility", AVERAGE, value=0.0123, average=0.05, factor=0.5, reference=0.05),
            "volatility is below 0.5 times its average of 1 h (1.23 %, average 5 %, at a price of 100 USD)",
        ),
        (
            alert_of("rank", {"kind": "top", "places": 10}, value=7.0),
            "enters the top 10 (rank 7, at a price of 100 USD)",
        ),
    ],
)
def test_every_quantity_has_its_own_unit(alert: Alert, figures: str) -> None:
    fired = compose("k", NOON, (Entry("fired", alert),), 1, 0)
    over = compose("k", NOON, (Entry("resolved", alert),), 0, 1)

    assert fired.title == "BTC/USD on kraken: Mine"
    assert fired.text == f"BTC/USD on kraken met the rule Mine at 2026-03-01 11:55 UTC: {figures}.\n[k]"
    assert over.title == "BTC/USD on kraken: Mine resolved"
    was = "BTC/USD on kraken no longer meets the rule Mine, as it did at 2026-03-01 11:55 UTC"
    assert over.text == f"{was}: {figures}.\n[k]"


@pytest.mark.parametrize(
    ("reason", "text"),
    [("average_caught_up", "its average caught up"), ("window_moved_on", "its window moved on")],
)
def test_an_alert_that_ends_for_another_reason_than_its_value_states_it(reason: Any, text: str) -> None:
    alert = alert_of("price", AVERAGE, value=100.0, average=250.0, factor=0.5, reference=250.0, reason=reason)
    alone = compose("k", NOON, (Entry("resolved", alert),), 0, 1)
    among = compose("k", NOON, (Entry("resolved", alert), Entry("resolved", alert)), 0, 2)

    was = f"BTC/USD on kraken no longer meets the rule Mine ({text}), as it did at 2026-03-01 11:55 UTC: "
    assert alone.text.startswith(was)
    row = f"BTC/USD on kraken: Mine resolved ({text}), alerted at 2026-03-01 11:55 UTC"
    assert among.text.splitlines()[0] == row


def test_in_a_message_about_several_alerts_each_has_one_line() -> None:
    alert = alert_of("price", LEVEL, value=100.0)
    message = compose(
        "k", NOON, (Entry("fired", alert), Entry("fired", builders.alert()), Entry("resolved", alert)), 3, 1
    )

    assert message.title == "3 alerts, 1 resolved: BTC/USD on kraken: Mine, and 3 more"
    assert message.text.splitlines() == [
        "BTC/USD on kraken: Mine (price crosses 5: 100 USD)",
        "BTC/USD on kraken: 3.2 x its average (190000 USD, average 60000)",
        "BTC/USD on kraken: Mine resolved, alerted at 2026-03-01 11:55 UTC",
        "and 1 more",
        "[k]",
    ]
