"""The base of all charts: figures as plain dicts, positions in UTC, and the look of axes and texts."""

from datetime import tzinfo
from typing import Any

import numpy as np
from dash import dcc

from layouts import notation, theme
from services.market.types import Ints

Figure = dict[str, Any]

ZOOMABLE: dcc.Graph.Config = {
    "displaylogo": False,
    "showTips": False,  # they would cover the header and take its clicks
    "responsive": True,
    "modeBarButtonsToRemove": ["sendChartToCloud", "toImage", "select2d", "lasso2d", "autoScale2d"],
}
"""The configuration of a chart that can be zoomed and moved."""


def stamps(times: Ints) -> list[str]:
    """Positions of epoch seconds on a time axis: in UTC and without a zone, as plotly takes times. In local time an
    hour would come twice when clocks are set back, and a line would run back over itself."""
    written: list[str] = np.datetime_as_string(times.astype("datetime64[s]")).tolist()
    return written


def in_zone(zone: tzinfo) -> Figure:
    """The chart's zone in its `meta`, in which assets/times.js labels the time axis."""
    return {"zone": notation.zone_label(zone)}


def layout() -> Figure:
    """The layout of all charts."""
    return {
        "paper_bgcolor": theme.CLEAR,
        "plot_bgcolor": theme.CLEAR,
        "font": {"family": theme.FONT, "size": 12, "color": theme.MUTED},
        "hoverlabel": {"font": {"family": theme.FONT, "size": 13}},
        "autosize": True,
    }


def axis() -> Figure:
    """The look of all axes."""
    return {"gridcolor": theme.GRID_LINE, "zeroline": False, "automargin": True}


def time_axis() -> Figure:
    """An axis of times in UTC. The browser labels it in the viewer's zone."""
    bare = {"tickmode": "array", "tickvals": [], "ticktext": []}
    return axis() | {"type": "date", "tickangle": 0, "ticklabelstandoff": 5} | bare


TIMED: Figure = {"meta": {"timed": True}}
"""Makes the browser set the time of each point in the viewer's zone, which TIME puts into its label."""

TIME = "%{text}<br>"

UNTIMED: Figure = {"hoverinfo": "y"}
"""For all traces of a chart with a TIMED one: without it plotly labels the axis with the time in UTC."""


def shown(since: int, until: int, bar_seconds: int) -> list[int]:
    """Beginning and end of the time axis for (`since`, `until`] with its running bar, in milliseconds. Here, plotly
    ignores times that are texts."""
    return [since * 1000, -(-until // bar_seconds) * bar_seconds * 1000]


def spanning(begin: int, end: int) -> Figure:
    """Makes a time axis reach from `begin` to `end`, whatever points there are, until the viewer zooms."""
    return {"autorangeoptions": {"minallowed": begin, "maxallowed": end}}


def crosshair() -> Figure:
    """Makes an axis show the position of the cursor."""
    return {
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "cursor",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": theme.MUTED,
    }
