"""The choice of metrics to compare: its address, and the search for more.

The address holds all of a comparison. Every control of the page is a link to another address.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, quote

from layouts.paths import at
from layouts.spans import FIRST_SPAN, Span, span_of
from services.market.ranking import RankedMetric

MAX_METRICS = 8
"""As many lines as a reader can tell apart."""

CHANGE, OWN, PRICE = "change", "own", "price"
SCALES = {CHANGE: "% change", OWN: "Stacked", PRICE: "Price"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The metrics of a comparison, its span and its scale. `wanted` are metric numbers or keys, each once."""

    wanted: tuple[str, ...]
    span: Span = FIRST_SPAN
    scale: str = CHANGE

    @property
    def address(self) -> str:
        """The address of this comparison."""
        parts = {"ids": ",".join(quote(one, safe=":-") for one in self.wanted)} if self.wanted else {}
        if self.span is not FIRST_SPAN:
            parts["span"] = self.span.key
        if self.scale != CHANGE:
            parts["as"] = self.scale
        return at("/compare") + "".join(
            f"{'&' if place else '?'}{name}={value}" for place, (name, value) in enumerate(parts.items())
        )

    def with_metric(self, key: str) -> "Choice":
        return replace(self, wanted=(*self.wanted, key))

    def without(self, wanted: str) -> "Choice":
        return replace(self, wanted=tuple(one for one in self.wanted if one != wanted))


def choice_of(search: object) -> Choice:
    """The comparison that a query string asks for; invalid parts are ignored."""
    values = parse_qs(search.removeprefix("?")) if isinstance(search, str) else {}
    wanted = dict.fromkeys(one.strip() for part in values.get("ids", []) for one in part.split(",") if one.strip())
    scale = values.get("as", [CHANGE])[0]
    return Choice(tuple(wanted), span_of(values.get("span", [None])[0]), scale if scale in SCALES else CHANGE)


def matches(query: str, metrics: Sequence[RankedMetric], chosen: Sequence[int], limit: int) -> list[RankedMetric]:
    """The first `limit` metrics whose market and pair contain each term of `query`, without the `chosen`."""
    terms = query.lower().split()
    found: list[RankedMetric] = []
    for row in metrics if terms else ():
        text = f"{row.market} {row.pair} {row.key}".lower()
        if row.id not in chosen and all(term in text for term in terms):
            found.append(row)
            if len(found) == limit:
                break
    return found
