"""The chart of one metric, and what is new for one that is already drawn.

Plain dicts from typed data. No name from outside enters one: plotly reads markup in texts. assets/chart.js adds an
update to a chart: only what is new travels, and whatever the user zoomed, moved or hid stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

import numpy as np

from layouts import notation, theme
from layouts.axes import TIME, TIMED, UNTIMED, Figure, axis, crosshair, in_zone, layout, stamps, time_axis
from layouts.curves import Band, Curve, curve, with_gaps
from layouts.spans import Span, duration
from services.market.history import HOUR_SECONDS
from services.market.past import Past
from services.market.types import Alert, Hours, Ints, Profile, RankedMetric, Series

PRICE, AVERAGE, THRESHOLD, FIRED, BAND, CANDLES, VOLUME, VOLATILITY = range(8)
"""The traces, in drawing order. A chart has all of them whatever it shows, empty where they do not apply, so that an
update finds each in its place. The band has the line's colour: it may lie on it."""

LINE, CANDLE = "line", "candles"
KINDS = {LINE: "Line", CANDLE: "Candles"}

DENSE, VERY_DENSE = 200, 2_000  # hours
NEARNESS = 1.0
"""The threshold is drawn from the start when it is nearer to the prices than this many times their own range."""

PANELS = {"yaxis": [0.37, 1.0], "yaxis2": [0.195, 0.315], "yaxis3": [0.0, 0.14]}
"""The heights of prices, volumes and volatility."""


@dataclass(frozen=True, slots=True)
class View:
    """What a chart shows of whom, and in whose time."""

    metric_id: int
    span: Span
    kind: str
    zone: tzinfo

    @property
    def name(self) -> str:
        return f"{self.metric_id} {self.span.key} {self.kind} {notation.zone_label(self.zone)}"


@dataclass(frozen=True, slots=True)
class Subject:
    """The metric of a chart, as of one revision: its line of the ranking, what it fired, and what it is judged by."""

    row: RankedMetric
    alerts: Sequence[Alert]
    profile: Profile
    revision: int


@dataclass(frozen=True, slots=True)
class Points:
    """What one trace shows. `times` are where each point ends, ascending; None where an update brings all anew.

    Where points are `rings` (around an area, with a None after each), there is one time a ring.
    """

    columns: Mapping[str, list[Any]]
    times: Ints | None = None
    rings: Sequence[int] | None = None
    """Where each ring begins among the points."""
    look: Mapping[str, Any] = field(default_factory=dict)

    def since(self, edge: int) -> Figure:
        """What lies after `edge`, and after which moment it comes; all where updates bring all."""
        if self.times is None:
            return {"columns": self.columns, "look": self.look}
        place = int(np.searchsorted(self.times, edge, side="right"))
        x = self.columns["x"]
        if self.rings is not None:
            if place == len(self.rings):
                return {"columns": {}, "look": self.look}
            begin = self.rings[place]
            after = x[begin]
        else:
            begin = place
            after = x[place - 1] if place else None
        return {
            "columns": {name: values[begin:] for name, values in self.columns.items()},
            "look": self.look,
            "after": after,
            "first": x[0] if x else None,
            "rings": self.rings is not None,
        }


def price_figure(past: Past, view: View, subject: Subject, threshold: bool) -> Figure:
    """One metric's prices over its volumes and its rolling volatility.

    The last hour's average, the alert threshold and what fired are drawn among the prices. Hours are drawn as a line
    through their closes and a band from their lowest to their highest price. `threshold` says whether the user wants
    the threshold, however far it is.
    """
    hourly = isinstance(past.history, Hours)
    digits = f",.{notation.decimals(subject.row.price or 1.0)}f"
    value = f"<b>%{{y:{digits}}}</b>"
    range_of_hour = f"<br>%{{customdata[0]:{digits}}} to %{{customdata[1]:{digits}}}" if hourly else ""
    bar = duration(past.bars.seconds)
    four = "<br>".join(f"{word} <b>%{{{word}:{digits}}}</b>" for word in ("open", "high", "low", "close"))
    line: Figure = {"type": "scatter", "mode": "lines", "connectgaps": False}
    looks: list[Figure] = [
        line
        | {
            "name": "Hourly close" if hourly else "Price",
            "legendrank": 1,
            "line": {"color": theme.ACCENT, "width": _weight(past.history)},
            "hovertemplate": f"{TIME}{value}{range_of_hour}<extra></extra>",
        }
        | TIMED,
        line
        | {
            "name": "1 h average",
            "line": {"color": theme.MUTED, "width": 1.6, "dash": "dash"},
            "hovertemplate": f"Average of the last hour {value}<extra></extra>",
        },
        line
        | {
            "name": f"Alert above {subject.profile.alert_factor:g}{notation.TIMES}",
            "line": {"color": theme.ALERT, "width": 1.6, "dash": "dot"},
            "hovertemplate": f"Alert threshold {value}<extra></extra>",
            "visible": threshold,
        },
        line
        | {
            "name": "Alert",
            "mode": "markers",
            "marker": {
                "symbol": "triangle-down",
                "size": 13,
                "color": theme.ALERT,
                "line": {"width": 1, "color": "#fff"},
            },
            "hovertemplate": f"%{{customdata}}<br>{value}<br>%{{text}}<extra></extra>",
        },
        line
        | {
            "name": "Low to high",
            "legendrank": 2,
            "mode": "none",
            "fill": "toself",
            "fillcolor": theme.BAND,
            "hoverinfo": "skip",
        },
        {
            "type": "candlestick",
            "name": f"Candles of {bar}",
            "increasing": {"line": {"color": theme.UP, "width": 1.2}, "fillcolor": theme.UP},
            "decreasing": {"line": {"color": theme.DOWN, "width": 1.2}, "fillcolor": theme.DOWN},
            "whiskerwidth": 0,
            "hovertemplate": f"{TIME}{four}<extra></extra>",
        }
        | TIMED,
        {
            "type": "bar",
            "name": "24 h volume",
            "yaxis": "y2",
            "marker": {"color": theme.MUTED, "line": {"width": 0}},
            "opacity": 0.55,
            "width": past.bars.seconds * 800,  # milliseconds: four fifths of the room
            "hovertemplate": "24 h volume <b>%{y:,.4~s}</b><extra></extra>",
            "showlegend": False,
        },
        line
        | {
            "name": "Volatility",
            "yaxis": "y3",
            "line": {"color": theme.ACCENT, "width": 1.5},
            "hovertemplate": f"Volatility of {duration(past.window_seconds)} <b>%{{y:.3~f}} %</b><extra></extra>",
            "showlegend": False,
        },
    ]
    points = _points(past, view, subject)
    traces = [UNTIMED | look | {**one.columns, **one.look} for look, one in zip(looks, points, strict=True)]
    return {"data": traces, "layout": _layout(past, view) | {"meta": _meta(past, view, subject)}}


def price_update(past: Past, view: View, subject: Subject, drawn: Mapping[str, Any]) -> Figure | None:
    """What a chart that tells this of itself (`_meta`, by way of the browser) lacks; None if it is not this view's.

    Where what lies before its running bar is not what was drawn, as after a backfill, all points are sent.
    """
    if drawn.get("view") != view.name:
        return None
    since, edge, samples = (drawn.get(name) for name in ("since", "edge", "samples"))
    known = (
        isinstance(since, int)
        and isinstance(edge, int)
        and past.since - past.window_seconds <= since <= edge <= past.until
        and past.samples(since, edge) == samples
    )
    points = _points(past, view, subject)
    return {
        "meta": _meta(past, view, subject),
        "from": edge if known else None,
        "traces": [
            one.since(edge) if known and edge is not None else {"columns": one.columns, "look": one.look}
            for one in points
        ],
    }


def threshold_of(row: RankedMetric, profile: Profile) -> float | None:
    """The price above which the rule fires; None before there is an average to compare with."""
    return None if row.rule_average is None else profile.alert_factor * row.rule_average


def threshold_is_near(history: Series | Hours, row: RankedMetric, profile: Profile) -> bool:
    """Whether drawing the threshold leaves the prices their height."""
    threshold = threshold_of(row, profile)
    lows, highs = (history.low, history.high) if isinstance(history, Hours) else (history.values, history.values)
    if threshold is None or not len(lows):
        return False
    low, high = float(lows.min()), float(highs.max())
    return threshold - high <= NEARNESS * (high - low)


def _meta(past: Past, view: View, subject: Subject) -> Figure:
    """What a chart says of itself: whose it is, and what it rests on, so that only what is missing has to be sent."""
    return {
        "view": view.name,
        "since": past.since,
        "edge": past.edge,
        "samples": past.samples(past.since, past.edge),
        "revision": subject.revision,
        **in_zone(view.zone),
    }


def _layout(past: Past, view: View) -> Figure:
    captions = {
        "yaxis2": "24 h volume",
        "yaxis3": f"Volatility: standard deviation / mean of {duration(past.window_seconds)}",
    }
    side = axis() | {"side": "right", "exponentformat": "none", "fixedrange": False}
    return layout() | {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        "hovermode": "x",
        "hoversubplots": "axis",
        "spikedistance": -1,
        "dragmode": "zoom",
        "bargap": 0,
        "xaxis": time_axis()
        | crosshair()
        | {
            "anchor": "y3",
            "rangeslider": {"visible": False},  # a candlestick would bring one
            "title": {"text": f"Time ({notation.zone_label(view.zone)})", "standoff": 12},
        },
        "yaxis": side | crosshair() | {"separatethousands": True, "domain": PANELS["yaxis"]},
        "yaxis2": side | {"domain": PANELS["yaxis2"], "rangemode": "tozero", "tickformat": ".3~s", "nticks": 3},
        "yaxis3": side | {"domain": PANELS["yaxis3"], "rangemode": "tozero", "ticksuffix": " %", "nticks": 3},
        "annotations": [
            {
                "text": text,
                "xref": "paper",
                "yref": "paper",
                "x": 0,
                "y": PANELS[panel][1],
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 11},
            }
            for panel, text in captions.items()
        ],
        "margin": {"l": 12, "r": 12, "t": 36, "b": 48},
    }


def _points(past: Past, view: View, subject: Subject) -> list[Points]:
    """What each trace shows, in the order of PRICE to VOLATILITY."""
    row = subject.row
    digits = notation.decimals(row.price or 1.0)
    hourly = isinstance(past.history, Hours)
    line = curve(past.history, subject.profile.period_seconds, row.updated_at)
    ends = line.times[[0, -1]] if len(line.times) else line.times
    # Among hours, the last of them is too short to draw its average over.
    hour = np.array([max(ends[0], ends[1] - HOUR_SECONDS), ends[1]]) if len(ends) and not hourly else ends[:0]
    shown = [alert for alert in subject.alerts if len(ends) and ends[0] <= alert.fired_at.timestamp() <= ends[1]][::-1]
    fired = np.array([int(alert.fired_at.timestamp()) for alert in shown], dtype=np.int64)
    threshold = threshold_of(row, subject.profile)
    as_line = view.kind == LINE
    return [
        _line(line if as_line else Curve(line.times[:0], [], [], []), digits),
        Points({"x": stamps(hour), "y": [row.average_1h] * len(hour)}, look={"showlegend": not hourly}),
        Points({"x": stamps(ends), "y": [threshold] * len(ends)}),
        Points(
            {
                "x": stamps(fired),
                "y": [alert.price for alert in shown],
                "text": [notation.sentence(alert) for alert in shown],
                "customdata": [notation.stamp(alert.fired_at, view.zone) for alert in shown],
            },
            look={"showlegend": bool(shown)},
        ),
        _band(line.bands if as_line else [], digits + 2, {"showlegend": hourly and as_line}),
        _candles(past, not as_line),
        Points(
            {"x": stamps(past.bars.middles), "y": _known(past.bars.volume.tolist())},
            times=past.bars.middles,
        ),
        _volatility(past),
    ]


def _line(line: Curve, decimals: int) -> Points:
    columns: dict[str, list[Any]] = {"x": stamps(line.times), "y": line.values}
    if line.ranges:  # each hour's lowest and highest price with the digits that are shown of them
        columns["customdata"] = [
            edges and (round(edges[0], decimals), round(edges[1], decimals)) for edges in line.ranges
        ]
    return Points(columns, times=line.times, look={"showlegend": bool(len(line.times))})


def _candles(past: Past, shown: bool) -> Points:
    bars = past.bars if shown else past.bars.where(np.zeros(len(past.bars.starts), dtype=np.bool_))
    columns: dict[str, list[Any]] = {"x": stamps(bars.middles)}
    for name in ("open", "high", "low", "close"):
        columns[name] = getattr(bars, name).tolist()
    return Points(columns, times=bars.middles, look={"showlegend": shown})


def _band(bands: Sequence[Band], decimals: int, look: Mapping[str, Any]) -> Points:
    """Rings: along the highest prices of a band, and back along its lowest."""
    x: list[str | None] = []
    y: list[float | None] = []
    rings: list[int] = []
    for band in bands:
        rings.append(len(x))
        around = stamps(band.times)
        x += [*around, *reversed(around), None]
        y += [*np.round(band.high, decimals).tolist(), *np.round(band.low[::-1], decimals).tolist(), None]
    ends = np.array([band.times[-1] for band in bands], dtype=np.int64)
    return Points({"x": x, "y": y}, times=ends, rings=rings, look=look)


def _volatility(past: Past) -> Points:
    """In per cent."""
    widths = np.full(len(past.volatility_at), past.bars.seconds, dtype=np.int64)
    times, values = with_gaps(Series(past.volatility_at, np.round(past.volatility * 100, 6), widths), 0)
    return Points({"x": stamps(times), "y": _known(values)}, times=times)


def _known(values: Sequence[float | None]) -> list[float | None]:
    return [None if value != value else value for value in values]  # NaN is not itself


def _weight(history: Series | Hours) -> float:
    """Width of the line in pixels: the finer the more hours there are, so that they do not fill the chart."""
    if isinstance(history, Series) or len(history.starts) <= DENSE:
        return 1.8
    return 1.4 if len(history.starts) <= VERY_DENSE else 0.9
