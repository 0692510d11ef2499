from unicodedata import normalize

import pytest

from services.market.types import Listing, Pair
from services.store.database.engine import Engine, reading, writing
from services.store.ranking import metrics
from services.store.ranking.metrics import CatalogueCache
from tests.builders import NOON

BTC, ETH, XRP = Pair("BTC", "USD"), Pair("ETH", "USD"), Pair("XRP", "USD")


def track(
    engine: Engine, *listings: Listing, market: str = "kraken", wanted: bool = True, mark_new: bool = False
) -> int:
    with writing(engine) as connection:
        return metrics.track(connection, market, listings, lambda _pair: wanted, NOON, mark_new)


def catalogue(engine: Engine) -> list[tuple[int, str, bool, str | None]]:
    with reading(engine) as connection:
        found = CatalogueCache().current(connection)
    return [(metric.id, metric.key, metric.active, metric.reason) for metric in found.metrics]


def test_new_pairs_are_numbered_in_the_order_given(engine: Engine) -> None:
    assert track(engine, Listing(XRP), Listing(BTC)) == 2

    assert catalogue(engine) == [(1, "kraken:XRP-USD", True, None), (2, "kraken:BTC-USD", True, None)]


def test_a_delisted_pair_keeps_its_number_and_can_come_back(engine: Engine) -> None:
    track(engine, Listing(BTC), Listing(ETH))
    track(engine, Listing(BTC))
    assert catalogue(engine)[1] == (2, "kraken:ETH-USD", False, "delisted")

    track(engine, Listing(BTC), Listing(ETH, active=False))
    assert catalogue(engine)[1] == (2, "kraken:ETH-USD", False, "halted")

    assert track(engine, Listing(BTC), Listing(ETH)) == 0
    assert catalogue(engine)[1] == (2, "kraken:ETH-USD", True, None)


def test_only_pairs_never_tracked_before_are_marked_as_new(engine: Engine) -> None:
    track(engine, Listing(BTC), Listing(XRP))
    track(engine, Listing(BTC))
    track(engine, Listing(BTC), Listing(XRP), Listing(ETH), mark_new=True)

    with reading(engine) as connection:
        found = CatalogueCache().current(connection).metrics
    assert [(metric.base, metric.new_at) for metric in found] == [("BTC", None), ("XRP", None), ("ETH", NOON)]


@pytest.mark.parametrize("base", ["币安人生", "Я", "\u00c9T\u00c9", "$MYRO", "@G", "A+B", "BTC.b"])
def test_a_metric_is_found_by_its_key_in_every_script_and_case(engine: Engine, base: str) -> None:
    track(engine, Listing(Pair(base, "USDT")), Listing(BTC))

    with reading(engine) as connection:
        for key in (f"kraken:{base}-USDT", f"KRAKEN:{base.lower()}-usdt", f"Kraken:{base.upper()}-Usdt"):
            found = metrics.find(connection, key)
            assert found is not None
            assert (found.id, found.base) == (1, base)
        assert metrics.find(connection, f"kraken:{normalize('NFD', base)}-USDT") == found


def test_a_metric_removed_from_track_leaves_the_catalogue_but_is_still_found(engine: Engine) -> None:
    track(engine, Listing(BTC), Listing(ETH))
    track(engine, Listing(BTC), wanted=False)

    assert [key for _, key, _, _ in catalogue(engine)] == ["kraken:BTC-USD"]
    with reading(engine) as connection:
        found = metrics.find(connection, "KRAKEN:eth-usd")
        assert found is not None
        assert found.id == 2
        assert metrics.find(connection, 2) == found
        assert metrics.find(connection, "kraken:DOGE-USD") is None
        assert metrics.find(connection, 3) is None


def test_metrics_of_markets_outside_track_are_dropped(engine: Engine) -> None:
    track(engine, Listing(BTC))
    track(engine, Listing(BTC), market="binance")
    with writing(engine) as connection:
        metrics.replace_warnings(connection, "kraken", ["kraken is odd"])
        metrics.replace_warnings(connection, "binance", ["binance is odd", "binance is odd", "and more"])
        metrics.untrack_other_markets(connection, ["binance"])

    assert [key for _, key, _, _ in catalogue(engine)] == ["binance:BTC-USD"]
    with reading(engine) as connection:
        assert metrics.warnings(connection) == ("and more", "binance is odd")


def test_a_catalogue_is_read_again_only_when_it_has_changed(engine: Engine) -> None:
    track(engine, Listing(BTC))
    catalogues = CatalogueCache()
    with reading(engine) as connection:
        first = catalogues.current(connection)
    track(engine, Listing(BTC))
    with reading(engine) as connection:
        assert catalogues.current(connection) is first

    track(engine, Listing(BTC), Listing(ETH))
    with reading(engine) as connection:
        assert catalogues.current(connection).ids.tolist() == [1, 2]


def test_warnings_are_replaced_by_the_next_discovery(engine: Engine) -> None:
    for texts in (["one"], []):
        with writing(engine) as connection:
            metrics.replace_warnings(connection, "kraken", texts)

    with reading(engine) as connection:
        assert metrics.warnings(connection) == ()


def test_stored_metrics_include_those_no_longer_tracked(engine: Engine) -> None:
    track(engine, Listing(BTC), Listing(ETH))
    track(engine, Listing(XRP), market="gemini")
    with writing(engine) as connection:
        metrics.untrack_other_markets(connection, ["gemini"])

    with reading(engine) as connection:
        assert [metric.key for metric in metrics.stored(connection)] == [
            "kraken:BTC-USD",
            "kraken:ETH-USD",
            "gemini:XRP-USD",
        ]
