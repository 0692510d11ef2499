"""Plotly figures, as plain dicts, from typed data. No name from outside enters one: plotly reads markup in texts."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np
from dash import Patch

from layouts import notation, theme
from services.market.types import Alert, Ints, Profile, RankedMetric, Series, TickState

Figure = dict[str, Any]

PRICE, AVERAGE, THRESHOLD, FIRED = range(4)
"""The price chart's traces, in drawing order."""

HOUR = 3600
NEARNESS = 1.0
"""The threshold is drawn from the start when it is nearer to the prices than this many times their own range."""


def price_figure(
    series: Series, row: RankedMetric, alerts: Sequence[Alert], profile: Profile, zone: tzinfo, threshold: bool
) -> Figure:
    """One metric's prices with its last hour's average, its alert threshold and what fired.

    The axis is in `zone`. `threshold` says whether the user wants the threshold, however far it is.
    """
    data = _price_data(series, row, alerts, profile, zone)
    value = f"<b>%{{y:,.{notation.decimals(row.price or 1.0)}f}}</b>"
    hover = f"%{{x|%-d %b %H:%M}}<br>{value}<extra></extra>"
    looks: list[Figure] = [
        {"name": "Price", "line": {"color": theme.ACCENT, "width": 1.8}, "hovertemplate": hover},
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
            "showlegend": bool(alerts),
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


def price_patch(series: Series, row: RankedMetric, alerts: Sequence[Alert], profile: Profile, zone: tzinfo) -> Patch:
    """New points for a chart that is already drawn; whatever the user zoomed, moved or hid stays."""
    patch = Patch()
    for index, points in enumerate(_price_data(series, row, alerts, profile, zone)):
        for key, values in points.items():
            patch["data"][index][key] = values
    patch["data"][FIRED]["showlegend"] = bool(alerts)
    return patch


def threshold_patch(shown: bool) -> Patch:
    """Draw the threshold of a chart that is already there, or take it away."""
    patch = Patch()
    patch["data"][THRESHOLD]["visible"] = shown
    return patch


def threshold_of(row: RankedMetric, profile: Profile) -> float | None:
    """The price above which the rule fires; None where the average of its window is not at hand."""
    if row.average_1h is None or profile.alert_window_minutes != 60:
        return None
    return profile.alert_factor * row.average_1h


def threshold_is_near(series: Series, row: RankedMetric, profile: Profile) -> bool:
    """Whether drawing the threshold leaves the prices their height."""
    threshold = threshold_of(row, profile)
    if threshold is None or not len(series.values):
        return False
    low, high = float(series.values.min()), float(series.values.max())
    return threshold - high <= NEARNESS * (high - low)


def with_gaps(series: Series, period_seconds: int) -> tuple[Ints, list[float | None]]:
    """Times and values with a None wherever samples are missing between two.

    Missing means further apart than two periods, and than twice what the later sample stands for.
    """
    times, values = series.times, series.values
    reach = np.maximum(2 * period_seconds, 2 * series.widths[1:])
    holes = np.flatnonzero(np.diff(times) > reach)
    filled: list[float | None] = [*np.insert(values, holes + 1, np.nan).tolist()]
    for shift, hole in enumerate(holes.tolist()):
        filled[hole + 1 + shift] = None
    middle = (times[holes] + times[holes + 1]) // 2
    return np.insert(times, holes + 1, middle), filled


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
    series: Series, row: RankedMetric, alerts: Sequence[Alert], profile: Profile, zone: tzinfo
) -> list[Figure]:
    """What each trace of the price chart shows, in the order of PRICE, AVERAGE, THRESHOLD, FIRED."""
    times, values = with_gaps(series, profile.period_seconds)
    ends = series.times[[0, -1]] if len(series.times) else series.times
    hour = np.array([max(ends[0], ends[1] - HOUR), ends[1]]) if len(ends) else ends
    shown = [alert for alert in alerts if len(ends) and ends[0] <= alert.fired_at.timestamp() <= ends[1]]
    fired = np.array([int(alert.fired_at.timestamp()) for alert in shown], dtype=np.int64)
    threshold = threshold_of(row, profile)
    return [
        {"x": _stamps(times, zone), "y": values},
        {"x": _stamps(hour, zone), "y": [row.average_1h] * len(hour)},
        {"x": _stamps(ends, zone), "y": [threshold] * len(ends)},
        {
            "x": _stamps(fired, zone),
            "y": [alert.price for alert in shown],
            "text": [f"{notation.multiple(alert.price, alert.average)} its average" for alert in shown],
        },
    ]


def _stamps(times: Ints, zone: tzinfo) -> list[str]:
    """Wall-clock times in `zone`, as plotly takes them: without a zone."""
    if not len(times):
        return []
    offsets = np.array([_offset(int(times[0]), zone), _offset(int(times[-1]), zone)])
    if offsets[0] == offsets[1]:
        local = times + offsets[0]
    else:  # the clocks change in between
        local = times + np.array([_offset(moment, zone) for moment in times.tolist()])
    stamps: list[str] = np.datetime_as_string(local.astype("datetime64[s]")).tolist()
    return stamps


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
