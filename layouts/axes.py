"""What all charts have: plain dicts as figures, positions in UTC, and one look of axes and texts."""

from datetime import tzinfo
from typing import Any

import numpy as np
from dash import dcc

from layouts import notation, theme
from services.market.types import Ints

Figure = dict[str, Any]

ZOOMABLE: dcc.Graph.Config = {
    "displaylogo": False,
    "showTips": False,  # they would lie on the header, and take its clicks
    "responsive": True,
    "modeBarButtonsToRemove": ["sendChartToCloud", "toImage", "select2d", "lasso2d", "autoScale2d"],
}
"""How plotly treats a chart in which one looks around."""


def stamps(times: Ints) -> list[str]:
    """Where epoch seconds lie on a time axis: in UTC, as plotly takes times, without a zone. A clock on the wall would
    tell an hour twice when it is set back, and a line would run back over itself."""
    written: list[str] = np.datetime_as_string(times.astype("datetime64[s]")).tolist()
    return written


def in_zone(zone: tzinfo) -> Figure:
    """What a chart tells of itself for assets/times.js, which labels its time axis by the clock of `zone`."""
    return {"zone": notation.zone_label(zone)}


def layout() -> Figure:
    """What all charts look like."""
    return {
        "paper_bgcolor": theme.CLEAR,
        "plot_bgcolor": theme.CLEAR,
        "font": {"family": theme.FONT, "size": 12, "color": theme.MUTED},
        "hoverlabel": {"font": {"family": theme.FONT, "size": 13}},
        "autosize": True,
    }


def axis() -> Figure:
    """What all axes look like."""
    return {"gridcolor": theme.GRID_LINE, "zeroline": False, "automargin": True}


def time_axis() -> Figure:
    """An axis of moments in UTC. It has no labels until the browser gives it those of the viewer's clock."""
    bare = {"tickmode": "array", "tickvals": [], "ticktext": []}
    return axis() | {"type": "date", "tickangle": 0, "ticklabelstandoff": 5} | bare


TIMED: Figure = {"meta": {"timed": True}}
"""Has the browser give each point of a trace its time by the viewer's clock, which its label tells by TIME."""

TIME = "%{text}<br>"

UNTIMED: Figure = {"hoverinfo": "y"}
"""Of all traces of a chart that has one which is TIMED: else plotly labels the axis with the time in UTC."""


def shown(since: int, until: int, bar_seconds: int) -> list[int]:
    """Where the time axis of (`since`, `until`] begins and ends: the whole span, with its running bar. In milliseconds:
    of times as text plotly makes nothing here."""
    return [since * 1000, -(-until // bar_seconds) * bar_seconds * 1000]


def spanning(begin: int, end: int) -> Figure:
    """Has a time axis reach from `begin` to `end`, wherever there are points, unless the viewer has zoomed."""
    return {"autorangeoptions": {"minallowed": begin, "maxallowed": end}}


def crosshair() -> Figure:
    """An axis that shows where on it the cursor is."""
    return {
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "cursor",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": theme.MUTED,
    }
