"""Which of an exchange's pairs TRACK means, and what to tell of a pattern that finds none."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.market.names import shown
from services.market.track import TrackPattern, choose
from services.market.types import Listing, Pair

MAX_CLOSE = 3
"""Pairs that are offered where none is of the name asked for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The listings to track, what the operator should know, and the `patterns` in the names that the listings have.

    It is `dormant` where a pattern finds nothing but pairs that do not trade now.
    """

    chosen: tuple[Listing, ...]
    warnings: tuple[str, ...]
    patterns: tuple[TrackPattern, ...]
    dormant: bool


def choose_pairs(patterns: Sequence[TrackPattern], listings: Iterable[Listing], tracked: Collection[Pair]) -> Choice:
    """Find the listings that the patterns of one market ask for; `tracked` are the pairs tracked until now.

    A family takes in what trades, and lets go of nothing that is still listed; who names a pair outright wants to see
    it even while it does not trade. Where nothing has the name asked for, it may be the exchange's own.
    """
    by_pair = {listing.pair: listing for listing in listings}
    named = tuple(_in_listed_names(pattern, by_pair) for pattern in patterns)
    outright = {Pair(pattern.base, pattern.quote) for pattern in named if pattern.literal}
    candidates = [
        pair
        for pair, listing in by_pair.items()
        if listing.fault is None and (listing.active or pair in outright or pair in tracked)
    ]
    chosen, idle = choose(named, candidates)
    warnings = [_warning(pattern, by_pair) for pattern in idle]
    if by_pair and not any(listing.active for listing in by_pair.values()):
        warnings.insert(0, f"TRACK: {patterns[0].market} lists no active pair now, and is looked up again soon")
    return Choice(
        tuple(by_pair[pair] for pair in chosen),
        tuple(filter(None, warnings)),
        named,
        any(_asked_for(pattern, by_pair) for pattern in idle),
    )


def _asked_for(pattern: TrackPattern, by_pair: Mapping[Pair, Listing]) -> list[Listing]:
    """The listings that can be tracked among those of this pattern."""
    return [listing for pair, listing in by_pair.items() if listing.fault is None and pattern.matches(pair)]


def _in_listed_names(pattern: TrackPattern, by_pair: Mapping[Pair, Listing]) -> TrackPattern:
    """The pattern, with the exchange's own names of currencies (`XBT`) put into ours (`BTC`) where it finds nothing."""
    if any(map(pattern.matches, by_pair)):
        return pattern
    common: dict[str, str] = {}
    for pair, listing in by_pair.items():
        for alias in listing.aliases:
            common |= {alias.base: pair.base, alias.quote: pair.quote}
    translated = TrackPattern(
        pattern.market, common.get(pattern.base, pattern.base), common.get(pattern.quote, pattern.quote)
    )
    return translated if any(map(translated.matches, by_pair)) else pattern


def _warning(pattern: TrackPattern, by_pair: Mapping[Pair, Listing]) -> str | None:
    """What to tell of a pattern that finds none of these; None where it need only be that nothing trades at all."""
    market, name = pattern.market, f"{pattern.base}/{pattern.quote}"
    found = [listing for pair, listing in by_pair.items() if pattern.matches(pair)]
    usable = _asked_for(pattern, by_pair)
    if usable and not any(listing.active for listing in by_pair.values()):
        return None
    if usable:
        return f"TRACK: none of the pairs {name} that {market} lists ({len(usable):,}) trades now"
    if found:
        others = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
        return f"TRACK: {market} has {shown(found[0].pair)}{others}, which cannot be tracked: {found[0].fault}"
    close = difflib.get_close_matches(name, map(str, by_pair), n=MAX_CLOSE) if pattern.literal else []
    hint = f" (did you mean {', '.join(map(shown, close))}?)" if close else ""
    return f"TRACK: {market} has no pair {name}{hint}"
