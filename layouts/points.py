"""The points of a chart's trace, and those of them that are new to a browser that has drawn it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layouts.axes import Figure
from services.market.types import Ints


@dataclass(frozen=True, slots=True)
class Points:
    """The points of one trace. `times` is where each point ends, ascending; None if an update replaces all points.

    If points form `rings` (around an area, with a None after each), there is one time per ring. The points of a `final`
    trace do not change after they are drawn, even within the running bar.
    """

    columns: Mapping[str, list[Any]]
    times: Ints | None = None
    rings: Sequence[int] | None = None
    """The place of each ring's first point."""
    look: Mapping[str, Any] = field(default_factory=dict)
    final: bool = False

    def whole(self) -> Figure:
        """An update that replaces all points."""
        return {"columns": self.columns, "look": self.look}

    def since(self, edge: int) -> Figure:
        """An update with the points after `edge`, and where they follow; or with all points."""
        if self.times is None:
            return self.whole()
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
