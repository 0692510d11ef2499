"""The charts of the status page, as plain dicts."""

from datetime import tzinfo
from itertools import pairwise

import numpy as np

from layouts import notation, theme
from layouts.axes import Figure, axis, in_zone, layout, stamps, time_axis
from layouts.curves import known
from services.market.status import SLOT_SECONDS, Sizes, TickDay
from services.market.times import from_epoch


def tick_figure(day: TickDay, zone: tzinfo) -> Figure:
    """The time that the ticks of a day took to fetch and to store, a bar per quarter of an hour, with markers above for
    missed periods and failed exchanges."""
    middles = stamps(day.starts + SLOT_SECONDS // 2)
    ends = np.append(day.starts, day.starts[-1] + SLOT_SECONDS)
    edges = stamps(ends)
    clocks = [notation.clock(from_epoch(end), zone) for end in ends.tolist()]
    spans = [f"{start} to {end}" for start, end in pairwise(clocks)]
    longest = [notation.milliseconds(value) for value in known(day.longest_ms.tolist())]
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": middles,
            "y": known(values.tolist()),
            "customdata": list(zip(spans, longest, strict=True)),
            "marker": {"color": colour},
            "hovertemplate": "%{customdata[0]}<br>" + name + " <b>%{y:,.0f} ms</b> on average<br>"
            "longest tick %{customdata[1]}<extra></extra>",
        }
        for name, values, colour in (("Fetch", day.fetch_ms, theme.ACCENT), ("Store", day.store_ms, theme.MUTED))
    ]
    markers = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [moment for moment, count in zip(middles, counts.tolist(), strict=True) if count],
            "y": [height] * int((counts > 0).sum()),
            "text": [
                f"{span}<br><b>{count:,}</b> {text}"
                for span, count in zip(spans, counts.tolist(), strict=True)
                if count
            ],
            "yaxis": "y2",
            "showlegend": bool(counts.any()),
            "marker": {"symbol": symbol, "size": 9, "color": theme.ALERT},
            "hovertemplate": "%{text}<extra></extra>",
        }
        for name, counts, symbol, height, text in (
            ("Missed", day.missed, "x", 0.75, "missed"),
            ("Exchange failed", day.failed, "triangle-up", 0.25, "with an exchange that failed"),
        )
    ]
    look = layout() | {
        "barmode": "stack",
        "bargap": 0.25,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.03, "yanchor": "bottom", "traceorder": "normal"},
        "xaxis": time_axis() | {"range": [edges[0], edges[-1]]},
        "yaxis": axis()
        | {"ticksuffix": " ms", "rangemode": "tozero", "tickformat": ",", "nticks": 5, "domain": [0, 0.84]},
        "yaxis2": {"domain": [0.87, 1], "range": [0, 1], "visible": False, "fixedrange": True},
        "margin": {"l": 64, "r": 12, "t": 28, "b": 28},
        "meta": in_zone(zone),
    }
    return {"data": bars + markers, "layout": look}


def size_figure(sizes: Sizes, zone: tzinfo) -> Figure:
    """The size of the database, from zero up, so that a small growth looks small."""
    area = {
        "type": "scatter",
        "mode": "lines",
        "x": stamps(sizes.times),
        "y": sizes.bytes.tolist(),
        "text": [notation.size(size) for size in sizes.bytes.tolist()],
        "customdata": [notation.stamp(from_epoch(second), zone) for second in sizes.times.tolist()],
        "fill": "tozeroy",
        "fillcolor": theme.BAND,
        "line": {"color": theme.ACCENT, "width": 1.8},
        "hovertemplate": "%{customdata}<br><b>%{text}</b><extra></extra>",
    }
    look = layout() | {
        "showlegend": False,
        "xaxis": time_axis() | {"fixedrange": True, "showgrid": False},
        "yaxis": axis()
        | {"side": "right", "rangemode": "tozero", "tickformat": ".3~s", "ticksuffix": "B", "nticks": 3}
        | {"fixedrange": True},
        "margin": {"l": 4, "r": 12, "t": 8, "b": 24},
        "meta": in_zone(zone),
    }
    return {"data": [area], "layout": look}
