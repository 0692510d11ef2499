"""Which tickers tell a price of another time than now, by the exchange's own clock."""

import math

import numpy as np
import numpy.typing as npt

from services.market.present import STALE_PERIODS
from services.market.types import Floats

MAX_AGE_SECONDS = 3_600.0
"""What most exchanges tell is when a pair last traded or moved, not when the answer was made, and what was paid last is
the price of a pair that trades seldom. Of six pairs in one recorded answer of binance one that trades 695 times a day
had been quiet for 436 s, one that trades 117 times for 85 s. A pair that trades a hundred times a day is quiet for more
than an hour once in sixty looks; one that is quiet for longer than that has no price of the present."""

MAX_AHEAD_SECONDS = 300.0
"""By this much, and a period, a ticker may be ahead of the others."""

SHARE = 10
"""One in so many tickers has to be as late as the moment that is taken for the exchange's present: few are ahead by
mistake, and of the pairs of an exchange at least so many have just traded."""

Mask = npt.NDArray[np.bool_]


def sort_out(times: Floats, now: float, period_seconds: float) -> tuple[Mask, Mask]:
    """Which of the tickers are out of date, and which are from the future, each of shape (tickers,).

    `times` are those that the tickers tell and `now` is our own present, both in epoch seconds; a ticker that tells no
    time (NaN) is neither. They are judged by the exchange's clock: that is ours where most tickers make sense by it,
    and otherwise the one that the newest tenth of the tickers tells, so that neither an exchange's clock that is hours
    off nor our own costs any price. An exchange whose every ticker stands still is found by its prices, not here.
    """
    known = np.flatnonzero(np.isfinite(times))
    if not len(known):
        return np.zeros(len(times), dtype=np.bool_), np.zeros(len(times), dtype=np.bool_)
    max_age = max(MAX_AGE_SECONDS, STALE_PERIODS * period_seconds)
    told = np.sort(times[known])

    def sensible(clock: float) -> Floats:
        within: Floats = told[np.abs(told - clock) <= max_age]
        return within

    present = float(told[-math.ceil(len(told) / SHARE)])
    near = sensible(now)
    if len(near) >= len(sensible(present)):
        # Ours may be a little behind: what two have reached is the present too, for one alone may be ahead by mistake.
        present = max(now, float(near[-min(len(near), max(2, math.ceil(len(near) / SHARE)))]))
    with np.errstate(invalid="ignore"):
        return present - times > max_age, times - present > MAX_AHEAD_SECONDS + period_seconds
