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
def test_the_exchanges_own_names_are_taken_for_the_common_ones(asked, found):
    choice = chosen_of(f"kraken:{asked}", BITCOIN, DOGE, ETHER)

    assert names(choice) == found
    assert choice.warnings == ()
    assert choice.patterns[0].matches(pair(found[0]))


def test_both_names_of_one_pair_are_one_metric():
    assert names(chosen_of("kraken:XBT/USD,kraken:BTC/USD", BITCOIN)) == ["BTC/USD"]


def test_a_common_name_means_the_pair_that_has_it_and_not_another_ones_own_name():
    new, old = (
        Listing(pair("LUNA/USD"), aliases=(pair("LUNA2/USD"),)),
        Listing(pair("LUNC/USD"), aliases=(pair("LUNA/USD"),)),
    )

    assert names(chosen_of("kraken:LUNA/USD", new, old)) == ["LUNA/USD"]
    assert names(chosen_of("kraken:LUNA/USD", old)) == ["LUNC/USD"]


def test_a_pair_that_cannot_be_tracked_for_its_name_is_said_to_be_that():
    odd = Listing(pair("<B>/USD"), fault="its name holds '<'")
    choice = chosen_of("kraken:<b>/USD", odd, BITCOIN)

    assert choice.chosen == ()
    assert choice.warnings == ("TRACK: kraken has <B>/USD, which cannot be tracked: its name holds '<'",)


def test_a_family_of_such_pairs_alone_is_said_to_be_that_and_another_takes_in_the_rest():
    odd, other = (Listing(Pair(base, "USD"), fault="its name holds the character U+202E") for base in ("a\u202eb", "c"))

    assert names(chosen_of("kraken:*/USD", odd, other, BITCOIN)) == ["BTC/USD"]
    assert chosen_of("kraken:*/USD", odd, other, BITCOIN).warnings == ()
    (warning,) = chosen_of("kraken:*/USD", odd, other).warnings
    assert warning == (
        "TRACK: kraken has a\\u202eb/USD and 1 more, which cannot be tracked: its name holds the character U+202E"
    )


def test_a_family_none_of_which_trades_is_not_said_to_be_missing():
    halted = Listing(pair("A/EUR"), active=False)

    assert chosen_of("kraken:*/EUR", halted, BITCOIN).warnings == (
        "TRACK: none of the pairs */EUR that kraken lists (1) trades now",
    )
    assert chosen_of("kraken:*/EUR,kraken:*", halted).warnings == (
        "TRACK: kraken lists no active pair now, and is looked up again soon",
    )


def test_the_warning_about_a_pair_that_does_not_exist_suggests_similar_ones():
    (warning,) = chosen_of("kraken:DOG/USD", DOGE, BITCOIN).warnings

    assert warning.startswith("TRACK: kraken has no pair DOG/USD (did you mean DOGE/USD")


def test_what_is_named_outright_or_tracked_already_is_tracked_while_it_does_not_trade():
    halted, other = Listing(pair("A/USD"), active=False), Listing(pair("B/USD"), active=False)

    assert names(chosen_of("kraken:A/USD,kraken:*/USD", halted, other, BITCOIN)) == ["A/USD", "BTC/USD"]
    assert names(chosen_of("kraken:*/USD", halted, other, tracked=(pair("B/USD"),))) == ["B/USD"]
