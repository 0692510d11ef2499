"""What all charts have: plain dicts as figures, wall-clock times, and one look of axes and texts."""

from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np
from dash import dcc

from layouts import theme
from services.market.types import Ints

Figure = dict[str, Any]

FORTNIGHT = 14 * 86_400

ZOOMABLE: dcc.Graph.Config = {
    "displaylogo": False,
    "showTips": False,  # they would lie on the header, and take its clicks
    "responsive": True,
    "modeBarButtonsToRemove": ["sendChartToCloud", "toImage", "select2d", "lasso2d", "autoScale2d"],
}
"""How plotly treats a chart in which one looks around."""


def stamps(times: Ints, zone: tzinfo) -> list[str]:
    """Wall-clock times in `zone`, as plotly takes them: without a zone. `times` ascend."""
    if not len(times):
        return []
    local = np.concatenate([_local(part, zone) for part in _fortnights(times)])
    written: list[str] = np.datetime_as_string(local.astype("datetime64[s]")).tolist()
    return written


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
    """An axis of moments, its days written as they are everywhere: 25 Nov."""
    days = [
        {"dtickrange": [60_000, 43_200_000], "value": "%H:%M\n%-d %b"},
        {"dtickrange": [86_400_000, 1_209_600_000], "value": "%-d %b\n%Y"},
    ]
    return axis() | {"type": "date", "tickangle": 0, "tickformatstops": days}


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
