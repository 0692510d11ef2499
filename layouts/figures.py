"""The status page's figure, as a plain dict, from typed data."""

from collections.abc import Sequence
from datetime import tzinfo

import numpy as np

from layouts import theme
from layouts.axes import Figure, axis, layout, stamps
from services.market.types import TickState


def tick_figure(ticks: Sequence[TickState], zone: tzinfo) -> Figure:
    """How long the last ticks took to fetch and to store, oldest first, stacked."""
    oldest_first = list(reversed(ticks))
    times = stamps(np.array([int(tick.minute.timestamp()) for tick in oldest_first], dtype=np.int64), zone)
    parts = (
        ("Fetch", [tick.fetch_ms for tick in oldest_first], theme.ACCENT),
        ("Store", [tick.commit_ms for tick in oldest_first], theme.MUTED),
    )
    data = [
        {
            "type": "bar",
            "name": name,
            "x": times,
            "y": values,
            "marker": {"color": colour},
            "hovertemplate": f"%{{x|%H:%M:%S}}<br>{name} <b>%{{y:,.0f}} ms</b><extra></extra>",
        }
        for name, values, colour in parts
    ]
    look = layout() | {
        "barmode": "stack",
        "bargap": 0.35,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.05, "yanchor": "bottom"},
        "xaxis": axis() | {"type": "date"},
        "yaxis": axis() | {"ticksuffix": " ms", "rangemode": "tozero", "tickformat": ",", "nticks": 5},
        "margin": {"l": 64, "r": 12, "t": 28, "b": 28},
    }
    return {"data": data, "layout": look}
