import pytest

from layouts.rule_sentence import sentence
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import built_in
from tests import builders

RISE = {"kind": "change", "direction": "up", "percent": 5, "window_seconds": 900}


def said(**changes: object) -> str:
    given = {"name": "any", "scope": ["kraken:*/USD"], "condition": RISE}
    return sentence(parse_rule(given | changes))


def test_a_rule_is_said_in_one_sentence():
    assert said() == (
        "Alerts when the price of kraken:*/USD rises by more than 5 % within 15 min, at once,"
        " at most once an hour a metric."
    )


def test_of_one_pair_it_does_not_speak_of_several():
    words = said(scope=["kraken:BTC/USD"], cooldown_seconds=86_400)

    assert words.endswith(
        "the price of kraken:BTC/USD rises by more than 5 % within 15 min, at once, at most once a day."
    )


def test_waiting_resting_and_ending_are_said_where_there_are_any():
    words = said(pending_seconds=300, cooldown_seconds=0, hysteresis_percent=1.5)

    assert words.endswith("once that has held for 5 min, every time; it ends when that is undone by 1.5 %.")


@pytest.mark.parametrize(
    ("quantity", "condition", "words"),
    [
        (
            "volume",
            {"kind": "average", "direction": "below", "factor": 0.5, "window_seconds": 86_400},
            "the 24 h volume of kraken:*/USD is below 0.5 times its average of 24 h",
        ),
        (
            "price",
            {"kind": "level", "direction": "up", "level": 100_000},
            "the price of kraken:*/USD rises through 100,000",
        ),
        ("price", {"kind": "level", "level": 0.0000125}, "the price of kraken:*/USD crosses 0.0000125"),
        ("rank", {"kind": "level", "direction": "up", "level": 20}, "kraken:*/USD falls behind rank 20"),
        ("rank", {"kind": "top", "places": 10}, "kraken:*/USD enters the top 10"),
        (
            "price",
            {"kind": "no_data", "periods": 1},
            "no price of kraken:*/USD has come for 1 period, though it trades",
        ),
    ],
)
def test_every_kind_of_condition_has_its_words(quantity: str, condition: object, words: str):
    assert said(quantity=quantity, condition=condition).startswith(f"Alerts when {words}, at once, ")


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (["kraken:*"], "any pair of kraken"),
        (["kraken:BTC/USD", "okx:*"], "kraken:BTC/USD or any pair of okx"),
        ([f"kraken:C{number}/USD" for number in range(5)], "kraken:C0/USD, kraken:C1/USD, kraken:C2/USD or 2 more"),
    ],
)
def test_what_is_watched_is_named_as_far_as_one_wants_to_read(scope: list[str], words: str):
    assert f"the price of {words} rises" in said(scope=scope)


def test_the_built_in_rule_is_said_too():
    assert sentence(built_in(builders.profile())) == (
        "Alerts when the price of any metric is above 3 times its average of 1 h, at once,"
        " at most once an hour a metric."
    )
