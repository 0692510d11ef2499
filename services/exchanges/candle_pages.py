"""The number of candles per request, by exchange, and the requests that cover a span."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.market.times import from_epoch, to_epoch
from services.market.types import CandlePage

DEFAULT_PAGE = 300
MARGIN = 5
"""Candles fewer than newest-only exchanges offer: the unfinished one, and those that pass while requests run."""


@dataclass(frozen=True, slots=True)
class CandleLimits:
    """`width` of the finest candles in seconds, and `page`, the candles per request. An exchange that is `newest_only`
    returns its newest page whatever is requested; older history then comes in candles of `coarse` seconds, if any."""

    width: int = 60
    page: int = DEFAULT_PAGE
    newest_only: bool = False
    coarse: int | None = None


# Measured. For other exchanges ccxt knows the page size, and they return the span that is requested.
MEASURED = {
    "kraken": CandleLimits(page=720, newest_only=True, coarse=300),
    "gemini": CandleLimits(page=1_440, newest_only=True),
    "mexc": CandleLimits(page=500),  # claims 1,000, but returns the oldest half of the span
    "bitfinex": CandleLimits(page=1_500),
}


def split(limits: CandleLimits, since: datetime, until: datetime, now: datetime) -> tuple[CandlePage, ...]:
    """The requests, newest first, that cover (`since`, `until`] as far back as the exchange's history goes.

    They begin and end on candle boundaries, so that no candle is missed between two of them.
    """
    first, last, moment = (to_epoch(at) for at in (since, until, now))
    last = min(last, moment) // limits.width * limits.width
    if not limits.newest_only:
        return tuple(_pages(_floor(first, limits.width), last, limits.width, limits.page))
    coarse = limits.coarse or limits.width
    border = min(max(_reach(moment, limits.width, limits.page, coarse), _floor(first, limits.width)), last)
    pages = list(_pages(border, last, limits.width, limits.page))
    if limits.coarse is not None:
        oldest = max(_floor(first, coarse), _reach(moment, coarse, limits.page, coarse))
        pages += _pages(oldest, _floor(border, coarse), coarse, limits.page)
    return tuple(pages)


def _floor(second: int, width: int) -> int:
    return second // width * width


def _reach(moment: int, width: int, page: int, grid: int) -> int:
    """The beginning of the newest `page` candles, rounded up to the `grid` of the coarser candles before them."""
    return -(-(moment - (page - MARGIN) * width) // grid) * grid


def _pages(first: int, last: int, width: int, page: int) -> Iterator[CandlePage]:
    while last > first:
        start = max(first, last - page * width)
        yield CandlePage(from_epoch(start), from_epoch(last), width)
        last = start
