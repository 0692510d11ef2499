"""Choose pairs: which of an exchange's pairs TRACK names, and a warning for each pattern that finds none."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.market.names import shown
from services.market.track import TrackPattern, choose
from services.market.types import Listing, Pair

MAX_SUGGESTIONS = 3
"""Similar pairs named in the warning about a pair that does not exist."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The listings to track, warnings for the operator, and the `patterns` in the names that the listings use.

    It is `dormant` where some pattern finds only pairs that do not trade now.
    """

    chosen: tuple[Listing, ...]
    warnings: tuple[str, ...]
    patterns: tuple[TrackPattern, ...]
    dormant: bool


def choose_pairs(patterns: Sequence[TrackPattern], listings: Iterable[Listing], tracked: Collection[Pair]) -> Choice:
    """Find the listings that the patterns of one market ask for; `tracked` are the pairs tracked until now.

    A pattern with a wildcard adds pairs that trade, and keeps a tracked pair for as long as it is listed. A pattern
    that names one pair tracks it even while it does not trade. A name that nothing has may be the exchange's own.
    """
    by_pair = {listing.pair: listing for listing in listings}
    named = tuple(_in_listed_names(pattern, by_pair) for pattern in patterns)
    literal = {Pair(pattern.base, pattern.quote) for pattern in named if pattern.literal}
    candidates = [
        pair
        for pair, listing in by_pair.items()
        if listing.fault is None and (listing.active or pair in literal or pair in tracked)
    ]
    chosen, idle = choose(named, candidates)
    warnings = [_warning(pattern, by_pair) for pattern in idle]
    if by_pair and not any(listing.active for listing in by_pair.values()):
        warnings.insert(0, f"TRACK: {patterns[0].market} lists no active pair now, and is looked up again soon")
    return Choice(
        tuple(by_pair[pair] for pair in chosen),
        tuple(filter(None, warnings)),
        named,
        any(_trackable(pattern, by_pair) for pattern in idle),
    )


def _trackable(pattern: TrackPattern, by_pair: Mapping[Pair, Listing]) -> list[Listing]:
    """The listings of this pattern that can be tracked."""
    return [listing for pair, listing in by_pair.items() if listing.fault is None and pattern.matches(pair)]


def _in_listed_names(pattern: TrackPattern, by_pair: Mapping[Pair, Listing]) -> TrackPattern:
    """The pattern; where it finds nothing, with the exchange's names of currencies (`XBT`) replaced by ours (`BTC`)."""
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
    """The warning about a pattern that finds no pair to track; None where the reason is that no pair trades at all."""
    market, name = pattern.market, f"{pattern.base}/{pattern.quote}"
    found = [listing for pair, listing in by_pair.items() if pattern.matches(pair)]
    usable = _trackable(pattern, by_pair)
    if usable and not any(listing.active for listing in by_pair.values()):
        return None
    if usable:
        return f"TRACK: none of the pairs {name} that {market} lists ({len(usable):,}) trades now"
    if found:
        others = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
        return f"TRACK: {market} has {shown(found[0].pair)}{others}, which cannot be tracked: {found[0].fault}"
    close = difflib.get_close_matches(name, map(str, by_pair), n=MAX_SUGGESTIONS) if pattern.literal else []
    hint = f" (did you mean {', '.join(map(shown, close))}?)" if close else ""
    return f"TRACK: {market} has no pair {name}{hint}"
