"""Patterns of the pairs to track, as in the setting TRACK: `kraken:*/USD,binance:BTC/*`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from services.market.names import normal
from services.market.types import HasMetricKey, Pair

_PATTERN = re.compile(r"(?P<market>[a-z0-9_]+):(?:(?P<base>[^\s/:,]+)/(?P<quote>[^\s/:,]+)|(?P<all>\*))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TrackPattern:
    """Pairs of one market; `base` and `quote` may hold the wildcards `*` and `?`."""

    market: str
    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.market}:{self.base}/{self.quote}"

    @property
    def literal(self) -> bool:
        """True if it names one pair, without wildcards."""
        return not set("*?") & set(self.base + self.quote)

    def matches(self, pair: Pair) -> bool:
        return fnmatchcase(_folded(pair.base), self.base) and fnmatchcase(_folded(pair.quote), self.quote)

    def names(self, metric: HasMetricKey) -> bool:
        """True if the metric is of this market and its pair matches."""
        return metric.market == self.market and self.matches(metric.pair)


def parse_track(text: str) -> tuple[TrackPattern, ...]:
    """Parse a comma-separated list of patterns; order stays, repeats are dropped.

    `exchange:*` is short for `exchange:*/*`. Raises ValueError with the part that is invalid.
    """
    patterns: dict[TrackPattern, None] = {}
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        found = _PATTERN.fullmatch(part)
        if found is None or "[" in part:
            raise ValueError(f"{part!r} is not exchange:BASE/QUOTE")
        base, quote = _folded(found["base"] or "*"), _folded(found["quote"] or "*")
        patterns[TrackPattern(found["market"].lower(), base, quote)] = None
    if not patterns:
        raise ValueError("names no pair")
    return tuple(patterns)


def read_pattern(text: str) -> TrackPattern:
    """The pattern with this text, which is not checked: see `parse_track`."""
    market, _, pair = text.partition(":")
    base, _, quote = pair.partition("/")
    return TrackPattern(market, base, quote)


def _folded(code: str) -> str:
    """The form in which names are compared: upper case, composed characters."""
    return normal(code.upper())


def any_matches(patterns: Iterable[TrackPattern], pair: Pair) -> bool:
    """True if one of the patterns, all of one market, matches this pair."""
    return any(pattern.matches(pair) for pattern in patterns)


def choose(
    patterns: Iterable[TrackPattern], listed: Iterable[Pair]
) -> tuple[tuple[Pair, ...], tuple[TrackPattern, ...]]:
    """The listed pairs that match, in the patterns' order and alphabetically within one; and the patterns without a
    match."""
    in_order = sorted(listed)
    chosen: dict[Pair, None] = {}
    idle = []
    for pattern in patterns:
        found = [pair for pair in in_order if pattern.matches(pair)]
        chosen.update(dict.fromkeys(found))
        if not found:
            idle.append(pattern)
    return tuple(chosen), tuple(idle)
