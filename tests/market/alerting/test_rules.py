import pytest

from services.market.alerting.rule_json import as_whole, parse_rule, rule_fields
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


def test_a_rule_is_read_as_it_was_told_and_told_as_it_was_read():
    rule = parse_rule(GIVEN, 4)

    assert rule.id == 4
    assert rule.condition == Change("down", 50.0, 3_600)
    assert [str(pattern) for pattern in rule.scope] == ["kraken:*/USD", "binance:BTC/*"]
    assert rule_fields(rule) == GIVEN


def test_what_is_left_out_is_usual():
    condition = {"kind": "average", "factor": 3, "window_seconds": 3_600}
    rule = parse_rule({"name": "Spike", "scope": "kraken:*", "condition": condition})

    assert rule.condition == TimesAverage("above", 3.0, 3_600, 5)
    assert (rule.quantity, rule.cooldown_seconds, rule.channels, rule.enabled) == ("price", 3_600, None, True)


CONDITION = GIVEN["condition"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": " "}, "name: give the rule a name"),
        ({"name": "a\nb"}, "name: has to be one line of at most 80 characters"),
        ({"scope": []}, "scope: names no pair at all"),
        ({"scope": ["kraken"]}, "scope: 'kraken' is not exchange:BASE/QUOTE"),
        ({"scope": 5}, "scope: has to be a list of patterns such as kraken:*/USD"),
        ({"scope": ["a:*"] * 51}, "scope: has to be at most 50 patterns of at most 200 characters"),
        ({"condition": {"kind": "level", "level": 10**400}}, "condition.level: has to be a number from 0 to "
                                                             "1,000,000,000,000,000"),
        ({"quantity": "mood"}, "quantity: has to be price, volume, stdev, volatility or rank"),
        ({"quantity": "rank"}, "condition.kind: change does not go with rank, only level or top"),
        ({"condition": "up"}, 'condition: has to be an object such as {"kind": "level", "direction": "up", '
                              '"level": 100000}'),
        ({"condition": CONDITION | {"kind": "often"}}, "condition.kind: has to be average, change, level, top or "
                                                       "no_data"),
        ({"condition": CONDITION | {"percent": -5}}, "condition.percent: has to be a number from 0.001 to 1,000,000"),
        ({"condition": CONDITION | {"percent": True}}, "condition.percent: has to be a number from 0.001 to 1,000,000"),
        ({"condition": CONDITION | {"percent": float("nan")}}, "condition.percent: has to be a number from 0.001 "
                                                               "to 1,000,000"),
        ({"condition": CONDITION | {"window_seconds": 60}}, "condition.window_seconds: has to be 300, 900, 1800, "
                                                            "3600, 14400, 43200 or 86400 seconds"),
        ({"condition": CONDITION | {"direction": "left"}}, "condition.direction: has to be up, down or either"),
        ({"condition": CONDITION | {"level": 5}}, "condition.level: is no field of a rule"),
        ({"condition": {"kind": "change", "percent": 5}}, "condition.window_seconds: is missing"),
        ({"pending_seconds": 1.5}, "pending_seconds: has to be a whole number from 0 to 604800"),
        ({"hysteresis_percent": 51}, "hysteresis_percent: has to be a number from 0 to 50"),
        ({"channels": "mail"}, "channels: has to be null for all, or a list of at most 20 channels"),
        ({"channels": [""]}, "channels: has to name each channel by a text of at most 200 characters"),
        ({"enabled": 1}, "enabled: has to be true or false"),
        ({"colour": "red"}, "colour: is no field of a rule"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_plain_words_that_name_the_field(changed, words):
    with pytest.raises(BadRule) as caught:
        parse_rule(GIVEN | changed)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("given", "whole"),
    [(5, 5), (5.0, 5), (0.0, 0), (5.5, None), (True, None), ("5", None), (None, None), (float("inf"), None)],
)
def test_json_makes_no_difference_between_whole_numbers(given, whole):
    assert as_whole(given) == whole
