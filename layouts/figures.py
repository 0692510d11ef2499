"""Plotly figures, as plain dicts, from typed data. No name from outside enters one: plotly reads markup in texts."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np
from dash import Patch

from layouts import notation, theme
from layouts.curves import Band, curve
from services.market.history import HOUR_SECONDS
from services.market.types import Alert, Hours, Ints, Profile, RankedMetric, Series, TickState

Figure = dict[str, Any]

PRICE, AVERAGE, THRESHOLD, FIRED, BAND = range(5)
"""The price chart's traces, in drawing order. A chart has all of them whatever its span, empty where they do
not apply, so that an update finds each in its place. The band has the line's colour: it may lie on it."""

DENSE, VERY_DENSE = 200, 2_000  # hours
FORTNIGHT = 14 * 86_400
NEARNESS = 1.0
"""The threshold is drawn from the start when it is nearer to the prices than this many times their own range."""


def price_figure(
    history: Series | Hours, row: RankedMetric, alerts: Sequence[Alert], profile: Profile, zone: tzinfo, threshold: bool
) -> Figure:
    """One metric's prices with its last hour's average, its alert threshold and what fired.

    Hours are drawn as a line through their closes and a band from their lowest to their highest price.
    The axis is in `zone`. `threshold` says whether the user wants the threshold, however far it is.
    """
    data = _price_data(history, row, alerts, profile, zone)
    hourly = isinstance(history, Hours)
    digits = f",.{notation.decimals(row.price or 1.0)}f"
    value = f"<b>%{{y:{digits}}}</b>"
    range_of_hour = f"<br>%{{customdata[0]:{digits}}} to %{{customdata[1]:{digits}}}" if hourly else ""
    looks: list[Figure] = [
        {
            "name": "Hourly close" if hourly else "Price",
            "legendrank": 1,
            "line": {"color": theme.ACCENT, "width": _weight(history)},
            "hovertemplate": f"%{{x|%-d %b %H:%M}}<br>{value}{range_of_hour}<extra></extra>",
        },
        {
            "name": "1 h average",
            "line": {"color": theme.MUTED, "width": 1.6, "dash": "dash"},
            "hovertemplate": f"Average of the last hour<br>{value}<extra></extra>",
        },
        {
            "name": f"Alert above {profile.alert_factor:g}{notation.TIMES}",
            "line": {"color": theme.ALERT, "width": 1.6, "dash": "dot"},
            "hovertemplate": f"Alert threshold<br>{value}<extra></extra>",
            "visible": threshold,
        },
        {
            "name": "Alert",
            "mode": "markers",
            "marker": {
                "symbol": "triangle-down",
                "size": 13,
                "color": theme.ALERT,
                "line": {"width": 1, "color": "#fff"},
            },
            "hovertemplate": f"%{{x|%-d %b %H:%M}}<br>{value}<br>%{{text}}<extra></extra>",
        },
        {
            "name": "Low to high",
            "legendrank": 2,
            "mode": "none",
            "fill": "toself",
            "fillcolor": theme.BAND,
            "hoverinfo": "skip",
        },
    ]
    traces = [
        {"type": "scatter", "mode": "lines", "connectgaps": False} | look | points
        for look, points in zip(looks, data, strict=True)
    ]
    layout = _layout() | {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "x",
        "dragmode": "zoom",
        "xaxis": _axis()
        | {
            "type": "date",
            "tickangle": 0,
            "nticks": 6,  # as many as a phone has room for
            "title": {"text": f"Time ({notation.zone_label(zone)})", "standoff": 12},
        },
        "yaxis": _axis() | {"side": "right", "separatethousands": True, "exponentformat": "none"},
        "margin": {"l": 12, "r": 76, "t": 36, "b": 48},
    }
    return {"data": traces, "layout": layout}


def price_patch(
    history: Series | Hours, row: RankedMetric, alerts: Sequence[Alert], profile: Profile, zone: tzinfo
) -> Patch:
    """New points for a chart that is already drawn; whatever the user zoomed, moved or hid stays."""
    patch = Patch()
    for index, points in enumerate(_price_data(history, row, alerts, profile, zone)):
        for key, values in points.items():
            patch["data"][index][key] = values
    return patch


def threshold_patch(shown: bool) -> Patch:
    """Draw the threshold of a chart that is already there, or take it away."""
    patch = Patch()
    patch["data"][THRESHOLD]["visible"] = shown
    return patch


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


def tick_figure(ticks: Sequence[TickState], zone: tzinfo) -> Figure:
    """How long the last ticks took to fetch and to store, oldest first, stacked."""
    oldest_first = list(reversed(ticks))
    stamps = _stamps(np.array([int(tick.minute.timestamp()) for tick in oldest_first], dtype=np.int64), zone)
    parts = (
        ("Fetch", [tick.fetch_ms for tick in oldest_first], theme.ACCENT),
        ("Store", [tick.commit_ms for tick in oldest_first], theme.MUTED),
    )
    data = [
        {
            "type": "bar",
            "name": name,
            "x": stamps,
            "y": values,
            "marker": {"color": colour},
            "hovertemplate": f"%{{x|%H:%M:%S}}<br>{name} <b>%{{y:,.0f}} ms</b><extra></extra>",
        }
        for name, values, colour in parts
    ]
    layout = _layout() | {
        "barmode": "stack",
        "bargap": 0.35,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.05, "yanchor": "bottom"},
        "xaxis": _axis() | {"type": "date"},
        "yaxis": _axis() | {"ticksuffix": " ms", "rangemode": "tozero", "tickformat": ",", "nticks": 5},
        "margin": {"l": 64, "r": 12, "t": 28, "b": 28},
    }
    return {"data": data, "layout": layout}


def _price_data(
    history: Series | Hours, row: RankedMetric, alerts: Sequence[Alert], profile: Profile, zone: tzinfo
) -> list[Figure]:
    """What each trace of the price chart shows, in the order of PRICE, AVERAGE, THRESHOLD, FIRED, BAND."""
    line = curve(history, profile.period_seconds, row.updated_at)
    digits = notation.decimals(row.price or 1.0)
    hourly = isinstance(history, Hours)
    ends = line.times[[0, -1]] if len(line.times) else line.times
    # Among hours, the last of them is too short to draw its average over.
    hour = np.array([max(ends[0], ends[1] - HOUR_SECONDS), ends[1]]) if len(ends) and not hourly else ends[:0]
    shown = [alert for alert in alerts if len(ends) and ends[0] <= alert.fired_at.timestamp() <= ends[1]][::-1]
    fired = np.array([int(alert.fired_at.timestamp()) for alert in shown], dtype=np.int64)
    threshold = threshold_of(row, profile)
    return [
        {"x": _stamps(line.times, zone), "y": line.values, "customdata": _readable(line.ranges, digits)},
        {"x": _stamps(hour, zone), "y": [row.average_1h] * len(hour), "showlegend": not hourly},
        {"x": _stamps(ends, zone), "y": [threshold] * len(ends)},
        {
            "x": _stamps(fired, zone),
            "y": [alert.price for alert in shown],
            "text": [f"{notation.multiple(alert.price, alert.average)} its average" for alert in shown],
            "showlegend": bool(shown),
        },
        _band(line.bands, digits + 2, zone) | {"showlegend": hourly},
    ]


def _weight(history: Series | Hours) -> float:
    """Width of the line in pixels: the finer the more hours there are, so that they do not fill the chart."""
    if isinstance(history, Series) or len(history.starts) <= DENSE:
        return 1.8
    return 1.4 if len(history.starts) <= VERY_DENSE else 0.9


def _readable(ranges: Sequence[tuple[float, float] | None], decimals: int) -> list[tuple[float, float] | None]:
    """Each hour's lowest and highest price with the digits that are shown of them."""
    return [edges and (round(edges[0], decimals), round(edges[1], decimals)) for edges in ranges]


def _band(bands: Sequence[Band], decimals: int, zone: tzinfo) -> Figure:
    """A ring around each stretch of hours: along their highest prices, and back along their lowest."""
    x: list[str | None] = []
    y: list[float | None] = []
    for band in bands:
        stamps = _stamps(band.times, zone)
        x += [*stamps, *reversed(stamps), None]
        y += [*np.round(band.high, decimals).tolist(), *np.round(band.low[::-1], decimals).tolist(), None]
    return {"x": x, "y": y}


def _stamps(times: Ints, zone: tzinfo) -> list[str]:
    """Wall-clock times in `zone`, as plotly takes them: without a zone. `times` ascend."""
    if not len(times):
        return []
    local = np.concatenate([_local(part, zone) for part in _fortnights(times)])
    stamps: list[str] = np.datetime_as_string(local.astype("datetime64[s]")).tolist()
    return stamps


def _fortnights(times: Ints) -> list[Ints]:
    """`times` in parts so short that the clocks change at most once in each."""
    edges = np.arange(int(times[0]) + FORTNIGHT, int(times[-1]), FORTNIGHT)
    return np.split(times, np.unique(np.searchsorted(times, edges)))


def _local(times: Ints, zone: tzinfo) -> Ints:
    """Epoch seconds as a clock in `zone` would count them, for a span in which it is changed once or not at all."""
    first, last = _offset(int(times[0]), zone), _offset(int(times[-1]), zone)
    ahead = [first] if first == last else [_offset(moment, zone) for moment in times.tolist()]
    local: Ints = times + np.array(ahead)
    return local


def _offset(moment: int, zone: tzinfo) -> int:
    """Seconds by which `zone` is ahead of UTC at epoch second `moment`."""
    ahead = datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds())


def _layout() -> Figure:
    return {
        "paper_bgcolor": theme.CLEAR,
        "plot_bgcolor": theme.CLEAR,
        "font": {"family": theme.FONT, "size": 12, "color": theme.MUTED},
        "hoverlabel": {"font": {"family": theme.FONT, "size": 13}},
        "autosize": True,
    }


def _axis() -> Figure:
    return {"gridcolor": theme.GRID_LINE, "zeroline": False, "automargin": True}
