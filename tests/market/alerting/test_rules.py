import pytest

from services.market.alerting.rule_json import as_whole, parse_rule, read_rule, rule_fields
from services.market.alerting.rules import BadRule, Change, TimesAverage

GIVEN = {
    "name": "Halved",
    "scope": ["kraken:*/USD", "binance:BTC/*"],
    "quantity": "price",
    "condition": {"kind": "change", "direction": "down", "percent": 50, "window_seconds": 3_600},
    "pending_seconds": 120,
    "cooldown_seconds": 900,
    "hysteresis_percent": 10,
    "channels": ["mail"],
    "tell_resolved": True,
    "enabled": False,
}


def test_a_rule_survives_the_round_trip_through_json():
    rule = parse_rule(GIVEN, 4)

    assert rule.id == 4
    assert rule.condition == Change("down", 50.0, 3_600)
    assert [str(pattern) for pattern in rule.scope] == ["kraken:*/USD", "binance:BTC/*"]
    assert rule_fields(rule) == GIVEN


def test_missing_fields_get_their_defaults():
    condition = {"kind": "average", "factor": 3, "window_seconds": 3_600}
    rule = parse_rule({"name": "Spike", "scope": "kraken:*", "condition": condition})

    assert rule.condition == TimesAverage("above", 3.0, 3_600, 5)
    assert (rule.quantity, rule.cooldown_seconds, rule.channels, rule.enabled) == ("price", 3_600, None, True)


CONDITION = GIVEN["condition"]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"name": " "}, "name: give the rule a name"),
        ({"name": "a\nb"}, "name: must be one line of at most 80 characters"),
        ({"scope": []}, "scope: names no pair"),
        ({"scope": ["kraken"]}, "scope: 'kraken' is not exchange:BASE/QUOTE"),
        ({"scope": 5}, "scope: must be a list of patterns such as kraken:*/USD"),
        ({"scope": ["a:*"] * 51}, "scope: must be at most 50 patterns of at most 200 characters"),
        ({"condition": {"kind": "level", "level": 10**400}}, "condition.level: must be a number from 0 to "
                                                             "1,000,000,000,000,000"),
        ({"quantity": "mood"}, "quantity: must be price, volume, stdev, volatility or rank"),
        ({"quantity": "rank"}, "condition.kind: change cannot be used with rank, only level or top"),
        ({"condition": "up"}, 'condition: must be an object such as {"kind": "level", "direction": "up", '
                              '"level": 100000}'),
        ({"condition": CONDITION | {"kind": "often"}}, "condition.kind: must be average, change, level, top or "
                                                       "no_data"),
        ({"condition": CONDITION | {"percent": -5}}, "condition.percent: must be a number from 0.001 to 1,000,000"),
        ({"condition": CONDITION | {"percent": True}}, "condition.percent: must be a number from 0.001 to 1,000,000"),
        ({"condition": CONDITION | {"percent": float("nan")}}, "condition.percent: must be a number from 0.001 "
                                                               "to 1,000,000"),
        ({"condition": CONDITION | {"window_seconds": 60}}, "condition.window_seconds: must be 300, 900, 1800, "
                                                            "3600, 14400, 43200 or 86400 seconds"),
        ({"condition": CONDITION | {"direction": "left"}}, "condition.direction: must be up, down or either"),
        ({"condition": CONDITION | {"level": 5}}, "condition.level: is not a field of a rule"),
        ({"condition": {"kind": "change", "percent": 5}}, "condition.window_seconds: is missing"),
        ({"pending_seconds": 1.5}, "pending_seconds: must be a whole number from 0 to 604800"),
        ({"hysteresis_percent": 51}, "hysteresis_percent: must be a number from 0 to 50"),
        ({"channels": "mail"}, "channels: must be null for all, or a list of at most 20 channels"),
        ({"channels": [""]}, "channels: must name each channel by a text of at most 200 characters"),
        ({"enabled": 1}, "enabled: must be true or false"),
        ({"colour": "red"}, "colour: is not a field of a rule"),
    ],
)  # fmt: skip
def test_the_error_names_the_invalid_field(changed, text):
    with pytest.raises(BadRule) as caught:
        parse_rule(GIVEN | changed)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("given", "whole"),
    [(5, 5), (5.0, 5), (0.0, 0), (5.5, None), (True, None), ("5", None), (None, None), (float("inf"), None)],
)
def test_5_and_5_0_are_the_same_whole_number_in_json(given, whole):
    assert as_whole(given) == whole


@pytest.mark.parametrize(
    "condition",
    [
        {"kind": "average", "direction": "below", "factor": 0.5, "window_seconds": 300, "min_samples": 7},
        {"kind": "change", "direction": "up", "percent": 5.0, "window_seconds": 900},
        {"kind": "level", "direction": "down", "level": 1.5},
        {"kind": "no_data", "periods": 3},
    ],
)
def test_a_stored_rule_is_read_unchanged(condition):
    rule = parse_rule(GIVEN | {"condition": condition}, 4)

    assert read_rule(rule_fields(rule), 4) == rule


def test_a_stored_rule_on_ranks_is_read_unchanged():
    rule = parse_rule(GIVEN | {"quantity": "rank", "condition": {"kind": "top", "places": 10}, "channels": None}, 4)

    assert read_rule(rule_fields(rule), 4) == rule


def test_a_stored_rule_outside_the_limits_is_read():
    condition = {"kind": "change", "direction": "up", "percent": 2e6, "window_seconds": 7}
    stored = GIVEN | {"name": "x" * 100, "condition": condition, "hysteresis_percent": 99.0, "colour": "red"}

    rule = read_rule(stored, 4)

    assert (rule.name, rule.condition, rule.hysteresis_percent) == ("x" * 100, Change("up", 2e6, 7), 99.0)
    with pytest.raises(BadRule):
        parse_rule(stored, 4)


def test_fields_missing_from_a_stored_rule_get_the_defaults_of_a_new_one():
    for condition in ({"kind": "average", "factor": 3.0, "window_seconds": 3_600}, {"kind": "level", "level": 5.0}):
        given = {"name": "Spike", "scope": ["kraken:*/*"], "condition": condition}

        assert read_rule(given, 4) == parse_rule(given, 4)
