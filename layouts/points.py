"""What a trace of a chart shows, and what of it is new for a browser that has drawn it before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layouts.axes import Figure
from services.market.types import Ints


@dataclass(frozen=True, slots=True)
class Points:
    """What one trace shows. `times` are where each point ends, ascending; None where an update brings all anew.

    Where points are `rings` (around an area, with a None after each), there is one time a ring. What is `final` is no
    part of a running bar: once drawn, a point stays as it is.
    """

    columns: Mapping[str, list[Any]]
    times: Ints | None = None
    rings: Sequence[int] | None = None
    """Where each ring begins among the points."""
    look: Mapping[str, Any] = field(default_factory=dict)
    final: bool = False

    def whole(self) -> Figure:
        """All of it."""
        return {"columns": self.columns, "look": self.look}

    def since(self, edge: int) -> Figure:
        """What lies after `edge`, and after which moment it comes; all where updates bring all."""
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
