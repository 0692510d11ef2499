"""An exchange's list of markets, as ccxt reads it, brought to pairs that can be tracked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from services.market.names import fault_of, normal, shown
from services.market.types import Listing, Pair

Market = Mapping[str, Any]
"""One market as ccxt tells it."""


@dataclass(frozen=True)
class MarketList:
    """One list that was accepted: the `client` that knows its markets, and what it lists of spot pairs.

    `pairs` and `symbols` lead from ccxt's names to ours and back, for all pairs that can be tracked; of these `trading`
    are open at present.
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
    """Whether it is the spot market of its pair: a symbol that says more than its pair is a second market of it."""
    return bool(market.get("spot")) and market["symbol"] == f"{market['base']}/{market['quote']}"


def _fault(pair: Pair, ids: list[str]) -> str | None:
    """Why the pair cannot be tracked; None where it can."""
    for code in pair:
        fault = fault_of(code)
        if fault is not None:
            return f"its name {fault}"
    if len(ids) > 1:  # whose price would come under the name is a matter of chance
        return f"the exchange has {len(ids)} markets of this name, {' and '.join(map(shown, ids))}"
    return None


def _ids_by_symbol(client: Any) -> Mapping[str, set[str]]:
    """The exchange's own numbers of the markets under each symbol; ccxt keeps one market a symbol, the last."""
    found: dict[str, set[str]] = defaultdict(set)
    for number, markets in client.markets_by_id.items():
        for market in markets:
            if is_spot(market):
                found[market["symbol"]].add(str(number))
    return found


def _own_names(client: Any) -> Mapping[str, set[str]]:
    """For each currency that ccxt calls otherwise than the exchange does, the exchange's names of it."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, code in client.commonCurrencies.items():
        if name != code:
            found[code].add(name)
    return found


def _aliases(pair: Pair, market: Market, names: Mapping[str, set[str]]) -> tuple[Pair, ...]:
    """The names that the exchange itself has for the pair, where they are others: `XBT/USD` for `BTC/USD`."""

    def called(code: str, number: object) -> Iterable[str]:
        own = str(number).upper() if number else code
        return sorted({normal(name) for name in (code, own, *names.get(code, ()))})

    ways = product(called(pair.base, market.get("baseId")), called(pair.quote, market.get("quoteId")))
    return tuple(Pair(*way) for way in ways if way != pair)
