import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.names import fault_of, normal
from services.market.track import parse_track
from services.market.types import Metric, Pair
from tests import hostile


@pytest.mark.parametrize(
    "name",
    [
        "BTC",
        "1INCH",
        "BTC.b",
        "A$AP",
        "$MYRO",
        "@G",
        "A+B",
        "x_y",
        "币安人生",
        "Я",
        "Ω",
        "शिव",
        "ビットコイン",
        "٣",
        "é",
    ],
)
def test_names_in_letters_of_every_script_can_be_tracked(name):
    assert fault_of(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("x" * 31, "is longer than 30 characters"),
        ("A:B", "holds ':'"),
        ("A/B", "holds '/'"),
        ("A-B", "holds '-'"),
        ("A*", "holds '*'"),
        ("a b", "holds the character U+0020"),
        ("<b>", "holds '<'"),
        ("x\x00y", "holds the character U+0000"),
        ("USD\u202etxt", "holds the character U+202E"),
        ("zero\u200bwidth", "holds the character U+200B"),
        ("fill\u1160er", "holds the character U+1160"),
        ("heart\ufe0f", "holds the character U+FE0F"),
        ("🐸", "holds '🐸'"),
        ("+1+1", "begins with '+'"),
        ("..", "begins with '.'"),
        ("\u0301A", "begins with the character U+0301"),
        ("\uff22\uff34\uff23", "is written in characters that stand for others"),
        ("ﬁ", "is written in characters that stand for others"),
        ("\u0430\u0440\u0440le", "mixes Latin letters with Cyrillic ones"),
        ("B\u03a4C", "mixes Latin letters with Greek ones"),
    ],
)
def test_a_name_that_cannot_be_tracked_has_a_reason(name, why):
    assert fault_of(name) == why


@pytest.mark.parametrize("name", hostile.NAMES)
def test_no_hostile_name_can_be_tracked(name):
    found = fault_of(name)

    assert found is not None
    assert found.isprintable()
    assert len(found) < 80


@given(st.text(max_size=40))
def test_a_trackable_name_is_visible_and_survives_the_round_trip_through_its_key(name):
    code = normal(name)
    if fault_of(code) is None:
        metric = Metric(1, "kraken", code, "USD")
        market, _, pair = metric.key.partition(":")
        assert (market, *pair.rsplit("-", 1)) == ("kraken", code, "USD")
        assert code.isprintable()
        assert not any(character.isspace() for character in code)
        assert parse_track(f"kraken:{code}/USD")[0].matches(Pair(code, "USD"))


def test_two_encodings_of_one_letter_are_one_name():
    assert normal("e\u0301") == normal("\u00e9")
    assert parse_track("kraken:e\u0301/USD") == parse_track("kraken:\u00e9/USD")
