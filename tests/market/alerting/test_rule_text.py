import pytest

from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rule_text import condition_text, sentence
from services.market.alerting.rules import AlertRule, built_in
from tests import builders

RISE = {"kind": "change", "direction": "up", "percent": 5, "window_seconds": 900}


def rule_with(**changes: object) -> AlertRule:
    given = {"name": "any", "scope": ["kraken:*/USD"], "condition": RISE}
    return parse_rule(given | changes)


def test_a_rule_is_described_in_one_sentence():
    assert sentence(rule_with()) == (
        "Alerts when the price of kraken:*/USD rises by more than 5 % within 15 min, at most once an hour per metric."
    )


def test_the_text_of_a_rule_on_one_pair_is_in_the_singular():
    assert sentence(rule_with(scope=["kraken:BTC/USD"], cooldown_seconds=86_400)) == (
        "Alerts when the price of kraken:BTC/USD rises by more than 5 % within 15 min, at most once a day."
    )


def test_the_sentence_mentions_the_pending_time_and_the_hysteresis_of_the_rule():
    assert sentence(rule_with(pending_seconds=300, cooldown_seconds=0, hysteresis_percent=1.5)) == (
        "Alerts every time the price of kraken:*/USD rises by more than 5 % within 15 min, for at least 5 min;"
        " resolves once back behind the threshold by 1.5 %."
    )


@pytest.mark.parametrize(
    ("quantity", "condition", "short", "long"),
    [
        (
            "volume",
            {"kind": "average", "direction": "below", "factor": 0.5, "window_seconds": 86_400},
            "24 h volume is below 0.5 times its average of 24 h",
            "the 24 h volume of kraken:*/USD is below 0.5 times its average of 24 h",
        ),
        (
            "volume",
            {"kind": "change", "percent": 5, "window_seconds": 300},
            "24 h volume rises or falls by more than 5 % within 5 min",
            "the 24 h volume of kraken:*/USD rises or falls by more than 5 % within 5 min",
        ),
        (
            "price",
            {"kind": "level", "direction": "up", "level": 100_000},
            "price rises through 100,000",
            "the price of kraken:*/USD rises through 100,000",
        ),
        (
            "stdev",
            {"kind": "level", "level": 0.0000125},
            "standard deviation crosses 0.0000125",
            "the standard deviation of kraken:*/USD crosses 0.0000125",
        ),
        (
            "rank",
            {"kind": "level", "direction": "up", "level": 20},
            "falls behind rank 20",
            "kraken:*/USD falls behind rank 20",
        ),
        ("rank", {"kind": "top", "places": 10}, "enters the top 10", "kraken:*/USD enters the top 10"),
        (
            "price",
            {"kind": "no_data", "periods": 1},
            "has no price for 1 period",
            "kraken:*/USD has no price for 1 period",
        ),
    ],
)
def test_every_kind_of_condition_has_a_text(quantity: str, condition: object, short: str, long: str):
    rule = rule_with(quantity=quantity, condition=condition)

    assert condition_text(rule) == short
    assert sentence(rule).startswith(f"Alerts when {long}, at most once an hour")


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (["kraken:*"], "any pair of kraken"),
        (["kraken:BTC/USD", "okx:*"], "kraken:BTC/USD or any pair of okx"),
        ([f"kraken:C{number}/USD" for number in range(5)], "kraken:C0/USD, kraken:C1/USD, kraken:C2/USD or 2 more"),
    ],
)
def test_a_long_scope_is_shortened(scope: list[str], text: str):
    assert f"the price of {text} rises" in sentence(rule_with(scope=scope))


def test_the_built_in_rule_is_described_too():
    assert sentence(built_in(builders.profile())) == (
        "Alerts when the price of any metric is above 3 times its average of 1 h, at most once an hour per metric."
    )
