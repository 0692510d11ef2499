import pytest

from services.market.track import TrackPattern, choose, parse_track
from services.market.types import Metric, Pair

LISTED = [Pair(*text.split("/")) for text in ("ETH/USD", "BTC/EUR", "BTC/USD", "XBTC/USD", "ETH/BTC", "usdc/usd")]


def names(pairs: tuple[Pair, ...]) -> list[str]:
    return [str(pair) for pair in pairs]


def test_a_list_keeps_its_order_with_exchanges_in_lower_and_pairs_in_upper_case():
    assert parse_track("Kraken:btc/usd, binance:BTC/*") == (
        TrackPattern("kraken", "BTC", "USD"),
        TrackPattern("binance", "BTC", "*"),
    )


def test_a_lone_asterisk_means_every_pair():
    assert parse_track("demo:*") == (TrackPattern("demo", "*", "*"),)


def test_a_repeat_counts_once_and_keeps_its_first_place():
    assert [str(p) for p in parse_track("kraken:BTC/USD,kraken:ETH/USD,KRAKEN:btc/usd")] == [
        "kraken:BTC/USD",
        "kraken:ETH/USD",
    ]


def test_extra_commas_and_spaces_are_ignored():
    assert parse_track(" ,kraken:BTC/USD , ,") == (TrackPattern("kraken", "BTC", "USD"),)


@pytest.mark.parametrize(
    "bad",
    [
        "kraken",
        "kraken:",
        "kraken:BTC",
        "kraken:BTC/",
        "kraken:/USD",
        ":BTC/USD",
        "kraken:BTC/USD/EUR",
        "kra ken:BTC/USD",
        "kraken:BTC/US D",
        "kraken-BTC/USD",
        "kraken:[AB]TC/USD",
        "kraken:a:b/USD",
        "kra*:BTC/USD",
    ],
)
def test_the_error_names_the_part_that_cannot_be_read(bad):
    with pytest.raises(ValueError, match="is not exchange:BASE/QUOTE") as caught:
        parse_track(f"kraken:ETH/USD,{bad},kraken:SOL/USD")
    assert str(caught.value) == f"{bad!r} is not exchange:BASE/QUOTE"


@pytest.mark.parametrize("nothing", ["", "  ", ",", " , ,"])
def test_an_empty_list_is_an_error(nothing):
    with pytest.raises(ValueError, match=r"^names no pair$"):
        parse_track(nothing)


@pytest.mark.parametrize(
    ("pattern", "literal"), [("kraken:BTC/USD", True), ("kraken:BT?/USD", False), ("kraken:BTC/*", False)]
)
def test_a_pattern_without_wildcards_is_literal(pattern, literal):
    assert parse_track(pattern)[0].literal is literal


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("x:BTC/USD", ["BTC/USD"]),
        ("x:*/USD", ["BTC/USD", "ETH/USD", "XBTC/USD", "usdc/usd"]),
        ("x:?BTC/*", ["XBTC/USD"]),
        ("x:*BTC/USD", ["BTC/USD", "XBTC/USD"]),
        ("x:BTC/U?", []),
        ("x:BTC/?UR", ["BTC/EUR"]),
        ("x:usdc/usd", ["usdc/usd"]),
    ],
)
def test_an_asterisk_matches_any_text_and_a_question_mark_one_letter(pattern, matching):
    chosen, _ = choose(parse_track(pattern), LISTED)
    assert names(chosen) == matching


def test_pairs_are_unique_in_the_order_of_the_patterns_then_alphabetical():
    chosen, idle = choose(parse_track("x:ETH/USD,x:*/USD,x:BTC/*"), LISTED)
    assert names(chosen) == ["ETH/USD", "BTC/USD", "XBTC/USD", "usdc/usd", "BTC/EUR"]
    assert idle == ()


def test_a_pattern_without_a_match_is_reported():
    chosen, idle = choose(parse_track("x:DOGE/USD,x:BTC/USD,x:*/JPY"), LISTED)
    assert names(chosen) == ["BTC/USD"]
    assert [str(pattern) for pattern in idle] == ["x:DOGE/USD", "x:*/JPY"]


def test_a_pattern_whose_pairs_an_earlier_one_matched_is_not_reported():
    _, idle = choose(parse_track("x:*,x:BTC/USD"), LISTED)
    assert idle == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [("kraken:BTC/*", True), ("kraken:btc/usd", True), ("gemini:BTC/USD", False), ("kraken:ETH/*", False)],
)
def test_a_metric_is_named_by_its_market_and_its_pair(text: str, named: bool) -> None:
    (pattern,) = parse_track(text)

    assert pattern.names(Metric(1, "kraken", "BTC", "USD")) is named
