"""Finds tickers whose price is not current by the exchange's own clock."""

import math

import numpy as np
import numpy.typing as npt

from services.market.present import STALE_PERIODS
from services.market.types import Floats

MAX_AGE_SECONDS = 3_600.0
"""The most that a ticker may be older than the exchange's present.

Most exchanges report when a pair last traded or moved, not when the response was made, and the last trade is the price
of a pair that trades rarely. In one recorded response of binance, a pair that trades 695 times a day had been quiet for
436 s, one that trades 117 times for 85 s. A pair that trades a hundred times a day is quiet for more than an hour in
one of sixty responses; a price that is older than that is not current."""

MAX_AHEAD_SECONDS = 300.0
"""A ticker may be ahead of the others by this much plus a period."""

SHARE = 10
"""The exchange's present is the time that at least one ticker in so many has reached: fewer may be ahead by mistake,
and at least this share of an exchange's pairs has just traded."""

Mask = npt.NDArray[np.bool_]


def sort_out(times: Floats, now: float, period_seconds: float) -> tuple[Mask, Mask]:
    """The masks of tickers that are out of date, and of those from the future, each of shape (tickers,).

    `times` are the tickers' own and `now` is this machine's, all in epoch seconds; a ticker without a time (NaN) is
    neither. They are compared with the exchange's present: this machine's time if most tickers are plausible by it,
    otherwise the time that the newest tenth of the tickers has reached. So no price is lost when either clock is wrong
    by hours. A feed that has stalled as a whole is detected by its prices, not here.
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
        # This clock may be a little behind: the present is a time that two tickers have reached, as one may be wrong.
        present = max(now, float(near[-min(len(near), max(2, math.ceil(len(near) / SHARE)))]))
    with np.errstate(invalid="ignore"):
        return present - times > max_age, times - present > MAX_AHEAD_SECONDS + period_seconds
