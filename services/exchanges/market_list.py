"""Turns an exchange's list of markets, as ccxt parses it, into pairs that can be tracked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from services.market.names import fault_of, normal, shown
from services.market.types import Listing, Pair

Market = Mapping[str, Any]
"""One market as ccxt describes it."""


@dataclass(frozen=True)
class MarketList:
    """An accepted list: the `client` that has loaded it, and its spot pairs.

    `pairs` maps ccxt's symbols to pairs and `symbols` maps them back, for all pairs that can be tracked. `trading` has
    the symbols of those that trade at present.
    """

    client: Any
    listings: tuple[Listing, ...]
    pairs: Mapping[str, Pair]
    symbols: Mapping[Pair, str]
    trading: frozenset[str]


def read_list(client: Any) -> MarketList:
    """The list of a `client` whose markets are loaded."""
    markets = [market for market in client.markets.values() if is_spot(market)]
    names = _own_names(client)
    ids = _ids_by_symbol(client)
    by_pair: dict[Pair, list[Market]] = defaultdict(list)
    for market in markets:
        by_pair[Pair(normal(market["base"]), normal(market["quote"]))].append(market)
    listings: list[Listing] = []
    pairs: dict[str, Pair] = {}
    trading: set[str] = set()
    for pair, found in by_pair.items():
        market = found[0]
        listing = Listing(
            pair,
            any(one.get("active") is not False for one in found),
            _fault(pair, sorted({name for one in found for name in ids[one["symbol"]]})),
            _aliases(pair, market, names),
        )
        listings.append(listing)
        if listing.fault is None:
            pairs[market["symbol"]] = pair
            if listing.active:
                trading.add(market["symbol"])
    symbols = {pair: symbol for symbol, pair in pairs.items()}
    return MarketList(client, tuple(listings), pairs, symbols, frozenset(trading))


def is_spot(market: Market) -> bool:
    """Whether it is the spot market of its pair; a symbol longer than the pair is another market of it."""
    return bool(market.get("spot")) and market["symbol"] == f"{market['base']}/{market['quote']}"


def _fault(pair: Pair, ids: list[str]) -> str | None:
    """Why the pair cannot be tracked; None when it can."""
    for code in pair:
        fault = fault_of(code)
        if fault is not None:
            return f"its name {fault}"
    if len(ids) > 1:  # it is a matter of chance whose price ccxt returns
        return f"the exchange has {len(ids)} markets of this name, {' and '.join(map(shown, ids))}"
    return None


def _ids_by_symbol(client: Any) -> Mapping[str, set[str]]:
    """The exchange's own ids of the markets of each symbol; ccxt keeps only the last market of a symbol."""
    found: dict[str, set[str]] = defaultdict(set)
    for number, markets in client.markets_by_id.items():
        for market in markets:
            if is_spot(market):
                found[market["symbol"]].add(str(number))
    return found


def _own_names(client: Any) -> Mapping[str, set[str]]:
    """The exchange's own names of each currency that ccxt has renamed."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, code in client.commonCurrencies.items():
        if name != code:
            found[code].add(name)
    return found


def _aliases(pair: Pair, market: Market, names: Mapping[str, set[str]]) -> tuple[Pair, ...]:
    """The exchange's own names of the pair, if they differ: `XBT/USD` for `BTC/USD`."""

    def called(code: str, number: object) -> Iterable[str]:
        own = str(number).upper() if number else code
        return sorted({normal(name) for name in (code, own, *names.get(code, ()))})

    ways = product(called(pair.base, market.get("baseId")), called(pair.quote, market.get("quoteId")))
    return tuple(Pair(*way) for way in ways if way != pair)
