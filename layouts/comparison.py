"""What an address asks to compare, and the chart of it.

The address is all there is to a comparison: every control of the page is a link to another one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any
from urllib.parse import parse_qs, quote

import numpy as np

from layouts import history_start, notation, theme
from layouts.axes import (
    TIME,
    TIMED,
    UNTIMED,
    Figure,
    axis,
    crosshair,
    in_zone,
    layout,
    shown,
    spanning,
    stamps,
    time_axis,
)
from layouts.curves import Values, with_gaps
from layouts.paths import at
from layouts.points import Points
from layouts.spans import FIRST_SPAN, Span, span_of
from services.market.candles import ChartHistory
from services.market.ranking import RankedMetric
from services.market.times import DAY, HOUR
from services.market.types import Ints, Series

MAX_METRICS = 8
"""Metrics that can be told apart in one chart."""

CHANGE, OWN, PRICE = "change", "own", "price"
SCALES = {CHANGE: "% change", OWN: "Own axes", PRICE: "Price"}
GAP = 0.03
"""Between the panels of own axes, as a share of the chart's height."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`wanted` are numbers or keys as the address has them, each once."""

    wanted: tuple[str, ...]
    span: Span = FIRST_SPAN
    scale: str = CHANGE

    @property
    def address(self) -> str:
        """The address that leads to it."""
        parts = {"ids": ",".join(quote(one, safe=":-") for one in self.wanted)} if self.wanted else {}
        if self.span is not FIRST_SPAN:
            parts["span"] = self.span.key
        if self.scale != CHANGE:
            parts["as"] = self.scale
        return at("/compare") + "".join(
            f"{'&' if place else '?'}{name}={value}" for place, (name, value) in enumerate(parts.items())
        )

    def with_one_more(self, key: str) -> "Choice":
        return replace(self, wanted=(*self.wanted, key))

    def without(self, wanted: str) -> "Choice":
        return replace(self, wanted=tuple(one for one in self.wanted if one != wanted))


def choice_of(search: object) -> Choice:
    """What a query string asks for; what makes no sense in it is as if it were not there."""
    asked = parse_qs(search.removeprefix("?")) if isinstance(search, str) else {}
    wanted = dict.fromkeys(one.strip() for part in asked.get("ids", []) for one in part.split(",") if one.strip())
    scale = asked.get("as", [CHANGE])[0]
    return Choice(tuple(wanted), span_of(asked.get("span", [None])[0]), scale if scale in SCALES else CHANGE)


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the metrics that are compared: `wanted` is what the address calls it."""

    wanted: str
    row: RankedMetric
    chart: ChartHistory

    @property
    def start(self) -> float | None:
        """The first price of the span."""
        return float(self.chart.bars.open[0]) if len(self.chart.bars.starts) else None


def change_of(one: Compared) -> float | None:
    """The change of its latest price from the first of the span, as a fraction; None where it is unknown.

    A stale price keeps the change that it had, which is stored for an hour and a day: the span moves on without it.
    """
    if one.row.stale:
        stored = {HOUR: one.row.change_1h, DAY: one.row.change_24h}
        return stored.get(one.chart.until - one.chart.since)
    return None if one.start is None else float(one.chart.bars.close[-1]) / one.start - 1


def figure_of(compared: Sequence[Compared], choice: Choice, zone: tzinfo, revision: int) -> Figure:
    """A line a metric, through the closes of the span's candles."""
    own = choice.scale == OWN
    traces: list[Figure] = []
    for place, one in enumerate(compared):
        digits = f",.{notation.decimals(one.row.price or 1.0)}f"
        when = "" if place else TIME
        value = "%{y:+.2f} %" if choice.scale == CHANGE else f"%{{y:{digits}}}"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "connectgaps": False,
                "name": plain(f"{one.row.pair} {one.row.market}"),
                "line": {"color": theme.COMPARED[place], "width": 1.8, "dash": "solid" if place < 4 else "5px,2px"},
                "hovertemplate": f"{when}{plain(str(one.row.pair))} <b>{value}</b><extra></extra>",
                "yaxis": f"y{place + 1}" if own and place else "y",
                **_points(one, choice.scale, one.start).columns,
                **UNTIMED,
                **({} if place else TIMED),
            }
        )
    side = axis() | {"side": "right", "exponentformat": "none", "separatethousands": True}
    if choice.scale == CHANGE:
        side |= {"ticksuffix": " %", "zeroline": True, "zerolinewidth": 1.5}
    count = len(compared) if own else 1
    height = (1 - GAP * (count - 1)) / count
    panels = {
        f"yaxis{place + 1}" if place else "yaxis": side
        | {
            "domain": [max(0.0, 1 - (place + 1) * height - place * GAP), 1 - place * (height + GAP)],
            "nticks": 8 // count + 2,
        }
        for place in range(count)
    }
    meta = _meta(compared, choice, zone, revision)
    look = layout() | panels
    look |= {
        "showlegend": False,
        "hovermode": "x",
        "hoversubplots": "axis",
        "spikedistance": -1,
        "dragmode": "zoom",
        "xaxis": time_axis()
        | spanning(*meta["shown"])
        | {
            "anchor": f"y{count}" if count > 1 else "y",
            **crosshair(),
            "title": {"text": f"Time ({notation.zone_label(zone)})", "standoff": 12},
        },
        "margin": {"l": 12, "r": 12, "t": 36, "b": 48},  # its tools stand above it
        **_annotations(compared, zone),
        "meta": meta | {"starts": [one.start for one in compared]},
    }
    return {"data": traces, "layout": look}


def update_of(
    compared: Sequence[Compared], choice: Choice, zone: tzinfo, revision: int, drawn: Mapping[str, Any]
) -> Figure | None:
    """What a chart that tells this of itself lacks; None if it is not of this choice.

    Changes go on from the start that is drawn, until the span has moved by its volatility's window: then, or where the
    past has changed, all is sent.
    """
    meta = _meta(compared, choice, zone, revision)
    if drawn.get("view") != meta["view"]:
        return None
    since, edge, samples, starts = (drawn.get(name) for name in ("since", "edge", "samples", "starts"))
    known = (
        isinstance(since, int)
        and isinstance(edge, int)
        and isinstance(starts, list)
        and len(starts) == len(compared)
        and all(one.chart.since - one.chart.window_seconds <= since <= edge <= one.chart.until for one in compared)
        and [one.chart.samples(since, edge) for one in compared] == samples
        and all(isinstance(start, float | int) and start > 0 for start in starts)
    )
    changed = {} if drawn.get("begins") == meta["begins"] else {"layout": _annotations(compared, zone)}
    if not known or edge is None or starts is None or since is None:
        return changed | {
            "meta": meta | {"starts": [one.start for one in compared]},
            "from": None,
            "traces": [{"columns": _points(one, choice.scale, one.start).columns, "look": {}} for one in compared],
        }
    parts = [
        _points(one, choice.scale, start).since(edge) | {"first": None}
        for one, start in zip(compared, starts, strict=True)
    ]
    held = {
        "since": since,
        "starts": starts,
        "samples": [one.chart.samples(since, meta["edge"]) for one in compared],
        "shown": [since * 1000, meta["shown"][1]],
    }
    return changed | {"meta": meta | held, "from": edge, "traces": parts}


def plain(name: str) -> str:
    """A name without what plotly reads as markup, formula or template."""
    return re.sub(r"[<>&%{}$\"']", "", name)


def matches(query: str, metrics: Sequence[RankedMetric], chosen: Sequence[int], limit: int) -> list[RankedMetric]:
    """The metrics, in their order, that have each term of `query` in market or pair, but for the `chosen`."""
    terms = query.lower().split()
    found: list[RankedMetric] = []
    for row in metrics if terms else ():
        text = f"{row.market} {row.pair} {row.key}".lower()
        if row.id not in chosen and all(term in text for term in terms):
            found.append(row)
            if len(found) == limit:
                break
    return found


def _points(one: Compared, scale: str, start: float | None) -> Points:
    times, values = _closes(one.chart)
    if scale == CHANGE and start:
        values = [None if value is None else round((value / start - 1) * 100, 4) for value in values]
    return Points({"x": stamps(times), "y": values}, times=times)


def _closes(chart: ChartHistory) -> tuple[Ints, Values]:
    bars = chart.bars
    ends = np.minimum(bars.starts + bars.seconds, chart.until)
    return with_gaps(Series(ends, bars.close, np.full(len(ends), bars.seconds, dtype=np.int64)), 0)


def _annotations(compared: Sequence[Compared], zone: tzinfo) -> Figure:
    """Where the histories begin that do so within the span: told once where that is the same moment of all."""
    chart = compared[0].chart
    begins = [(one.chart.begins, plain(str(one.row.pair))) for one in compared if one.chart.begins is not None]
    moments = [begin for begin, _ in begins]
    if len(begins) == len(compared) and max(moments) - min(moments) <= chart.bars.seconds:
        begins = [(min(moments), "History")]
    return history_start.start_lines(begins, chart.since, chart.until, zone)


def _meta(compared: Sequence[Compared], choice: Choice, zone: tzinfo, revision: int) -> Figure:
    first = compared[0].chart
    return {
        "view": f"{choice.address} {notation.zone_label(zone)}",
        "since": first.since,
        "edge": first.edge,
        "samples": [one.chart.samples(first.since, first.edge) for one in compared],
        "revision": revision,
        "begins": [one.chart.begins for one in compared],
        "shown": shown(first.since, first.until, first.bars.seconds),
        **in_zone(zone),
    }
