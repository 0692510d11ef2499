"""Finds tickers whose price is not current, by the exchange's own clock."""

import math

import numpy as np
import numpy.typing as npt

from services.market.present import STALE_PERIODS
from services.market.types import Floats

MAX_AGE_SECONDS = 3_600.0
"""Most exchanges report when a pair last traded or moved, not when the response was made, and the last trade is the
price of a pair that trades seldom. Of six pairs in one recorded answer of binance one that trades 695 times a day
had been quiet for 436 s, one that trades 117 times for 85 s. A pair that trades a hundred times a day is quiet for more
than an hour once in sixty looks; one that is quiet for longer than that has no price of the present."""

MAX_AHEAD_SECONDS = 300.0
"""A ticker may be ahead of the others by this much and a period."""

SHARE = 10
"""The exchange's present is the time that at least one in so many tickers has reached: fewer are ahead by mistake, and
at least so many of an exchange's pairs have just traded."""

Mask = npt.NDArray[np.bool_]


def sort_out(times: Floats, now: float, period_seconds: float) -> tuple[Mask, Mask]:
    """Which tickers are out of date, and which are from the future, each of shape (tickers,).

    `times` are the tickers' own and `now` is this machine's, all in epoch seconds; a ticker without a time (NaN) is
    neither. They are compared with the exchange's clock: this machine's when most tickers are plausible by it,
    otherwise the time that the newest tenth of the tickers has reached. So no price is lost when either clock is hours
    off. A feed that has stalled as a whole is found by its prices, not here.
    """
    known = np.flatnonzero(np.isfinite(times))
    if not len(known):
        return np.zeros(len(times), dtype=np.bool_), np.zeros(len(times), dtype=np.bool_)
    max_age = max(MAX_AGE_SECONDS, STALE_PERIODS * period_seconds)
    reported = np.sort(times[known])

    def plausible(clock: float) -> Floats:
        within: Floats = reported[np.abs(reported - clock) <= max_age]
        return within

    present = float(reported[-math.ceil(len(reported) / SHARE)])
    near = plausible(now)
    if len(near) >= len(plausible(present)):
        # This clock may be a little behind: the present is what two tickers have reached; one may be ahead by mistake.
        present = max(now, float(near[-min(len(near), max(2, math.ceil(len(near) / SHARE)))]))
    with np.errstate(invalid="ignore"):
        return present - times > max_age, times - present > MAX_AHEAD_SECONDS + period_seconds
