"""Turns an exchange's list of markets, as parsed by ccxt, into pairs that can be tracked."""

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
    """An accepted list: the `client` that loaded it, and its spot pairs.

    For all pairs that can be tracked, `pairs` maps ccxt's symbols to pairs and `symbols` maps pairs to symbols.
    `trading` has the symbols of the pairs that trade at present.
    """

    client: Any
    listings: tuple[Listing, ...]
    pairs: Mapping[str, Pair]
    symbols: Mapping[Pair, str]
    trading: frozenset[str]


def read_list(client: Any) -> MarketList:
    """The list of a `client` that has loaded its markets."""
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
            any(other.get("active") is not False for other in found),
            _fault(pair, sorted({name for other in found for name in ids[other["symbol"]]})),
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
    """True for the spot market of a pair; a longer symbol than `BASE/QUOTE` is another market of the same pair."""
    return bool(market.get("spot")) and market["symbol"] == f"{market['base']}/{market['quote']}"


def _fault(pair: Pair, ids: list[str]) -> str | None:
    """The reason why the pair cannot be tracked; None when it can."""
    for code in pair:
        fault = fault_of(code)
        if fault is not None:
            return f"its name {fault}"
    if len(ids) > 1:  # ccxt returns the price of any one of them
        return f"the exchange has {len(ids)} markets of this name, {' and '.join(map(shown, ids))}"
    return None


def _ids_by_symbol(client: Any) -> Mapping[str, set[str]]:
    """The exchange's own ids of the markets of each symbol; ccxt keeps only the last market of a symbol."""
    found: dict[str, set[str]] = defaultdict(set)
    for market_id, markets in client.markets_by_id.items():
        for market in markets:
            if is_spot(market):
                found[market["symbol"]].add(str(market_id))
    return found


def _own_names(client: Any) -> Mapping[str, set[str]]:
    """The exchange's own names of each currency that ccxt renames."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, code in client.commonCurrencies.items():
        if name != code:
            found[code].add(name)
    return found


def _aliases(pair: Pair, market: Market, names: Mapping[str, set[str]]) -> tuple[Pair, ...]:
    """The exchange's own names of the pair, if they differ: `XBT/USD` for `BTC/USD`."""

    def names_of(code: str, currency_id: object) -> Iterable[str]:
        own = str(currency_id).upper() if currency_id else code
        return sorted({normal(name) for name in (code, own, *names.get(code, ()))})

    combinations = product(names_of(pair.base, market.get("baseId")), names_of(pair.quote, market.get("quoteId")))
    return tuple(Pair(*names) for names in combinations if names != pair)
