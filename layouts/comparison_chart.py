"""The chart that compares metrics: one line each, and the updates of a chart that is already drawn."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

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
from layouts.compare_choice import CHANGE, OWN, Choice
from layouts.curves import Values, with_gaps
from layouts.points import Points
from services.market.candles import ChartHistory
from services.market.ranking import RankedMetric
from services.market.times import DAY, HOUR
from services.market.types import Ints, Series

GAP = 0.03
"""The space between stacked panels, as a share of the chart's height."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the compared metrics; `wanted` is its name in the address."""

    wanted: str
    row: RankedMetric
    chart: ChartHistory

    @property
    def start(self) -> float | None:
        """The first price of the span; None if there is none."""
        return float(self.chart.bars.open[0]) if len(self.chart.bars.starts) else None


def change_of(one: Compared) -> float | None:
    """The change from the first price of the span to the latest, as a fraction; None if it is unknown.

    The span moves on without a stale price, which keeps its last change; that is stored for an hour and a day.
    """
    if one.row.stale:
        stored = {HOUR: one.row.change_1h, DAY: one.row.change_24h}
        return stored.get(one.chart.until - one.chart.since)
    return None if one.start is None else float(one.chart.bars.close[-1]) / one.start - 1


def figure_of(compared: Sequence[Compared], choice: Choice, zone: tzinfo, revision: int) -> Figure:
    """A line per metric, through the closes of the span's candles."""
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
        "margin": {"l": 12, "r": 12, "t": 36, "b": 48},  # its tools are above it
        **_annotations(compared, zone),
        "meta": meta | {"starts": [one.start for one in compared]},
    }
    return {"data": traces, "layout": look}


def update_of(
    compared: Sequence[Compared], choice: Choice, zone: tzinfo, revision: int, drawn: Mapping[str, Any]
) -> Figure | None:
    """The update of a chart with this `meta` (`drawn`); None if it shows another comparison.

    Changes are relative to the start that is drawn, until the span has moved on by its volatility window. Then, and if
    earlier prices have changed, the update replaces all points.
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
    unchanged = {
        "since": since,
        "starts": starts,
        "samples": [one.chart.samples(since, meta["edge"]) for one in compared],
        "shown": [since * 1000, meta["shown"][1]],
    }
    return changed | {"meta": meta | unchanged, "from": edge, "traces": parts}


def plain(name: str) -> str:
    """The name without the characters that plotly takes for markup, a formula or a template."""
    return re.sub(r"[<>&%{}$\"']", "", name)


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
    """Lines where histories begin within the span; a single one if all begin at the same time."""
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
