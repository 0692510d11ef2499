"""When a price is worth an alert."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market.types import Floats, Ints


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when latest > `factor` x average, the latest price itself not in the average.

    The average is over the prices of `window_seconds` before the latest and must rest on
    `min_samples` of them; one metric fires at most once in any `cooldown_seconds`.
    """

    factor: float
    window_seconds: int
    cooldown_seconds: int
    min_samples: int

    def exceeded(
        self, fresh: npt.NDArray[np.bool_], price: Floats, average: Floats, count: Ints
    ) -> npt.NDArray[np.bool_]:
        """Which metrics break the rule, all arrays of shape (metrics,); only those with a `fresh` price may."""
        with np.errstate(invalid="ignore"):
            above = price > self.factor * average
        return fresh & above & (count >= self.min_samples)
