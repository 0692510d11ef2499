"""The lines at which histories begin within the span of a chart."""

from collections.abc import Sequence
from datetime import tzinfo

import numpy as np

from layouts import notation, theme
from layouts.axes import Figure, stamps
from services.market.times import from_epoch

LINE_HEIGHT = 16  # pixels


def start_lines(begins: Sequence[tuple[int, str]], since: int, until: int, zone: tzinfo) -> Figure:
    """A dashed line with a label for each of `begins` (epoch second, name of the history), as shapes and annotations.

    The chart shows `since` to `until`.
    """
    shapes, labels = [], []
    for place, (begin, name) in enumerate(begins):
        (at,) = stamps(np.array([begin]))
        late = begin > (since + until) / 2
        line = {"color": theme.MUTED, "width": 1, "dash": "dash"}
        shapes.append({"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line})
        labels.append(
            {
                "text": f"{name} begins {_moment(begin, zone)}",
                "x": at,
                "y": 1,
                "yref": "paper",
                "xanchor": "right" if late else "left",
                "yanchor": "top",
                "xshift": -4 if late else 4,
                "yshift": -LINE_HEIGHT * place,
                "showarrow": False,
                "font": {"size": 12},
            }
        )
    return {"shapes": shapes, "annotations": labels}


def _moment(second: int, zone: tzinfo) -> str:
    """27 Nov 23:47."""
    local = from_epoch(second).astimezone(zone)
    return f"{local.day} {local:%b} {notation.clock(local, zone)}"
