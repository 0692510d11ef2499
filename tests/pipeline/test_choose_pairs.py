import pytest

from services.market.track import parse_track
from services.market.types import Listing, Pair
from services.pipeline.choose_pairs import Choice, choose_pairs
from tests.fakes_exchange import pair


def chosen_of(track: str, *listings: Listing, tracked: tuple[Pair, ...] = ()) -> Choice:
    return choose_pairs(parse_track(track), listings, tracked)


def names(choice: Choice) -> list[str]:
    return [str(listing.pair) for listing in choice.chosen]


BITCOIN = Listing(pair("BTC/USD"), aliases=(pair("XBT/USD"), pair("XXBT/ZUSD"), pair("XBT/ZUSD"), pair("BTC/ZUSD")))
DOGE = Listing(pair("DOGE/USD"), aliases=(pair("XDG/USD"),))
ETHER = Listing(pair("ETH/BTC"), aliases=(pair("ETH/XBT"),))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("XBT/USD", ["BTC/USD"]),
        ("xbt/usd", ["BTC/USD"]),
        ("XXBT/ZUSD", ["BTC/USD"]),
        ("XDG/USD", ["DOGE/USD"]),
        ("ETH/XBT", ["ETH/BTC"]),
        ("*/XBT", ["ETH/BTC"]),
        ("XBT/*", ["BTC/USD"]),
        ("BTC/USD", ["BTC/USD"]),
    ],
)
def test_native_names_of_an_exchange_stand_for_the_common_names(asked, found):
    choice = chosen_of(f"kraken:{asked}", BITCOIN, DOGE, ETHER)

    assert names(choice) == found
    assert choice.warnings == ()
    assert choice.patterns[0].matches(pair(found[0]))


def test_the_native_and_the_common_name_of_a_pair_are_one_metric():
    assert names(chosen_of("kraken:XBT/USD,kraken:BTC/USD", BITCOIN)) == ["BTC/USD"]


def test_a_common_name_takes_precedence_over_the_native_name_of_another_pair():
    new, old = (
        Listing(pair("LUNA/USD"), aliases=(pair("LUNA2/USD"),)),
        Listing(pair("LUNC/USD"), aliases=(pair("LUNA/USD"),)),
    )

    assert names(chosen_of("kraken:LUNA/USD", new, old)) == ["LUNA/USD"]
    assert names(chosen_of("kraken:LUNA/USD", old)) == ["LUNC/USD"]


def test_a_pair_with_an_unusable_name_is_reported_with_that_reason():
    odd = Listing(pair("<B>/USD"), fault="its name holds '<'")
    choice = chosen_of("kraken:<b>/USD", odd, BITCOIN)

    assert choice.chosen == ()
    assert choice.warnings == ("TRACK: kraken has <B>/USD, which cannot be tracked: its name holds '<'",)


def test_a_wildcard_that_matches_only_unusable_names_is_reported_and_others_skip_them():
    odd, other = (Listing(Pair(base, "USD"), fault="its name holds the character U+202E") for base in ("a\u202eb", "c"))

    assert names(chosen_of("kraken:*/USD", odd, other, BITCOIN)) == ["BTC/USD"]
    assert chosen_of("kraken:*/USD", odd, other, BITCOIN).warnings == ()
    (warning,) = chosen_of("kraken:*/USD", odd, other).warnings
    assert warning == (
        "TRACK: kraken has a\\u202eb/USD and 1 more, which cannot be tracked: its name holds the character U+202E"
    )


def test_a_wildcard_whose_pairs_are_all_halted_is_not_reported_as_missing():
    halted = Listing(pair("A/EUR"), active=False)

    assert chosen_of("kraken:*/EUR", halted, BITCOIN).warnings == (
        "TRACK: none of the pairs */EUR that kraken lists (1) trades now",
    )
    assert chosen_of("kraken:*/EUR,kraken:*", halted).warnings == (
        "TRACK: kraken lists no active pair now, and is looked up again soon",
    )


def test_the_warning_about_an_unknown_pair_suggests_similar_pairs():
    (warning,) = chosen_of("kraken:DOG/USD", DOGE, BITCOIN).warnings

    assert warning.startswith("TRACK: kraken has no pair DOG/USD (did you mean DOGE/USD")


def test_a_halted_pair_is_tracked_if_it_is_named_or_was_tracked_before():
    halted, other = Listing(pair("A/USD"), active=False), Listing(pair("B/USD"), active=False)

    assert names(chosen_of("kraken:A/USD,kraken:*/USD", halted, other, BITCOIN)) == ["A/USD", "BTC/USD"]
    assert names(chosen_of("kraken:*/USD", halted, other, tracked=(pair("B/USD"),))) == ["B/USD"]
