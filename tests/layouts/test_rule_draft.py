import pytest

from layouts.rule_draft import (
    ALL,
    BLANK,
    NOBODY,
    SOME,
    TEMPLATES,
    draft_of,
    duplicate,
    from_template,
    visible_fields,
)
from layouts.rule_validation import errors_in, rule_json
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import KINDS

FILLED = BLANK | {"name": "Pumps", "scope": "kraken:*/USD"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_lacks_only_the_scope(name: str):
    draft = from_template(name)

    assert errors_in(rule_json(draft)) == {"scope": "Names no pair."}
    assert errors_in(rule_json(draft | {"scope": "kraken:*/USD"})) == {}


def test_there_are_templates_for_the_most_common_rules():
    kinds = {parse_rule(rule_json(from_template(name) | {"scope": "kraken:*"})).kind for name in TEMPLATES}

    assert kinds == {"average", "change", "top", "no_data"}
    assert from_template("no such template") == BLANK


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "average", "side": "below", "factor": "0.125", "window": "86400", "min_samples": "7"},
        {"kind": "change", "way": "either", "percent": "2.5", "window": "300"},
        {"kind": "level", "way": "down", "level": "0.0000125"},
        {"quantity": "rank", "kind": "top", "places": "3"},
        {"kind": "no_data", "periods": "4"},
        {"pending": "60", "cooldown": "0", "hysteresis": "1.5", "notify": SOME, "channels": ["ops"]},
        {"notify": NOBODY},
    ],
)
def test_a_rule_survives_the_round_trip_through_the_form(changes: dict[str, object]):
    rule = parse_rule(rule_json(FILLED | changes, enabled=False), 7)

    assert parse_rule(rule_json(draft_of(rule), enabled=False), 7) == rule


def test_all_errors_are_found_at_once():
    errors = errors_in(rule_json(FILLED | {"name": " ", "scope": "kraken", "percent": "much", "hysteresis": "70"}))

    assert errors == {
        "name": "Give the rule a name.",
        "scope": "'kraken' is not exchange:BASE/QUOTE.",
        "percent": "Must be a number from 0.001 to 1,000,000.",
        "hysteresis": "Must be a number from 0 to 50.",
    }


@pytest.mark.parametrize(
    ("typed", "meant"), [("5", 5), (" 5 % ", 5), ("1,250.5", 1250.5), ("1e3", 1000), ("100,000", 100_000)]
)
def test_numbers_are_read_as_people_type_them(typed: str, meant: float):
    assert rule_json(FILLED | {"percent": typed})["condition"]["percent"] == meant


@pytest.mark.parametrize("typed", ["3,5", "1,00", "", "nan", "inf", "-1", "9" * 5000, "0x10"])
def test_an_ambiguous_number_is_refused(typed: str):
    assert set(errors_in(rule_json(FILLED | {"percent": typed}))) == {"percent"}


def test_values_that_the_form_cannot_send_are_refused_too():
    assert errors_in(rule_json(FILLED | {"quantity": "weight"})) == {
        "quantity": "Must be price, volume, stdev, volatility or rank."
    }
    assert set(errors_in(rule_json(FILLED | {"kind": "top"}))) == {"kind"}
    assert set(errors_in(rule_json({}))) >= {"name"}


def test_only_the_fields_of_the_condition_are_shown():
    assert {name for name in visible_fields(FILLED) if name in ("percent", "factor", "level", "places", "periods")} == {
        "percent"
    }
    assert "hysteresis" not in visible_fields(FILLED | {"kind": "no_data"})
    assert "channels" in visible_fields(FILLED | {"notify": SOME})
    assert "channels" not in visible_fields(FILLED | {"notify": ALL})
    for kind in KINDS:
        assert visible_fields(FILLED | {"kind": kind})


def test_the_name_of_a_copy_ends_with_copy():
    rule = parse_rule(rule_json(FILLED), 7)

    assert duplicate(rule) == draft_of(rule) | {"name": "Pumps (copy)"}
