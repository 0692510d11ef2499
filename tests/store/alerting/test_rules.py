from json import dumps

from sqlalchemy import insert

from services.actions.alerts import StoreAlertService
from services.market.alerting.rule_text import sentence
from services.market.types import Listing, Pair
from services.store.alerting import alerts, rules
from services.store.alerting.alerts import NewAlert
from services.store.database.engine import Engine, reading, writing
from services.store.database.models import RuleRow
from services.store.ranking import metrics
from services.store.reader import StoreReader
from tests import builders
from tests.builders import NOON

T = int(NOON.timestamp())

OUTSIDE_TODAYS_LIMITS = dumps(
    {
        "name": "Far out " * 20,
        "scope": ["kraken:*/USD"] * 60,
        "quantity": "price",
        "condition": {"kind": "average", "direction": "above", "factor": 2e6, "window_seconds": 120, "min_samples": 0},
        "pending_seconds": 0,
        "cooldown_seconds": 30 * 86_400,
        "hysteresis_percent": 75.0,
        "channels": ["mail"] * 30,
        "tell_resolved": False,
        "enabled": True,
        "colour": "red",
    }
)


def test_a_stored_rule_outside_the_current_limits_is_still_read_listed_and_shown(engine: Engine) -> None:
    with writing(engine) as connection:
        metrics.track(connection, "kraken", [Listing(Pair("BTC", "USD"))], lambda _pair: True, NOON)
        connection.execute(insert(RuleRow).values(body=OUTSIDE_TODAYS_LIMITS))
        alerts.insert_alerts(connection, [NewAlert(1, T, 9.0, None, None, 0, rule_id=1, rule=OUTSIDE_TODAYS_LIMITS)])
    alert_service = StoreAlertService(engine, ("mail",))

    (rule,) = alert_service.rules()
    (alert,) = StoreReader(engine, builders.profile()).alerts()

    assert alert_service.rule(1) == rule
    assert (rule.hysteresis_percent, rule.cooldown_seconds, len(rule.scope)) == (75.0, 30 * 86_400, 60)
    assert sentence(rule).startswith("Alerts when the price of kraken:*/USD, kraken:*/USD, kraken:*/USD or 57 more is")
    assert (alert.rule, alert.condition) == (rule.name, "price is above 2e+06 times its average of 2 min")


def test_a_new_rule_is_returned_as_it_is_read_back(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(insert(RuleRow).values(body=OUTSIDE_TODAYS_LIMITS))
        first = rules.find(connection, 1)
        assert first is not None
        added = rules.add(connection, first)

    with reading(engine) as connection:
        assert rules.find(connection, 2) == added
